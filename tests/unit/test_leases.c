/* The lease table, step by step. */
#include "support/case.h"

#include "leases_bench.h"
#include "subscribers/lease/asks.h"
#include "subscribers/lease/claims.h"

/* --- cases --- */

static void settles_of_neighbours_become_one_row_and_carry_the_credit(void **state) {
    (void)state;
    bench_t b = working(1, 4, 0);
    delivered(&b, 10, 4, 100, 4);
    for (uint64_t n = 10; n < 13; n++)
        settle(&b, next(&b, n), FOB_KIND_ACK, FOB_OK);
    settle(&b, next(&b, 13), FOB_KIND_REJECT, FOB_OK);
    fob_wire_t msg = sent(&b, FOB_VERB_SETTLE);
    assert_int_equal(msg.seq, 1);
    assert_int_equal(msg.credit, 8);
    rows_are(msg.runs, 4, "1 10 3 100|4 13 1 103");
    assert_false(fob_leases_flushed(b.leases));
    settled(&b, 1, NULL);
    assert_true(fob_leases_flushed(b.leases));
    fob_leases_destroy(&b.leases);
}

static void settles_in_any_order_join_where_they_touch(void **state) {
    (void)state;
    bench_t b = working(4, 4, 0);
    delivered(&b, 10, 4, 100, 4);
    fob_event_t *events[4];
    for (uint64_t n = 0; n < 4; n++)
        events[n] = next(&b, 10 + n);
    next_says(&b, FOB_AGAIN);
    settle(&b, events[2], FOB_KIND_ACK, FOB_OK);
    settle(&b, events[1], FOB_KIND_ACK, FOB_OK);
    settle(&b, events[3], FOB_KIND_ACK, FOB_OK);
    fob_wire_t msg = sent(&b, FOB_VERB_SETTLE);
    rows_are(msg.runs, 4, "1 11 3 101");
    settle(&b, events[0], FOB_KIND_RETRY, FOB_OK);
    fob_leases_destroy(&b.leases);
}

static void a_lone_settle_waits_a_moment_for_company_while_there_is_work(void **state) {
    (void)state;
    bench_t b = working(1, 100, 0);
    delivered(&b, 1, 50, 1, 50);
    settle(&b, next(&b, 1), FOB_KIND_ACK, FOB_OK);
    sends_nothing(&b);
    assert_int_equal(fob_leases_deadline(b.leases), b.now.mono_ns + FOB_MS);
    b.now.mono_ns += FOB_MS;
    rows_are(sent(&b, FOB_VERB_SETTLE).runs, 4, "1 1 1 1");
    settle(&b, next(&b, 2), FOB_KIND_ACK, FOB_OK);
    sends_nothing(&b);
    fob_leases_hurry(b.leases);
    rows_are(sent(&b, FOB_VERB_SETTLE).runs, 4, "1 2 1 2");
    fob_leases_destroy(&b.leases);
}

static void a_new_connection_claims_what_waits_is_out_or_has_no_answer(void **state) {
    (void)state;
    bench_t b = working(2, 10, 0);
    delivered(&b, 1, 5, 101, 5);
    fob_event_t *first = next(&b, 1), *second = next(&b, 2);
    settle(&b, first, FOB_KIND_ACK, FOB_OK);
    fob_leases_hurry(b.leases);
    assert_int_equal(sent(&b, FOB_VERB_SETTLE).seq, 1);
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "gone");
    next_says(&b, FOB_AGAIN);
    up(&b, 1);
    fob_wire_t join = sent(&b, FOB_VERB_JOIN);
    rows_are(join.runs, 3, "2 4 102|1 1 101");
    assert_int_equal(join.credit, 6); /* ten, less the one out and the three that wait */
    next_says(&b, FOB_AGAIN);         /* not before the bus has answered */
    joined(&b, (uint64_t[]){FOB_STALE, 2, 2, 102});
    assert_false(fob_leases_holds(b.leases, second));
    fob_wire_t again = sent(&b, FOB_VERB_SETTLE);
    assert_int_equal(again.seq, 1);
    rows_are(again.runs, 4, "1 1 1 101");
    assert_int_equal(again.credit, 8);
    settle(&b, second, FOB_KIND_ACK, FOB_STALE);
    fob_event_t *fourth = next(&b, 4); /* 3 was refused */
    assert_int_equal(fob_event_token(fourth), 104);
    assert_int_equal(fob_event_attempt(fourth), 2);
    fob_leases_destroy(&b.leases);
}

