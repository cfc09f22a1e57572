/* Those who fetch what they missed: each gets all of its pattern, or the exact range that is gone;
 * and all together cost a bounded share. */
#include "tests/support/case.h"

#include "fetch_kit.h"

#include <stdlib.h>

static const char *const shop[] = {"shop.eu.placed", "shop.us.placed", "shop.eu.paid", "other"};

static void fill(size_t records, uint32_t events, size_t data) {
    for (size_t i = 0; i < records; i++)
        kit_events(shop, 4, events, data);
}

/* --- what is in an answer --- */

static void all_events_of_a_pattern_come_in_order_page_after_page(void **state) {
    (void)state;
    uint64_t next = 1, got = 0;
    fill(40, 100, 500); /* 2 MiB */
    while (next <= kit.head) {
        kit_ask(1, ">", next, 0);
        const kit_answer_t *answer = kit_wait(kit.answer_count + 1);
        assert_true(answer->bytes <= FOB_GATHER_BYTES && answer->next > next);
        for (size_t i = 0; i < answer->count; i++) {
            assert_int_equal(answer->offsets[i], ++got);
            assert_string_equal(answer->topics[i], shop[(got - 1) % 100 % 4]);
        }
        assert_int_equal(answer->next, got + 1);
        next = answer->next;
    }
    assert_int_equal(got, 4000);
    assert_in_range(kit.answer_count, 8, 20);
}

static void a_wildcard_in_the_middle_takes_what_it_matches_and_no_more(void **state) {
    (void)state;
    fill(1, 8, 8);
    kit_ask(1, "shop.*.placed", 1, 0);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 4);
    assert_int_equal(answer->runs, 2);
    const uint64_t offsets[] = {1, 2, 5, 6};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(answer->offsets[i], offsets[i]);
    assert_int_equal(answer->next, 9);
}

static void an_event_larger_than_an_answer_goes_alone(void **state) {
    (void)state;
    kit_event("a");
    kit_events(&shop[0], 1, 1, 2 * FOB_GATHER_BYTES);
    kit_event("b");
    for (uint64_t offset = 1; offset <= 3; offset++) {
        kit_ask(1, ">", offset, 0);
        const kit_answer_t *answer = kit_wait(offset);
        assert_int_equal(answer->count, 1);
        assert_int_equal(answer->offsets[0], offset);
    }
}

static void limit_upto_and_from_bound_what_comes(void **state) {
    (void)state;
    fill(3, 10, 8);
    kit_ask_for(&(fob_fetch_t){
        .conn = 1, .req = 5, .pattern = fob_slice_str("shop.eu.placed"), .from = 2, .limit = 3});
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->req, 5);
    assert_int_equal(answer->count, 3);
    assert_int_equal(answer->offsets[0], 5);
    assert_int_equal(answer->offsets[2], 11);
    assert_int_equal(answer->next, 15); /* the next that it would have got */
    kit_ask(1, ">", 12, 14);
    answer = kit_wait(2);
    assert_int_equal(answer->count, 3);
    assert_int_equal(answer->offsets[0], 12);
    assert_int_equal(answer->next, 15);
    assert_int_equal(answer->head, 30);
}

static void a_dry_one_gets_runs_without_events(void **state) {
    (void)state;
    fill(20, 100, 2000);
    kit_ask_for(
        &(fob_fetch_t){.conn = 1, .req = 5, .pattern = fob_slice_str(">"), .from = 3, .dry = true});
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->bytes, 0);
    assert_int_equal(answer->offsets[0], 3);
    assert_true(answer->count > 100);
}

static void where_there_is_nothing_yet_the_answer_comes_without_reading(void **state) {
    (void)state;
    kit_ask(1, ">", 1, 0);
    assert_int_equal(kit_wait(1)->next, 1);
    fill(1, 8, 8);
    kit_ask(1, ">", 9, 0);
    assert_int_equal(kit_wait(2)->next, 9);
    kit_ask(1, ">", 1000, 0);
    assert_int_equal(kit_wait(3)->next, 1000);
    kit_ask(1, ">", 5, 4);
    const kit_answer_t *answer = kit_wait(4);
    assert_int_equal(answer->next, 5);
    assert_int_equal(answer->head, 8);
    assert_int_equal(kit.reads, 0);
}

/* --- what cannot be had --- */

