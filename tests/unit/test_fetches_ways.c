/* Other ways to begin than an offset: a time, each topic's last event; and what is asked of topics
 * only. */
#include "tests/support/case.h"

#include "fetch_kit.h"

#include <stdlib.h>

/* --- a time --- */

/* Ten events a record, a record each 10 ms from 1000 on; some are copies of old events. */
static void fill_times(size_t records) {
    static const char *const topics[] = {"a", "b"};
    for (size_t i = 0; i < records; i++) {
        kit_stamp(1000 + 10 * (int64_t)i);
        if (i % 7 == 3)
            kit_moved();
        kit_events(topics, 2, 10, 500);
    }
}

static const kit_answer_t *ask_time(int64_t ms) {
    kit_ask_for(&(fob_fetch_t){.conn = 1, .pattern = fob_slice_str(">"), .time_ms = ms});
    return kit_wait(kit.answer_count + 1);
}

/* The first event that was stored at that time or later. */
static uint64_t offset_of(int64_t ms, size_t records) {
    uint64_t offset = 1;
    for (size_t i = 0; i < records; i++) {
        offset += i % 7 == 3;
        if (1000 + 10 * (int64_t)i >= ms)
            break;
        offset += 10;
    }
    return offset;
}

static void history_begins_with_the_first_event_of_a_time_or_later(void **state) {
    (void)state;
    fill_times(300);
    for (int64_t ms = 900; ms < 1000 + 2990; ms += 97) {
        size_t reads = kit.reads;
        const kit_answer_t *answer = ask_time(ms);
        assert_int_equal(answer->offsets[0], offset_of(ms, 300));
        assert_true(answer->next > answer->offsets[answer->count - 1]);
        assert_true(kit.reads - reads <= 12);
    }
}

static void a_time_at_which_nothing_was_stored_yet_begins_behind_the_head(void **state) {
    (void)state;
    assert_int_equal(ask_time(1000)->next, 1);
    fill_times(20);
    const kit_answer_t *answer = ask_time(5000);
    assert_int_equal(answer->count, 0);
    assert_int_equal(answer->next, kit.head + 1);
    assert_int_equal(answer->gone_count, 0);
}

static void a_time_before_retention_begins_with_what_is_left(void **state) {
    (void)state;
    fill_times(300);
    kit_trim(1500);
    const kit_answer_t *answer = ask_time(1100);
    assert_in_range(answer->offsets[0], 1490, 1501);
    answer = ask_time(3000);
    assert_int_equal(answer->offsets[0], offset_of(3000, 300));
    assert_int_equal(answer->gone_count, 0);
}

static void what_is_stored_while_a_time_is_looked_for_is_looked_at_too(void **state) {
    (void)state;
    for (int later = 0; later <= 1; later++) {
        fill_times(3);
        kit_ask_for(&(fob_fetch_t){.conn = 1, .pattern = fob_slice_str(">"), .time_ms = 5000});
        kit_round(0); /* the search has its bounds */
        kit_stamp(4000);
        kit_event("a");
        kit_stamp(6000);
        uint64_t found = later ? kit_event("a") : kit.head + 1;
        const kit_answer_t *answer = kit_wait((size_t)later + 1);
        assert_int_equal(answer->count, later);
        assert_int_equal(answer->next, found + (uint64_t)later);
        assert_true(!later || answer->offsets[0] == found);
    }
}

static void a_time_is_found_beside_damage(void **state) {
    (void)state;
    fill_times(300);
    kit_damage(1200, 1800);
    for (int64_t ms = 1000; ms < 1000 + 2990; ms += 97) {
        const kit_answer_t *answer = ask_time(ms);
        uint64_t want = offset_of(ms, 300);
        if (want < 1190 || want > 1815)
            assert_int_equal(answer->offsets[0], want);
        else /* in the damage: nothing of before, and all behind it */
            assert_in_range(answer->offsets[0], want, 1815);
    }
}

/* --- the last event of each topic --- */