/* The bus takes the first `jobs` for begun. */
static void what_runs_is_claimed_before_what_waits(void **state) {
    (void)state;
    bench_t b = working(2, 10, 0);
    delivered(&b, 50, 2, 101, 2);
    delivered(&b, 7, 2, 103, 2);
    delivered(&b, 3, 2, 105, 2);
    fob_event_t *first = next(&b, 50);
    settle(&b, next(&b, 51), FOB_KIND_ACK, FOB_OK);
    fob_event_t *third = next(&b, 7);
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "gone");
    up(&b, 1);
    rows_are(sent(&b, FOB_VERB_JOIN).runs, 3, "50 1 101|7 2 103|3 2 105|51 1 102");
    joined(&b, NULL);
    settle(&b, first, FOB_KIND_ACK, FOB_OK);
    settle(&b, third, FOB_KIND_ACK, FOB_OK);
    fob_leases_destroy(&b.leases);
}

static void a_claim_that_is_gone_confirms_its_settle(void **state) {
    (void)state;
    bench_t b = working(1, 10, 0);
    delivered(&b, 1, 3, 1, 3);
    for (uint64_t n = 1; n <= 3; n++)
        settle(&b, next(&b, n), FOB_KIND_ACK, FOB_OK);
    (void)sent(&b, FOB_VERB_SETTLE);
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "gone");
    up(&b, 1);
    (void)sent(&b, FOB_VERB_JOIN);
    joined(&b, (uint64_t[]){FOB_GONE, 1, 2, 1});
    rows_are(sent(&b, FOB_VERB_SETTLE).runs, 4, "1 3 1 3");
    settled(&b, 1, (uint64_t[]){FOB_STALE, 3, 1, 3});
    assert_true(fob_leases_flushed(b.leases));
    assert_int_equal(fob_leases_refused(b.leases), 1);
    fob_leases_destroy(&b.leases);
}

static void what_is_lost_is_not_begun_and_makes_room(void **state) {
    (void)state;
    bench_t b = working(1, 10, 0);
    delivered(&b, 1, 10, 1, 10);
    fob_event_t *out = next(&b, 1);
    lost(&b, 3, 4, 3);
    lost(&b, 1, 1, 999); /* another token: not ours */
    assert_true(fob_leases_holds(b.leases, out));
    fob_leases_hurry(b.leases);
    fob_wire_t msg = sent(&b, FOB_VERB_SETTLE);
    assert_int_equal(msg.credit, 14);
    rows_are(msg.runs, 4, "3 3 1 3"); /* should it have counted as begun */
    settle(&b, out, FOB_KIND_ACK, FOB_OK);
    settle(&b, next(&b, 2), FOB_KIND_ACK, FOB_OK);
    settle(&b, next(&b, 7), FOB_KIND_ACK, FOB_OK);
    fob_leases_destroy(&b.leases);
}

static void nothing_is_begun_when_the_bus_falls_silent(void **state) {
    (void)state;
    bench_t b = working(1, 10, 0);
    delivered(&b, 1, 10, 1, 10);
    for (int halves = 1; halves <= 3; halves++) {
        b.now.mono_ns += BEAT / 2;
        fob_leases_round(b.leases, b.now, 10 * FOB_SEC);
    }
    settle(&b, next(&b, 1), FOB_KIND_ACK, FOB_OK);
    b.now.mono_ns += BEAT / 2;
    fob_leases_round(b.leases, b.now, 10 * FOB_SEC);
    next_says(&b, FOB_AGAIN);
    /* When it speaks again nobody knows what is still ours. */
    fob_leases_round(b.leases, b.now, b.now.mono_ns);
    next_says(&b, FOB_AGAIN);
    assert_non_null(fob_leases_restart(b.leases));
    assert_null(fob_leases_restart(b.leases));
    fob_leases_destroy(&b.leases);
}

/* The bus gives a lease away three beats after it heard from us. */
static void a_handler_learns_of_a_partition_before_the_bus_gives_its_event_away(void **state) {
    (void)state;
    bench_t b = working(1, 10, 0);
    delivered(&b, 1, 1, 1, 1);
    fob_event_t *event = next(&b, 1);
    int64_t heard = b.now.mono_ns;
    fob_leases_round(b.leases, b.now, heard);
    b.now.mono_ns += 3 * BEAT / 2;
    assert_true(fob_leases_sure(b.leases, b.now, event));
    b.now.mono_ns = heard + 2 * BEAT; /* the connection seems to be up */
    assert_false(fob_leases_sure(b.leases, b.now, event));
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "gone");
    assert_false(fob_leases_sure(b.leases, b.now, event));
    up(&b, 1); /* a bus is there again, but it has not said yet whose the event is */
    fob_leases_round(b.leases, b.now, b.now.mono_ns);
    assert_false(fob_leases_sure(b.leases, b.now, event));
    assert_true(fob_leases_holds(b.leases, event)); /* so it is claimed */
    rows_are(sent(&b, FOB_VERB_JOIN).runs, 3, "1 1 1");
    joined(&b, NULL);
    assert_true(fob_leases_sure(b.leases, b.now, event));
    settle(&b, event, FOB_KIND_ACK, FOB_OK);
    fob_leases_destroy(&b.leases);
}