static void what_retention_took_is_told_as_gone_and_the_rest_comes(void **state) {
    (void)state;
    fill(10, 10, 8);
    kit_trim(51);
    kit_ask(1, ">", 11, 0);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->gone_count, 1);
    assert_int_equal(answer->gone[0][0], 11);
    assert_int_equal(answer->gone[0][1], 50);
    assert_int_equal(answer->gone[0][2], 0);
    assert_int_equal(answer->offsets[0], 51);
    assert_int_equal(answer->count, 50);
    assert_int_equal(answer->next, 101);
}

static void where_all_is_gone_the_range_ends_at_the_head(void **state) {
    (void)state;
    fill(10, 10, 8);
    kit_trim(101);
    kit_ask(1, ">", 1, 0);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 0);
    assert_int_equal(answer->gone[0][0], 1);
    assert_int_equal(answer->gone[0][1], 100);
    assert_int_equal(answer->next, 101);
}

static void gone_ranges_end_where_what_was_asked_for_ends(void **state) {
    (void)state;
    fill(10, 10, 8);
    kit_trim(51);
    kit_ask(1, ">", 11, 20);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->gone[0][1], 20);
    assert_int_equal(answer->next, 21);
}

static void damage_in_the_middle_is_told_as_gone(void **state) {
    (void)state;
    fill(10, 10, 8);
    kit_damage(31, 50);
    kit_spoil(75);
    uint64_t next = 1, got = 0, gone = 0;
    while (next <= kit.head) {
        kit_ask(1, ">", next, 0);
        const kit_answer_t *answer = kit_wait(kit.answer_count + 1);
        for (size_t i = 0; i < answer->gone_count; i++) {
            bool first = answer->gone[i][0] == 31 && answer->gone[i][1] == 50;
            bool second = answer->gone[i][0] == 71 && answer->gone[i][1] == 80;
            assert_true((first || second) && answer->gone[i][2] == 1);
            gone += answer->gone[i][1] - answer->gone[i][0] + 1;
        }
        got += answer->count;
        next = answer->next;
    }
    assert_int_equal(got, 70);
    assert_int_equal(gone, 30);
}

static void damage_beside_damage_is_one_range(void **state) {
    (void)state;
    fill(10, 10, 8);
    kit_spoil(31);
    kit_spoil(41);
    kit_spoil(51);
    kit_ask(1, ">", 21, 0);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->gone_count, 1);
    assert_int_equal(answer->gone[0][0], 31);
    assert_int_equal(answer->gone[0][1], 60);
    assert_int_equal(answer->gone[0][2], 1);
    assert_int_equal(answer->count, 50);
    assert_int_equal(answer->offsets[10], 61);
}

static void who_names_no_offset_begins_with_the_first_there_was(void **state) {
    (void)state;
    fill(10, 10, 8);
    kit_trim(31);
    kit_ask(1, ">", 0, 0);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->gone_count, 1);
    assert_int_equal(answer->gone[0][0], 1);
    assert_int_equal(answer->gone[0][1], 30);
    assert_int_equal(answer->offsets[0], 31);
    assert_int_equal(answer->count, 70);
}

static void copies_of_old_events_are_no_history(void **state) {
    (void)state;
    kit_event("a");
    kit_moved();
    kit_moved();
    kit_event("a");
    kit_ask(1, ">", 1, 0);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 2);
    assert_int_equal(answer->offsets[1], 4);
    assert_int_equal(answer->gone_count, 0);
    kit_ask(1, ">", 2, 3);
    assert_int_equal(kit_wait(2)->next, 4);
}

static void more_holes_than_an_answer_has_rows_for_are_told_in_the_next(void **state) {
    (void)state;
    fill(100, 1, 8);
    for (uint64_t offset = 2; offset <= 100; offset += 2)
        kit_spoil(offset);
    uint64_t next = 1, gone = 0;
    while (next <= kit.head) {
        kit_ask(1, "nothing", next, 0);
        const kit_answer_t *answer = kit_wait(kit.answer_count + 1);
        gone += answer->gone_count;
        assert_true(answer->next > next);
        next = answer->next;
    }
    assert_int_equal(gone, 50);
    assert_int_equal(kit.answer_count, 4);
}

/* --- how they share --- */

static void a_hundred_at_the_same_place_cost_one_read(void **state) {
    (void)state;
    fill(30, 100, 500);
    for (uint64_t conn = 1; conn <= 100; conn++)
        kit_ask(conn, conn % 2 ? ">" : "shop.>", 201, 0);
    kit_wait(100);
    assert_int_equal(kit.reads, 1);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(kit.answers[i].offsets[0], 201);
}