static uint64_t event(unsigned topic) {
    static const char pad[] = "lasts";
    char name[32];
    snprintf(name, sizeof name, "%s.%u.x", pad, topic);
    return kit_event(name);
}

static void ask_latest(uint64_t conn, const char *pattern, uint64_t from) {
    kit_ask_for(&(fob_fetch_t){
        .conn = conn, .pattern = fob_slice_str(pattern), .from = from, .latest = true});
}

static void each_topics_last_event_comes_and_no_other(void **state) {
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        event(i % 5);
    event(2);
    kit_event("other");
    ask_latest(1, "lasts.*.x", 1);
    const kit_answer_t *answer = kit_wait(1);
    const uint64_t offsets[] = {16, 17, 19, 20, 21};
    assert_int_equal(answer->count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(answer->offsets[i], offsets[i]);
    assert_string_equal(answer->topics[4], "lasts.2.x");
    assert_int_equal(answer->next, 23);
    assert_true(answer->next > answer->head);
    ask_latest(1, "lasts.3.x", 1);
    answer = kit_wait(2);
    assert_int_equal(answer->count, 1);
    assert_int_equal(answer->offsets[0], 19);
    ask_latest(1, "lasts.3.x", 20);
    assert_int_equal(kit_wait(3)->count, 0);
}

static void more_topics_than_an_answer_lists_come_page_after_page_each_once(void **state) {
    (void)state;
    const unsigned many = 3 * FOB_LATEST_LISTED;
    kit_know(2 * many);
    for (unsigned i = 0; i < 3 * many; i++)
        event(i % many);
    uint64_t next = 1, got = 0, head;
    do {
        ask_latest(1, ">", next);
        const kit_answer_t *answer = kit_wait(kit.answer_count + 1);
        for (size_t i = 0; i < answer->count; i++)
            assert_int_equal(answer->offsets[i], 2 * many + 1 + got++);
        next = answer->next;
        head = answer->head;
        if (kit.answer_count == 1)
            event(0); /* was told, and is told again */
    } while (next <= head);
    assert_int_equal(got, many + 1);
}

static void they_are_found_where_they_lie_without_reading_all_between(void **state) {
    (void)state;
    static const char *const bulk[] = {"bulk"};
    event(1);
    for (int i = 0; i < 400; i++)
        kit_events(bulk, 1, 100, 500); /* 20 MiB */
    event(2);
    ask_latest(1, "lasts.>", 1);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 2);
    assert_int_equal(answer->offsets[0], 1);
    assert_int_equal(answer->offsets[1], 40002);
    assert_int_equal(kit.reads, 2);
}

static void one_that_is_not_durable_yet_is_waited_for(void **state) {
    (void)state;
    event(1);
    event(2);
    kit.given = kit.head;
    kit.head = 1;
    ask_latest(1, ">", 1);
    for (int i = 0; i < 5; i++)
        kit_round(1);
    assert_int_equal(kit.answer_count, 0);
    assert_true(fob_fetches_deadline(kit.fetches) == FOB_NEVER);
    kit.head = 2;
    kit_round(0); /* the journal has news */
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 2);
    assert_int_equal(answer->next, 3);
}

static void of_topics_that_nobody_knows_the_last_event_comes_last(void **state) {
    (void)state;
    kit_know(3);
    for (unsigned i = 0; i < 60; i++)
        event(i % 6);
    ask_latest(1, ">", 1);
    const kit_answer_t *answer = kit_wait(1);
    uint64_t last[6] = {0};
    for (size_t i = 0; i < answer->count; i++)
        last[answer->topics[i][6] - '0'] = answer->offsets[i];
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(last[i], 55 + i);
    assert_int_equal(answer->next, 61);
    assert_int_equal(answer->floor, 57); /* three are known: older events lie up to there only */
}