/* The bus may have learnt of it first, and given the event to another at once. */
static void with_its_connection_a_handler_is_sure_of_nothing_until_the_bus_confirms(void **state) {
    (void)state;
    bench_t b = working(1, 10, 0);
    delivered(&b, 1, 1, 1, 1);
    fob_event_t *event = next(&b, 1);
    fob_leases_round(b.leases, b.now, b.now.mono_ns);
    assert_true(fob_leases_sure(b.leases, b.now, event));
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "gone");
    assert_false(fob_leases_sure(b.leases, b.now, event));
    assert_true(fob_leases_holds(b.leases, event)); /* so it is claimed */
    up(&b, 1);
    rows_are(sent(&b, FOB_VERB_JOIN).runs, 3, "1 1 1");
    joined(&b, NULL);
    assert_true(fob_leases_sure(b.leases, b.now, event));
    settle(&b, event, FOB_KIND_ACK, FOB_OK);
    fob_leases_destroy(&b.leases);
}

/* Rows that nothing joins, with the longest numbers there are. */
static void the_longest_claims_and_settles_fit_into_a_header(void **state) {
    (void)state;
    fob_settles_t settles = {0};
    fob_prefetch_t prefetch = {0};
    fob_holding_t holding = {0};
    fob_buf_t runs = {0}, header = {0};
    char name[FOB_NAME_MAX + 1];
    memset(name, 'g', FOB_NAME_MAX);
    name[FOB_NAME_MAX] = 0;
    fob_leases_options_t options = {.group = fob_slice_str(name),
                                    .pattern = fob_slice_str(name),
                                    .worker = fob_slice_str(name),
                                    .lease_ms = UINT64_MAX,
                                    .jobs = UINT32_MAX,
                                    .temporary = true};
    const uint64_t high = (uint64_t)1 << 62, wide = (uint64_t)1 << 33;
    fob_settle_how_t how = {.kind = FOB_KIND_RETRY, .after = high, .reason = fob_slice_str(name)};
    for (uint64_t i = 0; i < 5000; i++)
        assert_true(fob_settles_add(&settles, &how, high + i * 2 * wide, high, wide));
    fob_wire_t msg;
    fob_runs_t rows;
    assert_true(fob_claims_pack(&runs, &prefetch, &holding, &settles));
    assert_true(fob_ask_join(&header, &options, true, UINT64_MAX, fob_buf_slice(&runs)));
    assert_int_equal(fob_wire_read(fob_buf_slice(&header), &msg), FOB_OK);
    assert_true(fob_runs(msg.runs, &rows));
    assert_int_equal(rows.left, FOB_CLAIMS_MAX);
    size_t sent = 0;
    while (fob_settles_unsent(&settles)) {
        fob_slice_t reason;
        fob_buf_clear(&runs);
        uint64_t seq = fob_settles_send(&settles, &runs, &reason);
        assert_true(seq > 0);
        assert_int_equal(reason.size, FOB_REASON_MAX);
        assert_true(
            fob_ask_settle(&header, options.group, seq, fob_buf_slice(&runs), reason, UINT64_MAX));
        assert_int_equal(fob_wire_read(fob_buf_slice(&header), &msg), FOB_OK);
        assert_true(fob_runs(msg.runs, &rows));
        sent += rows.left;
    }
    assert_int_equal(sent, 5000);
    assert_int_equal(fob_settles_unsent(&settles), 0);
    fob_settles_free(&settles);
    fob_buf_free(&runs);
    fob_buf_free(&header);
}

static void a_process_that_stood_still_asks_before_it_goes_on(void **state) {
    (void)state;
    bench_t b = working(1, 10, 0);
    delivered(&b, 1, 10, 1, 10);
    b.now.mono_ns += 5 * BEAT / 4;
    next_says(&b, FOB_AGAIN); /* the application may be first to run */
    fob_leases_round(b.leases, b.now, b.now.mono_ns);
    next_says(&b, FOB_AGAIN);
    assert_non_null(fob_leases_restart(b.leases));
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "asked for");
    up(&b, 1);
    rows_are(sent(&b, FOB_VERB_JOIN).runs, 3, "1 10 1");
    joined(&b, NULL);
    settle(&b, next(&b, 1), FOB_KIND_ACK, FOB_OK);
    fob_leases_destroy(&b.leases);
}

