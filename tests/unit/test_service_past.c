/* The service, asked for what was missed. */
#include "service_bench.h"

static void fetch(uint8_t client, const char *pattern) {
    fob_wire_t msg = {.verb = FOB_VERB_FETCH};
    FOB_SET(&msg, req, 1);
    FOB_SET(&msg, from, 1);
    FOB_SET(&msg, pattern, fob_slice_str(pattern));
    round_after(0, client, &msg, NULL);
}

static void a_fetch_is_answered_from_the_journal(void **state) {
    (void)state;
    greet(8);
    greet(9);
    for (uint64_t number = 1; number <= 3; number++)
        publish(9, number);
    fetch(8, "*");
    assert_int_equal(sent[FOB_VERB_FETCHED], 1);
    assert_int_equal(fetched_code, FOB_OK);
    assert_int_equal(fetched_next, 4);
    fetch(8, "no*");
    assert_int_equal(sent[FOB_VERB_FETCHED], 2);
    assert_int_equal(fetched_code, FOB_BAD_PATTERN);
}

static void ask_whole(uint8_t client, const char *pattern, uint64_t from) {
    fob_wire_t msg = {.verb = FOB_VERB_WHOLE};
    FOB_SET(&msg, req, 1);
    FOB_SET(&msg, from, from);
    FOB_SET(&msg, upto, 3);
    FOB_SET(&msg, pattern, fob_slice_str(pattern));
    round_after(0, client, &msg, NULL);
}

static void whether_a_pattern_is_whole_is_answered_by_the_last_event_of_each_topic(void **state) {
    static const uint8_t one[] = {0xdd, 0, 0, 0, 1, 0x92, 0xa1, 'a', 3};
    static const uint8_t none[] = {0xdd, 0, 0, 0, 0};
    (void)state;
    greet(8);
    greet(9);
    for (uint64_t number = 1; number <= 3; number++)
        publish(9, number);
    ask_whole(8, "*", 2);
    assert_int_equal(sent[FOB_VERB_WHOLENESS], 1);
    assert_int_equal(fetched_code, FOB_OK);
    assert_int_equal(rows_size, sizeof one);
    assert_memory_equal(rows, one, sizeof one);
    ask_whole(8, "a", 3);
    assert_int_equal(rows_size, sizeof none);
    assert_memory_equal(rows, none, sizeof none);
    ask_whole(8, "a..b", 3);
    assert_int_equal(fetched_code, FOB_BAD_PATTERN);
    assert_int_equal(sent[FOB_VERB_WHOLENESS], 3);
}

static void who_broke_off_is_fetched_nothing(void **state) {
    (void)state;
    greet(8);
    greet(9);
    publish(9, 1);
    away = 8;
    fetch(8, "a");
    fob_fetches_stats_t fetches;
    fob_fetches_stats(fob_service_fetches(service), &fetches);
    assert_int_equal(fetches.waiting, 0);
    assert_int_equal(sent[FOB_VERB_FETCHED], 0);
    away = 0;
    greet(8); /* on another connection */
    fetch(8, "a");
    assert_int_equal(sent[FOB_VERB_FETCHED], 1);
}

static void who_fetches_on_and_on_has_its_beats_all_the_same(void **state) {
    (void)state;
    greet(8);
    for (int i = 0; i < 20; i++) {
        fetch(8, "a");
        round_after(500, 8, NULL, NULL);
    }
    assert_int_equal(sent[FOB_VERB_FETCHED], 20);
    assert_in_range(sent[FOB_VERB_BEAT], 8, 15);
}

/* Its answer lies in the pipe to it; a HELLO does not take it out there. */
static void who_says_hello_before_each_fetch_is_kept_one_answer(void **state) {
    (void)state;
    greet(8);
    greet(9);
    publish(9, 1);
    keeps = true;
    fetch(8, "a");
    assert_int_equal(kept_count, 1);
    for (uint8_t i = 0; i < 5; i++) {
        greet_as(8, i % 2 ? 8 : 7); /* as the same and as another */
        fetch(8, "a");
        assert_int_equal(fetched_code, FOB_LIMIT);
    }
    fob_fetches_stats_t fetches;
    fob_fetches_stats(fob_service_fetches(service), &fetches);
    assert_int_equal(fetches.served, 1);
    assert_int_equal(kept_count, 6); /* the refusals are empty */
    assert_true(fetches.unsent > 0);
    while (kept_count > 0)
        fob_blob_unref(&kept[--kept_count]);
    fetch(8, "a");
    assert_int_equal(fetched_code, FOB_OK);
}

FOB_MAIN(FOB_CASE_WITH(who_says_hello_before_each_fetch_is_kept_one_answer, setup, teardown),
         FOB_CASE_WITH(a_fetch_is_answered_from_the_journal, setup, teardown),
         FOB_CASE_WITH(whether_a_pattern_is_whole_is_answered_by_the_last_event_of_each_topic,
                       setup, teardown),
         FOB_CASE_WITH(who_fetches_on_and_on_has_its_beats_all_the_same, setup, teardown),
         FOB_CASE_WITH(who_broke_off_is_fetched_nothing, setup, teardown))
