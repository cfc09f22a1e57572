/* seeds: makes the corpus of the targets that take what only the bus itself writes.
 *
 *     fuzz_seeds FOLDER [SEGMENT]...    FOLDER/replay/... and so on; of segments (of the folders in
 *                                       tests/crash/golden) FOLDER/scan/recorded_1 and so on
 *
 * Run it when a record, a checkpoint or a segment gets another form; the old seeds stay. */
#include "tests/fuzz/seeds.h"

#include "tests/support/case.h"

#include <stdlib.h>
#include <sys/stat.h>

static const char *folder;

void seed_write(const char *target, const char *name, fob_slice_t bytes) {
    char path[4096];
    assert_true(snprintf(path, sizeof path, "%s/%s", folder, target) < (int)sizeof path);
    mkdir(path, 0777);
    assert_true(snprintf(path, sizeof path, "%s/%s/%s", folder, target, name) < (int)sizeof path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    assert_int_equal(fclose(file), 0);
}

void seed_piece(fob_buf_t *out, const char *head, size_t head_size, fob_slice_t bytes) {
    size_t size = head_size + bytes.size;
    assert_true(size <= UINT16_MAX);
    uint8_t length[2] = {(uint8_t)size, (uint8_t)(size >> 8)};
    fob_buf_put(out, length, sizeof length);
    fob_buf_put(out, head, head_size);
    fob_buf_put(out, bytes.data, bytes.size);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: fuzz_seeds FOLDER [SEGMENT]...\n");
        return 64;
    }
    folder = argv[1];
    mkdir(folder, 0777);
    seeds_core();
    seeds_wire();
    seeds_journal();
    for (int i = 2; i < argc; i++) {
        char name[32];
        snprintf(name, sizeof name, "recorded_%d", i - 1);
        seeds_segment(argv[i], name);
    }
    return 0;
}