static void those_at_different_places_take_turns(void **state) {
    (void)state;
    fill(60, 100, 500);
    uint64_t next[3] = {1, 2001, 4001}, turns[3] = {0};
    for (uint64_t conn = 1; conn <= 3; conn++)
        kit_ask(conn, ">", next[conn - 1], 0);
    for (size_t i = 1; i <= 9; i++) {
        const kit_answer_t *answer = kit_wait(i);
        turns[answer->conn - 1]++;
        kit_ask(answer->conn, ">", answer->next, 0);
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(turns[i], 3);
}

/* One that asks for the same place again and again, and is there in memory each time. */
static void one_that_stays_where_the_page_is_keeps_nobody_out(void **state) {
    (void)state;
    fill(60, 100, 500);
    kit_ask(1, ">", 1, 10);
    kit_ask(2, ">", 4001, 4010);
    for (size_t i = 1; i <= 10; i++) {
        const kit_answer_t *answer = kit_wait(i);
        if (answer->conn == 2)
            return;
        kit_ask(1, ">", 1, 10);
    }
    fail_msg("the other one waits for ever");
}

static void while_the_disk_reads_others_are_served_from_memory(void **state) {
    (void)state;
    fill(60, 100, 500);
    kit_ask(1, ">", 1, 10);
    kit_wait(1);
    kit.held = true;
    kit_ask(2, ">", 4001, 0);
    kit_round(0);
    assert_int_equal(kit.asked, 4001);
    kit_ask(3, ">", 5, 20);
    assert_int_equal(kit_wait(2)->conn, 3);
    kit.held = false;
    assert_int_equal(kit_wait(3)->conn, 2);
}

static void a_round_serves_no_more_than_a_page(void **state) {
    (void)state;
    fill(30, 100, 500);
    for (uint64_t conn = 1; conn <= 20; conn++)
        kit_ask(conn, ">", 1, 0);
    kit_wait(1);
    for (size_t served = kit.answer_count; served < 20; served = kit.answer_count) {
        kit_round(1);
        assert_true(kit.answer_count <= served + 2);
    }
}

static void all_of_them_together_keep_to_the_rate(void **state) {
    (void)state;
    uint64_t bytes = 0;
    kit_rate(1 << 20);
    fill(400, 100, 500);
    for (uint64_t conn = 1; conn <= 10; conn++)
        kit_ask(conn, ">", 1 + 4000 * (conn - 1), 0);
    int64_t began = kit.ms;
    for (size_t i = 1; i <= 100; i++) {
        const kit_answer_t *answer = kit_wait(i);
        bytes += answer->bytes;
        kit_ask(answer->conn, ">", answer->next <= kit.head ? answer->next : 1, 0);
    }
    fob_fetches_stats_t stats;
    fob_fetches_stats(kit.fetches, &stats);
    uint64_t paid = bytes + stats.read_bytes, time_ms = (uint64_t)(kit.ms - began);
    assert_true(paid > (20u << 20));
    assert_true(paid <= FOB_FETCH_BURST + (1 << 20) + (1 << 20) * time_ms / 1000);
    assert_true(time_ms < 2 * 1000 * (paid >> 20)); /* and it is given, too */
    assert_int_equal(stats.served, 100);
    assert_int_equal(stats.bytes, bytes);
    assert_int_equal(stats.waiting, 10);
}

/* What one alone is served in two seconds, while so many events are published in each millisecond.
 */
static uint64_t served_beside(uint32_t published) {
    static const char *const topic[] = {"new"};
    uint64_t bytes = 0;
    kit_rate(8 << 20);
    kit_clear();
    kit_ask(1, "shop.>", 1, 0);
    for (int64_t end = kit.ms + 2000; kit.ms < end;) {
        if (published)
            kit_events(topic, 1, published, 8);
        kit_round(1);
        for (size_t i = 0; i < kit.answer_count; i++) {
            bytes += kit.answers[i].bytes;
            kit_ask(1, "shop.>", kit.answers[i].next < 20000 ? kit.answers[i].next : 1, 0);
        }
        kit_clear();
    }
    fob_fetches_forget(kit.fetches, 1);
    return bytes;
}

static void while_much_is_published_they_get_a_quarter_and_no_less(void **state) {
    (void)state;
    fill(300, 100, 500);
    uint64_t alone = served_beside(0), beside = served_beside(200), flooded = served_beside(500);
    assert_true(beside < alone / 2 && flooded < alone / 2);
    assert_true(flooded > alone / 8);
}

static void a_pattern_that_nothing_matches_is_answered_after_so_many_pages(void **state) {
    (void)state;
    fill(800, 100, 500); /* 40 MiB */
    kit_ask(1, "nothing", 1, 0);
    const kit_answer_t *answer = kit_wait(1);
    assert_int_equal(answer->count, 0);
    assert_in_range(kit.reads, FOB_FETCH_PAGES, FOB_FETCH_PAGES + 1);
    assert_in_range(answer->next, 20000, 60000);
}

/* --- what may go wrong --- */

static void the_second_of_a_connection_is_refused_until_the_first_has_its_answer(void **state) {
    (void)state;
    fob_fetch_t fetch = {.conn = 1, .pattern = fob_slice_str(">"), .from = 1};
    fill(1, 8, 8);
    kit_ask_for(&fetch);
    assert_int_equal(fob_fetches_add(kit.fetches, &fetch), FOB_LIMIT);
    kit_wait(1);
    kit_ask_for(&fetch);
    kit_wait(2);
}

static void who_did_not_take_its_answer_gets_no_second(void **state) {
    (void)state;
    fob_fetch_t fetch = {.conn = 1, .route = 5, .pattern = fob_slice_str(">"), .from = 1};
    fill(1, 8, 8);
    kit.keeps = true;
    kit_ask_for(&fetch);
    kit_wait(1);
    assert_int_equal(fob_fetches_add(kit.fetches, &fetch), FOB_LIMIT);
    kit_ask(2, ">", 1, 0); /* another does */
    fob_blob_unref(&kit.kept);
    kit_wait(2);
    kit_ask_for(&fetch);
    kit_wait(3);
    assert_int_equal(fob_fetches_add(kit.fetches, &fetch), FOB_LIMIT);
}

/* Each HELLO makes a connection of it, but the answer waits in the same pipe. */
static void who_did_not_take_its_answer_gets_no_second_by_another_hello(void **state) {
    (void)state;
    fob_fetch_t fetch = {.conn = 1, .route = 5, .pattern = fob_slice_str(">"), .from = 1};
    fill(1, 8, 8);
    kit.keeps = true;
    kit_ask_for(&fetch);
    kit_wait(1);
    for (uint64_t hellos = 1; hellos < 5; hellos++) {
        fob_fetches_forget(kit.fetches, fetch.conn);
        fetch.conn = hellos << 32 | 1;
        assert_int_equal(fob_fetches_add(kit.fetches, &fetch), FOB_LIMIT);
    }
    fetch.route = 6; /* another client, in its place */
    fob_blob_t *first = kit.kept;
    kit.kept = NULL;
    kit_ask_for(&fetch);
    kit_wait(2);
    fetch.conn++;
    fetch.route = 5;
    assert_int_equal(fob_fetches_add(kit.fetches, &fetch), FOB_LIMIT);
    fob_blob_unref(&first);
    kit_ask_for(&fetch);
    kit_wait(3);
}

static void a_connection_that_ends_gets_nothing_more(void **state) {
    (void)state;
    fill(30, 100, 500);
    kit_ask(1, ">", 1, 0);
    kit_ask(2, ">", 2000, 0);
    kit_ask(3, ">", 1, 0);
    kit.held = true;
    kit_round(0); /* the read is under way for the first */
    fob_fetches_forget(kit.fetches, 1);
    fob_fetches_forget(kit.fetches, 3);
    fob_fetches_forget(kit.fetches, 77);
    kit.held = false;
    assert_int_equal(kit_wait(1)->conn, 2);
    kit_round(0);
    kit_round(0);
    assert_int_equal(kit.answer_count, 1);
    kit_ask((UINT64_C(5) << 32) | 1, ">", 1, 0); /* another connection in the first one's slot */
    kit_wait(2);
}

static void what_the_system_refused_is_read_again_a_little_later(void **state) {
    (void)state;
    fill(1, 8, 8);
    kit.fails = FOB_JOURNAL_SYSTEM;
    kit_ask(1, ">", 1, 0);
    for (int i = 0; i < 3; i++)
        kit_round(0);
    assert_int_equal(kit.reads, 1);
    kit.fails = FOB_JOURNAL_OK;
    kit_round(50);
    assert_int_equal(kit.answer_count, 0);
    assert_int_equal(kit_wait(1)->count, 8);
}

static void while_groups_read_it_asks_again_after_a_moment(void **state) {
    (void)state;
    fill(1, 8, 8);
    kit.busy = true;
    kit_ask(1, ">", 1, 0);
    kit_round(0);
    assert_true(fob_fetches_deadline(kit.fetches) > FOB_SEC + kit.ms * FOB_MS);
    kit_round(5);
    assert_int_equal(kit.reads, 0);
    kit.busy = false;
    assert_int_equal(kit_wait(1)->count, 8);
}

static void nothing_is_wanted_of_it_while_nobody_waits(void **state) {
    (void)state;
    fill(1, 8, 8);
    assert_true(fob_fetches_deadline(kit.fetches) == FOB_NEVER);
    kit_ask(1, ">", 1, 0);
    kit_wait(1);
    assert_true(fob_fetches_deadline(kit.fetches) > FOB_SEC + kit.ms * FOB_MS);
    kit_round(2000); /* the page is given back */
    assert_true(fob_fetches_deadline(kit.fetches) == FOB_NEVER);
}

FOB_MAIN(
    FOB_CASE_WITH(all_events_of_a_pattern_come_in_order_page_after_page, kit_begin, kit_end),
    FOB_CASE_WITH(a_wildcard_in_the_middle_takes_what_it_matches_and_no_more, kit_begin, kit_end),
    FOB_CASE_WITH(an_event_larger_than_an_answer_goes_alone, kit_begin, kit_end),
    FOB_CASE_WITH(limit_upto_and_from_bound_what_comes, kit_begin, kit_end),
    FOB_CASE_WITH(a_dry_one_gets_runs_without_events, kit_begin, kit_end),
    FOB_CASE_WITH(where_there_is_nothing_yet_the_answer_comes_without_reading, kit_begin, kit_end),
    FOB_CASE_WITH(what_retention_took_is_told_as_gone_and_the_rest_comes, kit_begin, kit_end),
    FOB_CASE_WITH(where_all_is_gone_the_range_ends_at_the_head, kit_begin, kit_end),
    FOB_CASE_WITH(gone_ranges_end_where_what_was_asked_for_ends, kit_begin, kit_end),
    FOB_CASE_WITH(damage_in_the_middle_is_told_as_gone, kit_begin, kit_end),
    FOB_CASE_WITH(damage_beside_damage_is_one_range, kit_begin, kit_end),
    FOB_CASE_WITH(who_names_no_offset_begins_with_the_first_there_was, kit_begin, kit_end),
    FOB_CASE_WITH(copies_of_old_events_are_no_history, kit_begin, kit_end),
    FOB_CASE_WITH(more_holes_than_an_answer_has_rows_for_are_told_in_the_next, kit_begin, kit_end),
    FOB_CASE_WITH(a_hundred_at_the_same_place_cost_one_read, kit_begin, kit_end),
    FOB_CASE_WITH(those_at_different_places_take_turns, kit_begin, kit_end),
    FOB_CASE_WITH(one_that_stays_where_the_page_is_keeps_nobody_out, kit_begin, kit_end),
    FOB_CASE_WITH(while_the_disk_reads_others_are_served_from_memory, kit_begin, kit_end),
    FOB_CASE_WITH(a_round_serves_no_more_than_a_page, kit_begin, kit_end),
    FOB_CASE_WITH(all_of_them_together_keep_to_the_rate, kit_begin, kit_end),
    FOB_CASE_WITH(while_much_is_published_they_get_a_quarter_and_no_less, kit_begin, kit_end),
    FOB_CASE_WITH(a_pattern_that_nothing_matches_is_answered_after_so_many_pages, kit_begin,
                  kit_end),
    FOB_CASE_WITH(the_second_of_a_connection_is_refused_until_the_first_has_its_answer, kit_begin,
                  kit_end),
    FOB_CASE_WITH(who_did_not_take_its_answer_gets_no_second, kit_begin, kit_end),
    FOB_CASE_WITH(who_did_not_take_its_answer_gets_no_second_by_another_hello, kit_begin, kit_end),
    FOB_CASE_WITH(a_connection_that_ends_gets_nothing_more, kit_begin, kit_end),
    FOB_CASE_WITH(what_the_system_refused_is_read_again_a_little_later, kit_begin, kit_end),
    FOB_CASE_WITH(while_groups_read_it_asks_again_after_a_moment, kit_begin, kit_end),
    FOB_CASE_WITH(nothing_is_wanted_of_it_while_nobody_waits, kit_begin, kit_end))
