/* cast: frame 1 of a broadcast. */
#include "proto/wire.h"
#include "tests/support/case.h"

#include <stdlib.h>

static fob_cast_t stored(void) {
    return (fob_cast_t){.topic = fob_slice_str("shop.order_placed"),
                        .kind = FOB_CAST_STORED,
                        .epoch = 5,
                        .offset = 100,
                        .count = 3,
                        .prev = 90,
                        .source = UINT64_MAX,
                        .seq = 8,
                        .time_ms = 1700000000123};
}

static fob_cast_t fired(void) {
    return (fob_cast_t){
        .topic = fob_slice_str("a"), .kind = FOB_CAST_FIRE, .count = 1, .source = 9, .seq = 1};
}

static fob_status_t round_trip(const fob_cast_t *cast, fob_cast_t *got) {
    static uint8_t frame[512];
    fob_buf_t out = {0};
    assert_int_equal(fob_cast_write(&out, cast), FOB_OK);
    assert_true(out.size <= sizeof frame);
    memcpy(frame, out.data, out.size);
    fob_status_t status = fob_cast_read(fob_slice(frame, out.size), got);
    fob_buf_free(&out);
    return status;
}

static fob_status_t judge(fob_cast_t cast) {
    fob_cast_t got;
    return round_trip(&cast, &got);
}

static void what_was_written_is_read_again(void **state) {
    (void)state;
    fob_cast_t cast = stored(), got;
    cast.shard = 2;
    assert_int_equal(round_trip(&cast, &got), FOB_OK);
    assert_true(fob_slice_eq(got.topic, cast.topic));
    assert_true(got.kind == cast.kind && got.shard == 2 && got.epoch == 5 && got.offset == 100);
    assert_true(got.count == 3 && got.prev == 90 && got.source == UINT64_MAX && got.seq == 8);
    assert_true(got.time_ms == cast.time_ms);
}

static void a_stored_cast_has_offsets_above_prev(void **state) {
    (void)state;
    fob_cast_t cast = stored();
    cast.prev = 100;
    assert_int_equal(judge(cast), FOB_PROTOCOL);
    cast.prev = 99;
    assert_int_equal(judge(cast), FOB_OK);
    cast.offset = 0, cast.prev = 0;
    assert_int_equal(judge(cast), FOB_PROTOCOL);
}

static void numbers_that_run_over_are_refused(void **state) {
    (void)state;
    fob_cast_t cast = stored();
    cast.count = 0;
    assert_int_equal(judge(cast), FOB_PROTOCOL);
    cast = stored();
    cast.offset = UINT64_MAX - 2;
    assert_int_equal(judge(cast), FOB_OK);
    cast.offset = UINT64_MAX - 1;
    assert_int_equal(judge(cast), FOB_PROTOCOL);
    cast = fired();
    cast.seq = UINT64_MAX;
    assert_int_equal(judge(cast), FOB_OK);
    cast.count = 2;
    assert_int_equal(judge(cast), FOB_PROTOCOL);
}

static void fire_and_forget_has_no_place(void **state) {
    (void)state;
    assert_int_equal(judge(fired()), FOB_OK);
    fob_cast_t cast = fired();
    cast.offset = 1;
    assert_int_equal(judge(cast), FOB_PROTOCOL);
    cast = fired();
    cast.epoch = 1;
    assert_int_equal(judge(cast), FOB_PROTOCOL);
    cast = fired();
    cast.prev = 1;
    assert_int_equal(judge(cast), FOB_PROTOCOL);
    cast = fired();
    cast.seq = 0;
    assert_int_equal(judge(cast), FOB_PROTOCOL);
}

static void nobody_fires_on_the_bus_s_own_topics(void **state) {
    (void)state;
    fob_cast_t cast = fired();
    cast.topic = fob_slice_str("$sys.x");
    assert_int_equal(judge(cast), FOB_PROTOCOL);
    cast = stored();
    cast.topic = fob_slice_str("$sys.x");
    assert_int_equal(judge(cast), FOB_OK);
}