static void a_last_event_that_cannot_be_had_is_told_as_gone(void **state) {
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        event(i);
    kit_trim(4);
    kit_spoil(6);
    ask_latest(1, ">", 1);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 6);
    assert_int_equal(answer->gone_count, 2);
    assert_int_equal(answer->gone[0][0], 1);
    assert_int_equal(answer->gone[0][1], 3);
    assert_int_equal(answer->gone[1][0], 6);
    assert_true(!answer->gone[0][2] && answer->gone[1][2]); /* by damage */
}

static void
more_damaged_last_events_than_an_answer_has_rows_for_are_told_in_the_next(void **state) {
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        event(i);
    for (uint64_t offset = 2; offset <= 100; offset += 2)
        kit_spoil(offset);
    uint64_t next = 1, got = 0, gone = 0;
    while (next <= kit.head) {
        ask_latest(1, ">", next);
        const kit_answer_t *answer = kit_wait(kit.answer_count + 1);
        for (size_t i = 0; i < answer->count; i++)
            assert_int_equal(answer->offsets[i], 2 * got++ + 1);
        for (size_t i = 0; i < answer->gone_count; i++)
            assert_int_equal(answer->gone[i][0], 2 * ++gone);
        assert_true(answer->next > next);
        next = answer->next;
    }
    assert_int_equal(got, 50);
    assert_int_equal(gone, 50);
    assert_int_equal(kit.answer_count, 4);
}

static void one_at_a_time_is_served_and_each_has_its_turn(void **state) {
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        event(i);
    for (uint64_t conn = 1; conn <= 5; conn++)
        ask_latest(conn, ">", 1);
    kit_ask(6, ">", 1, 0);
    kit.held = true;
    kit_round(0); /* the first one's read is under way */
    fob_fetches_forget(kit.fetches, 1);
    fob_fetches_forget(kit.fetches, 3);
    kit.held = false;
    kit_wait(4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(kit.answers[i].count, 10);
}

static void limit_and_dry_hold_here_too(void **state) {
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        event(i);
    kit_ask_for(&(fob_fetch_t){.conn = 1,
                               .pattern = fob_slice_str(">"),
                               .from = 1,
                               .limit = 4,
                               .latest = true,
                               .dry = true});
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 4);
    assert_int_equal(answer->bytes, 0);
    assert_int_equal(answer->next, 5);
    assert_int_equal(answer->head, 10);
}

static void since_a_time_the_last_events_only(void **state) {
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        kit_stamp(1000 + i);
        event(i % 50);
    }
    kit_ask_for(
        &(fob_fetch_t){.conn = 1, .pattern = fob_slice_str(">"), .time_ms = 1090, .latest = true});
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 10);
    assert_int_equal(answer->offsets[0], 91);
}

/* --- whether it is whole --- */

static void questions_of_wholeness_are_answered_in_turn_and_paid_for(void **state) {
    (void)state;
    fob_whole_t whole;
    size_t answered = 0;
    for (uint64_t conn = 1; conn <= 100; conn++)
        assert_int_equal(kit_ask_whole(conn), FOB_OK);
    assert_int_equal(kit_ask_whole(5), FOB_LIMIT);
    fob_fetches_forget(kit.fetches, 6);
    while (answered < 99) {
        int64_t at = fob_fetches_deadline(kit.fetches), now = FOB_SEC + kit.ms * FOB_MS;
        assert_true(at != FOB_NEVER);
        kit.ms += at <= now ? 0 : (at - now + FOB_MS - 1) / FOB_MS;
        fob_fetches_round(kit.fetches, (fob_now_t){.mono_ns = FOB_SEC + kit.ms * FOB_MS}, 0);
        size_t before = answered;
        for (; fob_fetches_whole(kit.fetches, &whole); answered++) {
            assert_int_equal(whole.conn, answered + 1 + (answered >= 5));
            assert_int_equal(whole.from, 7);
            assert_true(fob_slice_eq(whole.pattern, fob_slice_str("a.*")));
            fob_blob_t *body = fob_fetches_answer(kit.fetches, &whole, (fob_slice_t){0}, 16384);
            assert_non_null(body);
            fob_blob_unref(&body);
        }
        assert_true(answered <= before + 1); /* that was a lot to look at */
    }
    assert_in_range(kit.ms, 250, 600); /* 50 MiB of the work's worth */
    assert_int_equal(kit_ask_whole(6), FOB_OK);
}