static void a_count_is_never_exceeded_and_ends_once_all_is_settled(void **state) {
    (void)state;
    bench_t b = working(2, 10, 3);
    delivered(&b, 1, 3, 1, 3);
    fob_event_t *one = next(&b, 1), *two = next(&b, 2);
    settle(&b, one, FOB_KIND_ACK, FOB_OK);
    fob_event_t *three = next(&b, 3);
    settle(&b, two, FOB_KIND_ACK, FOB_OK);
    next_says(&b, FOB_AGAIN);
    settle(&b, three, FOB_KIND_ACK, FOB_OK);
    next_says(&b, FOB_CLOSED);
    assert_int_equal(sent(&b, FOB_VERB_SETTLE).credit, 0);
    sends_nothing(&b);
    fob_leases_destroy(&b.leases);
}

static void a_drain_releases_the_prefetch_and_leaves_at_last(void **state) {
    (void)state;
    bench_t b = working(1, 10, 0);
    delivered(&b, 1, 5, 1, 5);
    fob_event_t *out = next(&b, 1);
    fob_leases_drain(b.leases, b.now);
    next_says(&b, FOB_CLOSED);
    rows_are(sent(&b, FOB_VERB_SETTLE).runs, 4, "3 2 4 2");
    delivered(&b, 6, 1, 6, 1); /* was under way */
    rows_are(sent(&b, FOB_VERB_SETTLE).runs, 4, "3 6 1 6");
    settle(&b, out, FOB_KIND_ACK, FOB_OK);
    rows_are(sent(&b, FOB_VERB_SETTLE).runs, 4, "1 1 1 1");
    for (uint64_t seq = 1; seq <= 3; seq++)
        settled(&b, seq, NULL);
    (void)sent(&b, FOB_VERB_LEAVE);
    sends_nothing(&b);
    fob_leases_destroy(&b.leases);
}

static void another_epoch_voids_every_lease(void **state) {
    (void)state;
    bench_t b = working(1, 10, 0);
    delivered(&b, 1, 5, 1, 5);
    settle(&b, next(&b, 1), FOB_KIND_ACK, FOB_OK);
    fob_event_t *out = next(&b, 2);
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "gone");
    up(&b, 2);
    rows_are(sent(&b, FOB_VERB_JOIN).runs, 3, "");
    joined(&b, NULL);
    assert_false(fob_leases_holds(b.leases, out));
    assert_true(fob_leases_flushed(b.leases));
    assert_int_equal(fob_leases_refused(b.leases), 1);
    next_says(&b, FOB_AGAIN);
    settle(&b, out, FOB_KIND_ACK, FOB_STALE);
    fob_leases_destroy(&b.leases);
}

static void events_that_cannot_be_decoded_go_back_as_tried(void **state) {
    (void)state;
    bench_t b = working(1, 10, 0);
    delivered(&b, 1, 5, 1, 2);
    rows_are(sent(&b, FOB_VERB_SETTLE).runs, 4, "2 3 3 3");
    assert_string_not_equal(fob_leases_trouble(b.leases), "");
    settle(&b, next(&b, 1), FOB_KIND_ACK, FOB_OK);
    settle(&b, next(&b, 2), FOB_KIND_ACK, FOB_OK);
    next_says(&b, FOB_AGAIN);
    fob_leases_destroy(&b.leases);
}

/* Found by the fuzzer: an event at offset 0 was handed out. */
static void a_delivery_that_cannot_be_a_lease_is_not_handed_out(void **state) {
    (void)state;
    bench_t b = working(2, 10, 0);
    delivered(&b, 0, 1, 5, 1);
    delivered(&b, 5, 1, 0, 1);
    delivered(&b, UINT64_MAX, 1, 6, 1);
    next_says(&b, FOB_AGAIN);
    assert_non_null(strstr(fob_leases_trouble(b.leases), "cannot be a lease"));
    delivered(&b, UINT64_C(1) << 60, 1, UINT64_C(1) << 60, 1);
    settle(&b, next(&b, UINT64_C(1) << 60), FOB_KIND_ACK, FOB_OK);
    fob_leases_destroy(&b.leases);
}

