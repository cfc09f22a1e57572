/* works_floor: what the machine does by itself, to see the others by. */
#include "tests/bench/works.h"

#define FLOOR(NAME, TITLE, BYTES, EVENTS, BATCH)                                                   \
    {                                                                                              \
        .name = "floor-" NAME, .title = "floor: " TITLE, .kind = WORK_FLOOR, .size = BYTES,        \
        .events = EVENTS, .batch = BATCH, .publishers = 1, .shown = {FIGURE_RATE}, .shows = 1      \
    }

static const work_t list[] = {
    FLOOR("tcp", "TCP through the loopback, writes of 64 KiB", 65536, 150000, 0),
    FLOOR("push-128", "libzmq PUSH/PULL, 128 B", 128, 4000000, 0),
    FLOOR("push-256", "libzmq PUSH/PULL, 256 B", 256, 3000000, 0),
    FLOOR("push-1024", "libzmq PUSH/PULL, 1 KiB", 1024, 1000000, 0),
    FLOOR("append-1", "append and fdatasync, 256 B, one by one", 256, 10000, 1),
    FLOOR("append-64", "append and fdatasync, 256 B, by 64", 256, 640000, 64),
    FLOOR("append-1024", "append and fdatasync, 256 B, by 1,024", 256, 4096000, 1024),
};

const work_list_t works_floor = {list, sizeof list / sizeof list[0], NULL, 0};
