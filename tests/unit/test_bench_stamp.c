#include "tests/support/case.h"

#include "proto/cli/bench/stamp.h"

#include <stdlib.h>

static const fob_stamp_t sample = {0x1f2e3d4c, 7, UINT64_C(0x123456789abc), -1234567890123};

static void a_stamp_is_read_as_it_was_put(void **state) {
    static const size_t sizes[] = {FOB_STAMP_LEAST, 33, 256, 65536, 1000000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *data = malloc(sizes[i]);
        fob_stamp_t found = {0};
        assert_non_null(data);
        fob_stamp_begin(data, sizes[i]);
        fob_stamp_put(data, &sample);
        assert_true(fob_stamp_read(data, sizes[i], sizes[i], &found));
        assert_memory_equal(&found, &sample, sizeof sample);
        free(data);
    }
}

static void a_stamp_may_be_put_again(void **state) {
    uint8_t data[64];
    fob_stamp_t found, other = {1, 2, 3, 4};
    (void)state;
    fob_stamp_begin(data, sizeof data);
    fob_stamp_put(data, &sample);
    fob_stamp_put(data, &other);
    assert_true(fob_stamp_read(data, sizeof data, sizeof data, &found));
    assert_memory_equal(&found, &other, sizeof other);
}

static void what_is_cut_torn_or_another_is_no_stamp(void **state) {
    uint8_t data[64];
    fob_stamp_t found;
    (void)state;
    fob_stamp_begin(data, sizeof data);
    fob_stamp_put(data, &sample);
    assert_false(fob_stamp_read(data, 63, 64, &found));
    assert_false(fob_stamp_read(data, 64, 63, &found));
    assert_false(fob_stamp_read(data, 0, 64, &found));
    assert_false(fob_stamp_read(data, 8, 8, &found));
    data[63] ^= 1;
    assert_false(fob_stamp_read(data, 64, 64, &found));
    data[63] ^= 1;
    data[0] = 0xc4;
    assert_false(fob_stamp_read(data, 64, 64, &found));
}

/* Who looks at the run with fob tail sees bytes, and no broken event. */
static void the_data_is_one_msgpack_value_of_bytes(void **state) {
    uint8_t data[300];
    (void)state;
    fob_stamp_begin(data, sizeof data);
    fob_stamp_put(data, &sample);
    assert_int_equal(data[0], 0xc6);
    assert_int_equal((data[1] << 24) + (data[2] << 16) + (data[3] << 8) + data[4], 295);
}

FOB_MAIN(FOB_CASE(a_stamp_is_read_as_it_was_put), FOB_CASE(a_stamp_may_be_put_again),
         FOB_CASE(what_is_cut_torn_or_another_is_no_stamp),
         FOB_CASE(the_data_is_one_msgpack_value_of_bytes))