static void what_makes_no_sense_changes_nothing(void **state) {
    (void)state;
    bench_t b = working(1, 10, 0);
    fob_wire_t msg = {.verb = FOB_VERB_DELIVER};
    FOB_SET(&msg, group, fob_slice_str("g"));
    FOB_SET(&msg, runs, fob_slice_str("\xc1"));
    fob_leases_input(b.leases, b.now, &msg, NULL);
    input(&b, &msg, &msg.runs, FOB_FIELD_runs, (uint64_t[]){1, 0, 1, 1, 1}, 5, NULL);
    lost(&b, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    lost(&b, 7, 3, 7);
    settled(&b, 77, NULL);
    settled(&b, 0, (uint64_t[]){FOB_GONE, 1, UINT64_MAX, 1});
    joined(&b, (uint64_t[]){FOB_GONE, 1, UINT64_MAX, 1});
    next_says(&b, FOB_AGAIN);
    sends_nothing(&b);
    /* The same lease twice is handed out once. */
    delivered(&b, 1, 1, 1, 1);
    delivered(&b, 1, 1, 1, 1);
    fob_event_t *event = next(&b, 1);
    next_says(&b, FOB_AGAIN);
    settle(&b, event, FOB_KIND_ACK, FOB_OK);
    fob_leases_destroy(&b.leases);
}

static void no_contact_in_time_is_unreachable_until_there_is_one(void **state) {
    (void)state;
    bench_t b = bench(1, 10, 0);
    next_says(&b, FOB_AGAIN);
    assert_int_equal(fob_leases_deadline(b.leases), 50 * FOB_SEC);
    b.now.mono_ns = 50 * FOB_SEC;
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "refused");
    next_says(&b, FOB_UNREACHABLE);
    assert_string_equal(fob_leases_trouble(b.leases), "refused");
    up(&b, 1);
    (void)sent(&b, FOB_VERB_JOIN);
    joined(&b, NULL);
    next_says(&b, FOB_AGAIN);
    fob_leases_destroy(&b.leases);
}

static void a_join_refused_for_good_ends_it_and_one_for_now_is_tried_again(void **state) {
    (void)state;
    bench_t b = bench(1, 10, 0);
    fob_wire_t msg = {.verb = FOB_VERB_JOINED};
    FOB_SET(&msg, group, fob_slice_str("g"));
    FOB_SET(&msg, code, FOB_DISK_FULL);
    up(&b, 1);
    (void)sent(&b, FOB_VERB_JOIN);
    fob_leases_input(b.leases, b.now, &msg, NULL);
    next_says(&b, FOB_AGAIN);
    sends_nothing(&b);
    b.now.mono_ns = fob_leases_deadline(b.leases);
    (void)sent(&b, FOB_VERB_JOIN);
    FOB_SET(&msg, code, FOB_NO_GROUP);
    FOB_SET(&msg, text, fob_slice_str("there is no group g"));
    fob_leases_input(b.leases, b.now, &msg, NULL);
    next_says(&b, FOB_NO_GROUP);
    assert_string_equal(fob_leases_trouble(b.leases), "there is no group g");
    sends_nothing(&b);
    fob_leases_destroy(&b.leases);
}

FOB_MAIN(FOB_CASE(settles_of_neighbours_become_one_row_and_carry_the_credit),
         FOB_CASE(settles_in_any_order_join_where_they_touch),
         FOB_CASE(a_lone_settle_waits_a_moment_for_company_while_there_is_work),
         FOB_CASE(a_new_connection_claims_what_waits_is_out_or_has_no_answer),
         FOB_CASE(what_runs_is_claimed_before_what_waits),
         FOB_CASE(a_claim_that_is_gone_confirms_its_settle),
         FOB_CASE(what_is_lost_is_not_begun_and_makes_room),
         FOB_CASE(nothing_is_begun_when_the_bus_falls_silent),
         FOB_CASE(a_handler_learns_of_a_partition_before_the_bus_gives_its_event_away),
         FOB_CASE(with_its_connection_a_handler_is_sure_of_nothing_until_the_bus_confirms),
         FOB_CASE(the_longest_claims_and_settles_fit_into_a_header),
         FOB_CASE(a_process_that_stood_still_asks_before_it_goes_on),
         FOB_CASE(a_count_is_never_exceeded_and_ends_once_all_is_settled),
         FOB_CASE(a_drain_releases_the_prefetch_and_leaves_at_last),
         FOB_CASE(another_epoch_voids_every_lease),
         FOB_CASE(events_that_cannot_be_decoded_go_back_as_tried),
         FOB_CASE(a_delivery_that_cannot_be_a_lease_is_not_handed_out),
         FOB_CASE(what_makes_no_sense_changes_nothing),
         FOB_CASE(no_contact_in_time_is_unreachable_until_there_is_one),
         FOB_CASE(a_join_refused_for_good_ends_it_and_one_for_now_is_tried_again))