static void a_probe_is_on_the_bus_s_own_topic(void **state) {
    (void)state;
    fob_cast_t cast = {.topic = fob_slice_str("$sys.probe.ab"), .kind = FOB_CAST_PROBE};
    assert_int_equal(judge(cast), FOB_OK);
    cast.topic = fob_slice_str("probe.ab");
    assert_int_equal(judge(cast), FOB_PROTOCOL);
}

static void an_unknown_kind_is_refused_and_named(void **state) {
    (void)state;
    fob_cast_t cast = stored(), got;
    cast.kind = 9;
    assert_int_equal(round_trip(&cast, &got), FOB_PROTOCOL);
    assert_int_equal(got.kind, 9);
}

static void a_bad_topic_is_refused(void **state) {
    (void)state;
    fob_cast_t cast = fired();
    cast.topic = fob_slice_str("");
    assert_int_equal(judge(cast), FOB_PROTOCOL);
    cast.topic = fob_slice_str("a..b");
    assert_int_equal(judge(cast), FOB_PROTOCOL);
    char longest[256];
    memset(longest, 'a', sizeof longest);
    cast.topic = fob_slice(longest, 255);
    assert_int_equal(judge(cast), FOB_OK);
    cast.topic = fob_slice(longest, 256);
    assert_int_equal(judge(cast), FOB_PROTOCOL);
}

static void more_elements_are_skipped_and_bytes_behind_refused(void **state) {
    (void)state;
    static const char more[] = "a\0\x9b\x02\x00\x00\x00\x01\x00\x05\x09\x01\x91\x01\xc0";
    static const char behind[] = "a\0\x99\x02\x00\x00\x00\x01\x00\x05\x09\x01\x00";
    static const char cut[] = "a\0\x9a\x02\x00\x00\x00\x01\x00\x05\x09\x01\x92\x01";
    static const char large[] = "a\0\x99\xcf\0\0\0\1\0\0\0\2\x00\x00\x00\x01\x00\x05\x09\x01";
    static const char fewer[] = "a\0\x98\x02\x00\x00\x00\x01\x00\x05\x09";
    fob_cast_t got;
    assert_int_equal(fob_cast_read(fob_slice(more, sizeof more - 1), &got), FOB_OK);
    assert_true(got.time_ms == 5 && got.source == 9);
    assert_int_equal(fob_cast_read(fob_slice(behind, sizeof behind - 1), &got), FOB_PROTOCOL);
    assert_int_equal(fob_cast_read(fob_slice(fewer, sizeof fewer - 1), &got), FOB_PROTOCOL);
    assert_int_equal(fob_cast_read(fob_slice(cut, sizeof cut - 1), &got), FOB_PROTOCOL);
    assert_int_equal(fob_cast_read(fob_slice(large, sizeof large - 1), &got), FOB_PROTOCOL);
}

static void a_frame_cut_anywhere_is_refused_and_not_read_past(void **state) {
    (void)state;
    fob_cast_t cast = stored(), got;
    fob_buf_t out = {0};
    assert_int_equal(fob_cast_write(&out, &cast), FOB_OK);
    for (size_t size = 0; size < out.size; size++) {
        uint8_t *cut = malloc(size ? size : 1);
        memcpy(cut, out.data, size);
        assert_int_equal(fob_cast_read(fob_slice(cut, size), &got), FOB_PROTOCOL);
        free(cut);
    }
    fob_buf_free(&out);
}

FOB_MAIN(FOB_CASE(what_was_written_is_read_again), FOB_CASE(a_stored_cast_has_offsets_above_prev),
         FOB_CASE(numbers_that_run_over_are_refused), FOB_CASE(fire_and_forget_has_no_place),
         FOB_CASE(nobody_fires_on_the_bus_s_own_topics),
         FOB_CASE(a_probe_is_on_the_bus_s_own_topic),
         FOB_CASE(an_unknown_kind_is_refused_and_named), FOB_CASE(a_bad_topic_is_refused),
         FOB_CASE(more_elements_are_skipped_and_bytes_behind_refused),
         FOB_CASE(a_frame_cut_anywhere_is_refused_and_not_read_past))
