#include "tests/support/case.h"

#include "proto/cli/bench/tally.h"

#include <stdlib.h>

#define CAPACITY 1000

static _Atomic uint64_t all_words[(CAPACITY + 63) / 64], seen_words[(CAPACITY + 63) / 64];
static const fob_tally_t all = {all_words, CAPACITY}, seen = {seen_words, CAPACITY};

static int set_up(void **state) {
    (void)state;
    for (size_t i = 0; i < fob_tally_words(CAPACITY); i++) {
        atomic_store(&all_words[i], 0);
        atomic_store(&seen_words[i], 0);
    }
    return 0;
}

static void a_number_is_new_once(void **state) {
    (void)state;
    for (uint64_t i = 0; i < CAPACITY; i++)
        assert_true(fob_tally_mark(&all, i));
    for (uint64_t i = 0; i < CAPACITY; i++)
        assert_false(fob_tally_mark(&all, i));
}

static void what_was_sent_and_not_seen_is_missing(void **state) {
    static const uint64_t lost[] = {0, 63, 64, 500, 998};
    (void)state;
    for (uint64_t i = 0; i < CAPACITY - 1; i++) {
        bool kept = true;
        for (size_t j = 0; j < sizeof lost / sizeof lost[0]; j++)
            kept = kept && lost[j] != i;
        fob_tally_mark(&all, i);
        if (kept)
            fob_tally_mark(&seen, i);
    }
    assert_int_equal(fob_tally_missing(&all, &seen, CAPACITY), 5);
    assert_int_equal(fob_tally_missing(&all, &seen, 999), 5);
    assert_int_equal(fob_tally_missing(&all, &seen, 998), 4);
    assert_int_equal(fob_tally_missing(&all, &seen, 64), 2);
    assert_int_equal(fob_tally_missing(&all, &seen, 63), 1);
    assert_int_equal(fob_tally_missing(&all, &seen, 0), 0);
}

/* An event whose receipt never came may have been stored: it is no loss, and hides none. */
static void what_was_seen_and_is_not_known_to_be_sent_hides_no_loss(void **state) {
    (void)state;
    fob_tally_mark(&seen, 10);
    fob_tally_mark(&all, 11);
    assert_int_equal(fob_tally_missing(&all, &seen, CAPACITY), 1);
}

static void what_comes_behind_a_later_one_of_its_topic_is_out_of_order(void **state) {
    fob_order_t order;
    (void)state;
    assert_true(fob_order_begin(&order, 2, 1));
    assert_true(fob_order_note(&order, 0, 5));
    assert_false(fob_order_note(&order, 0, 4));
    assert_true(fob_order_note(&order, 0, 6));
    assert_true(fob_order_note(&order, 0, 900)); /* a hole is no disorder */
    assert_false(fob_order_note(&order, 0, 7));
    fob_order_end(&order);
}

static void publishers_and_topics_are_ordered_each_by_itself(void **state) {
    fob_order_t order;
    (void)state;
    assert_true(fob_order_begin(&order, 2, 3));
    assert_true(fob_order_note(&order, 0, 9));
    assert_true(fob_order_note(&order, 1, 0));  /* another publisher */
    assert_true(fob_order_note(&order, 0, 1));  /* another topic */
    assert_false(fob_order_note(&order, 0, 6)); /* the topic of 9 */
    assert_true(fob_order_note(&order, 1, 3));
    assert_false(fob_order_note(&order, 1, 0));
    fob_order_end(&order);
    assert_null(order.next);
}

FOB_MAIN(FOB_CASE_WITH(a_number_is_new_once, set_up, NULL),
         FOB_CASE_WITH(what_was_sent_and_not_seen_is_missing, set_up, NULL),
         FOB_CASE_WITH(what_was_seen_and_is_not_known_to_be_sent_hides_no_loss, set_up, NULL),
         FOB_CASE(what_comes_behind_a_later_one_of_its_topic_is_out_of_order),
         FOB_CASE(publishers_and_topics_are_ordered_each_by_itself))