static void who_asks_for_wholeness_on_and_on_leaves_half_to_those_who_fetch(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2000; i++)
        event(i % 50);
    kit.looks = 16384;
    kit_ask(1, ">", 1, 0);
    kit_ask(2, ">", 1500, 0);
    for (size_t rounds = 0; kit.answer_count < 20; rounds++) {
        for (uint64_t conn = 3; conn <= 5; conn++) {
            fob_status_t asked = kit_ask_whole(conn);
            assert_true(asked == FOB_OK || asked == FOB_LIMIT);
        }
        size_t before = kit.answer_count;
        kit_round(1);
        for (; before < kit.answer_count; before++)
            kit_ask(kit.answers[before].conn, ">", kit.answers[before].offsets[0], 0);
        assert_true(rounds < 1000);
    }
    assert_in_range(kit.wholes, 10, 100); /* and the other way round */
}

static void one_whose_wholeness_is_unsent_is_told_no_more(void **state) {
    (void)state;
    fob_whole_t whole;
    assert_int_equal(kit_ask_whole(1), FOB_OK);
    fob_fetches_round(kit.fetches, (fob_now_t){.mono_ns = FOB_SEC}, 0);
    assert_true(fob_fetches_whole(kit.fetches, &whole));
    fob_blob_t *body = fob_fetches_answer(kit.fetches, &whole, (fob_slice_t){0}, 1);
    assert_int_equal(kit_ask_whole(1), FOB_LIMIT);
    fob_blob_unref(&body);
    assert_int_equal(kit_ask_whole(1), FOB_OK);
}

FOB_MAIN(
    FOB_CASE_WITH(history_begins_with_the_first_event_of_a_time_or_later, kit_begin, kit_end),
    FOB_CASE_WITH(a_time_at_which_nothing_was_stored_yet_begins_behind_the_head, kit_begin,
                  kit_end),
    FOB_CASE_WITH(a_time_before_retention_begins_with_what_is_left, kit_begin, kit_end),
    FOB_CASE_WITH(what_is_stored_while_a_time_is_looked_for_is_looked_at_too, kit_begin, kit_end),
    FOB_CASE_WITH(a_time_is_found_beside_damage, kit_begin, kit_end),
    FOB_CASE_WITH(each_topics_last_event_comes_and_no_other, kit_begin, kit_end),
    FOB_CASE_WITH(more_topics_than_an_answer_lists_come_page_after_page_each_once, kit_begin,
                  kit_end),
    FOB_CASE_WITH(they_are_found_where_they_lie_without_reading_all_between, kit_begin, kit_end),
    FOB_CASE_WITH(one_that_is_not_durable_yet_is_waited_for, kit_begin, kit_end),
    FOB_CASE_WITH(of_topics_that_nobody_knows_the_last_event_comes_last, kit_begin, kit_end),
    FOB_CASE_WITH(a_last_event_that_cannot_be_had_is_told_as_gone, kit_begin, kit_end),
    FOB_CASE_WITH(more_damaged_last_events_than_an_answer_has_rows_for_are_told_in_the_next,
                  kit_begin, kit_end),
    FOB_CASE_WITH(one_at_a_time_is_served_and_each_has_its_turn, kit_begin, kit_end),
    FOB_CASE_WITH(limit_and_dry_hold_here_too, kit_begin, kit_end),
    FOB_CASE_WITH(since_a_time_the_last_events_only, kit_begin, kit_end),
    FOB_CASE_WITH(questions_of_wholeness_are_answered_in_turn_and_paid_for, kit_begin, kit_end),
    FOB_CASE_WITH(who_asks_for_wholeness_on_and_on_leaves_half_to_those_who_fetch, kit_begin,
                  kit_end),
    FOB_CASE_WITH(one_whose_wholeness_is_unsent_is_told_no_more, kit_begin, kit_end))
