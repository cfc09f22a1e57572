/* Those who fetch, and records that cannot be read, are very large, or are for others: what is
 * damaged is told, all else comes; and one that may not be served yet waits no longer than that. */
#include "tests/support/case.h"

#include "bus/core/durable/record.h"
#include "fetch_kit.h"

#include <stdlib.h>

static const char *const topics[] = {"a", "b"};

/* Three records of ten events; the one in the middle is what can be changed. */
static fob_buf_t *three_records(void) {
    for (int i = 0; i < 3; i++)
        kit_events(topics, 2, 10, 8);
    return kit_bytes(11);
}

static void the_middle_is_damaged(void) {
    kit_ask(1, ">", 1, 0);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 20);
    assert_int_equal(answer->offsets[9], 10);
    assert_int_equal(answer->offsets[10], 21);
    assert_int_equal(answer->gone_count, 1);
    assert_int_equal(answer->gone[0][0], 11);
    assert_int_equal(answer->gone[0][1], 20);
    assert_int_equal(answer->gone[0][2], 1);
    assert_int_equal(answer->next, 31);
}

static void a_record_of_no_kind_that_is_known_is_told_as_damaged(void **state) {
    (void)state;
    memset(three_records()->data, 0xee, 8);
    the_middle_is_damaged();
}

static void a_record_that_has_more_events_than_bytes_is_told_as_damaged(void **state) {
    (void)state;
    three_records()->size = FOB_RECORD_EVENTS_SIZE + 5;
    the_middle_is_damaged();
}

static void a_record_with_bytes_behind_its_events_is_told_as_damaged(void **state) {
    (void)state;
    fob_buf_put(three_records(), "\0", 1);
    the_middle_is_damaged();
}

static void records_without_events_are_passed_over(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        kit_event("a");
        kit_other();
    }
    kit_ask(1, ">", 1, 0);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 4);
    assert_int_equal(answer->gone_count, 0);
    assert_int_equal(answer->next, 5);
}

static void what_a_page_of_very_many_events_took_is_given_back(void **state) {
    (void)state;
    const uint32_t many = 70000;
    kit_events(topics, 2, many, 8);
    for (int i = 0; i < 200; i++) /* more than a page */
        kit_events(topics, 2, 10, 200);
    kit_ask(1, "b", many - 1, 0);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->offsets[0], many);
    assert_int_equal(answer->next, many + 1);
    kit_ask(1, "a", many + 1991, 0);
    answer = kit_wait(2);
    assert_int_equal(answer->offsets[0], many + 1991);
    assert_int_equal(answer->next, kit.head + 1);
}

/* (A record has events behind the last one that is listed.) */
static void of_a_record_with_more_topics_than_are_listed_each_last_event_comes_once(void **state) {
    (void)state;
    static char names[FOB_LATEST_LISTED + 100][16];
    static const char *list[FOB_LATEST_LISTED + 100];
    const uint32_t count = FOB_LATEST_LISTED + 100;
    for (uint32_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "t.%u", i);
        list[i] = names[i];
    }
    kit_know(2 * count);
    kit_events(list, count, count, 8);
    uint64_t got = 0;
    for (uint64_t next = 1; next <= kit.head;) {
        kit_ask_for(
            &(fob_fetch_t){.conn = 1, .pattern = fob_slice_str(">"), .from = next, .latest = true});
        const kit_answer_t *answer = kit_wait(kit.answer_count + 1);
        for (size_t i = 0; i < answer->count; i++)
            assert_int_equal(answer->offsets[i], ++got);
        assert_true(answer->next > next);
        next = answer->next;
    }
    assert_int_equal(got, count);
}

static void last_events_that_must_wait_to_be_paid_for_come_as_soon_as_they_are(void **state) {
    (void)state;
    kit_rate(100000);
    for (int i = 0; i < 30; i++)
        kit_events(topics, 2, 100, 1000); /* 3 MB */
    size_t answers = 0;
    for (uint64_t next = 1; next <= kit.head; next = kit_wait(++answers)->next)
        kit_ask(1, ">", next, 0);
    kit_ask_for(
        &(fob_fetch_t){.conn = 2, .pattern = fob_slice_str(">"), .from = 1, .latest = true});
    kit_round(0);
    int64_t asked = kit.ms, due = fob_fetches_deadline(kit.fetches);
    assert_true(due > FOB_SEC + asked * FOB_MS && due != FOB_NEVER);
    const kit_answer_t *answer = kit_wait(answers + 1);
    assert_int_equal(answer->conn, 2);
    assert_int_equal(answer->count, 2);
    assert_true(kit.ms > asked);
}

FOB_MAIN(FOB_CASE_WITH(a_record_of_no_kind_that_is_known_is_told_as_damaged, kit_begin, kit_end),
         FOB_CASE_WITH(a_record_that_has_more_events_than_bytes_is_told_as_damaged, kit_begin,
                       kit_end),
         FOB_CASE_WITH(a_record_with_bytes_behind_its_events_is_told_as_damaged, kit_begin,
                       kit_end),
         FOB_CASE_WITH(records_without_events_are_passed_over, kit_begin, kit_end),
         FOB_CASE_WITH(what_a_page_of_very_many_events_took_is_given_back, kit_begin, kit_end),
         FOB_CASE_WITH(of_a_record_with_more_topics_than_are_listed_each_last_event_comes_once,
                       kit_begin, kit_end),
         FOB_CASE_WITH(last_events_that_must_wait_to_be_paid_for_come_as_soon_as_they_are,
                       kit_begin, kit_end))
