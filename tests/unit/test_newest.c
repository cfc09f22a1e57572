/* Of each topic the newest event so far, held until all is told. */
#include "subscribers/sequence/newest.h"
#include "support/case.h"

#define PLENTY 1000

static fob_newest_fate_t hold(fob_newest_t *newest, const char *topic, uint64_t offset,
                              const char *bytes, uint64_t most) {
    const fob_queued_t event = {.bytes = fob_slice_str(bytes), .offset = offset, .count = 1};
    return fob_newest_hold(newest, fob_slice_str(topic), &event, most);
}

static void gives(fob_newest_t *newest, uint64_t offset, const char *bytes) {
    assert_true(fob_newest_any(newest));
    fob_queued_t event = fob_newest_give(newest);
    assert_int_equal(event.offset, offset);
    assert_true(fob_slice_eq(event.bytes, fob_slice_str(bytes)));
    fob_blob_unref(&event.blob);
}

static void a_newer_event_takes_the_place_of_the_one_before(void **state) {
    (void)state;
    fob_newest_t newest = {0};
    assert_int_equal(fob_newest_high(&newest), 0);
    assert_int_equal(hold(&newest, "a", 1, "one", PLENTY), FOB_NEWEST_HELD);
    assert_int_equal(hold(&newest, "b", 2, "two", PLENTY), FOB_NEWEST_HELD);
    assert_int_equal(hold(&newest, "a", 5, "five", PLENTY), FOB_NEWEST_HELD);
    assert_int_equal(newest.bytes, strlen("two") + strlen("five"));
    assert_int_equal(fob_newest_high(&newest), 5);
    assert_true(fob_newest_has(&newest, fob_slice_str("a")));
    assert_false(fob_newest_has(&newest, fob_slice_str("c")));
    gives(&newest, 2, "two");
    gives(&newest, 5, "five");
    assert_false(fob_newest_any(&newest));
}

static void they_are_given_in_the_order_of_offsets(void **state) {
    (void)state;
    fob_newest_t newest = {0};
    char topic[8];
    for (uint64_t offset = 1; offset <= 300; offset++) {
        snprintf(topic, sizeof topic, "t%u", (unsigned)(offset * 7 % 100));
        assert_int_equal(hold(&newest, topic, offset, topic, PLENTY * PLENTY), FOB_NEWEST_HELD);
    }
    for (uint64_t offset = 201; offset <= 300; offset++) {
        snprintf(topic, sizeof topic, "t%u", (unsigned)(offset * 7 % 100));
        gives(&newest, offset, topic);
    }
    assert_int_equal(hold(&newest, "t1", 301, "again", PLENTY), FOB_NEWEST_HELD); /* begins anew */
    gives(&newest, 301, "again");
}

static void there_are_not_more_names_than_there_may_be(void **state) {
    (void)state;
    static char topic[FOB_TOPIC_MAX + 1];
    fob_newest_t newest = {0};
    fob_newest_fate_t fate = FOB_NEWEST_HELD;
    unsigned held = 0;
    for (; fate == FOB_NEWEST_HELD && held < FOB_MARKS_MAX; held++) {
        snprintf(topic, sizeof topic, "%0255u", held);
        fate = hold(&newest, topic, held + 1, "x", FOB_MARKS_MAX);
    }
    assert_int_equal(fate, FOB_NEWEST_FULL);
    assert_int_equal(held - 1, FOB_MARKS_NAMES / 255);
    fob_newest_clear(&newest);
}

static void there_are_not_more_topics_than_there_may_be(void **state) {
    (void)state;
    fob_newest_t newest = {.topics.max = 2};
    assert_int_equal(hold(&newest, "a", 1, "1", PLENTY), FOB_NEWEST_HELD);
    assert_int_equal(hold(&newest, "b", 2, "2", PLENTY), FOB_NEWEST_HELD);
    assert_int_equal(hold(&newest, "c", 3, "3", PLENTY), FOB_NEWEST_FULL);
    assert_int_equal(hold(&newest, "a", 4, "4", PLENTY), FOB_NEWEST_HELD);
    gives(&newest, 2, "2");
    fob_newest_clear(&newest);
    assert_false(fob_newest_any(&newest));
    assert_int_equal(newest.topics.max, 2);
}

static void nor_more_bytes_but_for_one_event(void **state) {
    (void)state;
    fob_newest_t newest = {0};
    assert_int_equal(hold(&newest, "a", 1, "0123456789", 10), FOB_NEWEST_HELD);
    assert_int_equal(hold(&newest, "b", 2, "2", 10), FOB_NEWEST_FULL);
    assert_int_equal(hold(&newest, "a", 3, "3", 10), FOB_NEWEST_HELD);
    assert_int_equal(hold(&newest, "b", 4, "4", 10), FOB_NEWEST_HELD);
    gives(&newest, 3, "3");
    assert_int_equal(fob_newest_high(&newest), 4);
    fob_newest_clear(&newest);
}

FOB_MAIN(FOB_CASE(a_newer_event_takes_the_place_of_the_one_before),
         FOB_CASE(they_are_given_in_the_order_of_offsets),
         FOB_CASE(there_are_not_more_names_than_there_may_be),
         FOB_CASE(there_are_not_more_topics_than_there_may_be),
         FOB_CASE(nor_more_bytes_but_for_one_event))
