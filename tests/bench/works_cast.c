/* works_cast: broadcasts as fast as can be. */
#include "tests/bench/works.h"

#define FIRE(BYTES, LISTENERS, EVENTS)                                                             \
    {                                                                                              \
        .name = "fire-" #BYTES "-1-" #LISTENERS,                                                   \
        .title = "broadcast 1 -> " #LISTENERS ", " #BYTES " B, at most once", .kind = WORK_FIRE,   \
        .size = BYTES, .events = EVENTS, .groups = LISTENERS, .workers = 1, .publishers = 1,       \
        .shown = {FIGURE_RATE, FIGURE_LOST, FIGURE_CPU_BROKER, FIGURE_CPU_CLIENTS}, .shows = 4     \
    }
#define STORED(BYTES, LISTENERS, EVENTS)                                                           \
    {                                                                                              \
        .name = "stored-" #BYTES "-1-" #LISTENERS,                                                 \
        .title = "broadcast 1 -> " #LISTENERS ", " #BYTES " B, confirmed after fsync, gap repair", \
        .kind = WORK_STORED, .size = BYTES, .events = EVENTS, .sync = true, .groups = LISTENERS,   \
        .workers = 1, .publishers = 1,                                                             \
        .shown = {FIGURE_RATE, FIGURE_CONFIRMED, FIGURE_LOST, FIGURE_CPU_BROKER,                   \
                  FIGURE_CPU_CLIENTS},                                                             \
        .shows = 5                                                                                 \
    }
#define CEILING(BYTES, LISTENERS, BATCH, EVENTS)                                                   \
    {                                                                                              \
        .name = "ceiling-" #BYTES "-1-" #LISTENERS "-by-" #BATCH,                                  \
        .title = "ceiling: broadcast 1 -> " #LISTENERS ", " #BYTES " B, " #BATCH " in a frame",    \
        .kind = WORK_CEILING, .size = BYTES, .events = EVENTS, .batch = BATCH,                     \
        .groups = LISTENERS, .workers = 1, .publishers = 1, .shown = {FIGURE_RATE, FIGURE_LOST},   \
        .shows = 2                                                                                 \
    }

static const work_t list[] = {
    FIRE(128, 1, 4000000),         FIRE(128, 4, 2000000),          FIRE(1024, 1, 1000000),
    FIRE(1024, 4, 500000),         STORED(128, 1, 1000000),        STORED(128, 4, 1000000),
    STORED(1024, 1, 300000),       CEILING(128, 1, 64, 8000000),   CEILING(128, 1, 512, 8000000),
    CEILING(128, 4, 64, 2000000),  CEILING(128, 4, 512, 4000000),  CEILING(1024, 1, 16, 1000000),
    CEILING(1024, 1, 64, 2000000), CEILING(1024, 1, 256, 2000000), CEILING(1024, 4, 16, 300000),
    CEILING(1024, 4, 64, 600000),  CEILING(1024, 4, 256, 1000000),
};

static const target_t targets[] = {
    {.work = "fire-128-1-1", .figure = FIGURE_RATE, .factor = 2, .sentence = "2x the best peer"},
    {.work = "fire-128-1-4", .figure = FIGURE_RATE, .factor = 2, .sentence = "2x the best peer"},
    {.work = "fire-1024-1-1", .figure = FIGURE_RATE, .factor = 2, .sentence = "2x the best peer"},
    {.work = "fire-1024-1-4",
     .figure = FIGURE_RATE,
     .factor = 1.5,
     .sentence = "1.5x the best peer"},
    {.work = "stored-128-1-1", .figure = FIGURE_RATE, .limit = 500000, .sentence = "500 k/s"},
    {.work = "stored-128-1-1", .figure = FIGURE_LOST, .limit = 0, .sentence = "nothing lost"},
};

const work_list_t works_cast = {list, sizeof list / sizeof list[0], targets,
                                sizeof targets / sizeof targets[0]};
