/* How a worker joins a group that it may have to make, what it says of itself, and how it is told
 * that a lease is lost. */
#include "support/case.h"

#include "leases_bench.h"

static bench_t bench_from(uint64_t offset, uint64_t ms) {
    fob_leases_options_t options = {.group = fob_slice_str("g"),
                                    .pattern = fob_slice_str("t"),
                                    .worker = fob_slice_str("host-7"),
                                    .lease_ms = 30000,
                                    .from_offset = offset,
                                    .from_ms = ms,
                                    .jobs = 1,
                                    .prefetch = 4,
                                    .give_up_mono = 50 * FOB_SEC};
    bench_t b = {fob_leases_new(&options), {10 * FOB_SEC, 0}};
    assert_non_null(b.leases);
    up(&b, 1);
    return b;
}

static void no_group(bench_t *b) {
    fob_wire_t msg = {.verb = FOB_VERB_JOINED};
    FOB_SET(&msg, code, FOB_NO_GROUP);
    input(b, &msg, &msg.refused, FOB_FIELD_refused, NULL, 4, NULL);
}

static void reply(bench_t *b, uint64_t req, fob_status_t code) {
    fob_wire_t msg = {.verb = FOB_VERB_REPLY};
    FOB_SET(&msg, req, req);
    FOB_SET(&msg, code, code);
    FOB_SET(&msg, text, fob_slice_str("why so"));
    fob_leases_input(b->leases, b->now, &msg, NULL);
}

static bool created(const bench_t *b) {
    bool made;
    return fob_leases_joined_once(b->leases, &made) && made;
}

static void a_join_says_who_it_is_and_how_long_it_may_take(void **state) {
    (void)state;
    bench_t b = bench_from(0, 0);
    fob_wire_t join = sent(&b, FOB_VERB_JOIN);
    assert_true(join.create);
    assert_true(fob_slice_eq(join.worker, fob_slice_str("host-7")));
    assert_int_equal(join.lease, 30000);
    fob_wire_t msg = {.verb = FOB_VERB_JOINED};
    FOB_SET(&msg, lease, 20000);
    input(&b, &msg, &msg.refused, FOB_FIELD_refused, NULL, 4, NULL);
    assert_int_equal(fob_leases_bound(b.leases), 20000);
    fob_leases_destroy(&b.leases);
}

static void a_missing_group_is_made_where_it_is_to_begin(void **state) {
    (void)state;
    bench_t b = bench_from(17, 0);
    assert_false(sent(&b, FOB_VERB_JOIN).create);
    no_group(&b);
    fob_wire_t add = sent(&b, FOB_VERB_GROUP_ADD);
    assert_true(fob_slice_eq(add.pattern, fob_slice_str("t")));
    assert_int_equal(add.offset, 17);
    assert_false(FOB_HAS(&add, time));
    sends_nothing(&b);
    reply(&b, add.req + 1, FOB_DENIED); /* another's */
    reply(&b, add.req, FOB_OK);
    (void)sent(&b, FOB_VERB_JOIN);
    joined(&b, NULL);
    assert_true(created(&b));
    fob_leases_destroy(&b.leases);
}

static void a_time_is_told_as_a_time(void **state) {
    (void)state;
    bench_t b = bench_from(0, 1700000000123);
    (void)sent(&b, FOB_VERB_JOIN);
    no_group(&b);
    fob_wire_t add = sent(&b, FOB_VERB_GROUP_ADD);
    assert_false(FOB_HAS(&add, offset));
    assert_int_equal(add.time, 1700000000123);
    fob_leases_destroy(&b.leases);
}

static void a_group_that_is_there_is_joined_as_it_is(void **state) {
    (void)state;
    bench_t b = bench_from(17, 0);
    (void)sent(&b, FOB_VERB_JOIN);
    joined(&b, NULL);
    sends_nothing(&b);
    assert_false(created(&b));
    fob_leases_destroy(&b.leases);
}

static void a_connection_lost_before_the_group_was_made_begins_anew(void **state) {
    (void)state;
    bench_t b = bench_from(17, 0);
    (void)sent(&b, FOB_VERB_JOIN);
    no_group(&b);
    fob_wire_t add = sent(&b, FOB_VERB_GROUP_ADD);
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "gone");
    up(&b, 1);
    reply(&b, add.req, FOB_DENIED); /* late: nobody waits for it */
    (void)sent(&b, FOB_VERB_JOIN);
    no_group(&b);
    assert_int_equal(sent(&b, FOB_VERB_GROUP_ADD).req, add.req + 1);
    fob_leases_destroy(&b.leases);
}

static void a_group_that_cannot_be_made_ends_it(void **state) {
    (void)state;
    bench_t b = bench_from(17, 0);
    (void)sent(&b, FOB_VERB_JOIN);
    no_group(&b);
    reply(&b, sent(&b, FOB_VERB_GROUP_ADD).req, FOB_LIMIT);
    next_says(&b, FOB_LIMIT);
    assert_string_equal(fob_leases_trouble(b.leases), "why so");
    sends_nothing(&b);
    fob_leases_destroy(&b.leases);
}

static void a_group_that_cannot_be_made_now_is_tried_again(void **state) {
    (void)state;
    bench_t b = bench_from(17, 0);
    (void)sent(&b, FOB_VERB_JOIN);
    no_group(&b);
    reply(&b, sent(&b, FOB_VERB_GROUP_ADD).req, FOB_DISK_FULL);
    sends_nothing(&b);
    b.now.mono_ns += 2 * FOB_SEC;
    (void)sent(&b, FOB_VERB_GROUP_ADD);
    fob_leases_destroy(&b.leases);
}

static void lost_with(bench_t *b, uint64_t offset, uint64_t token, const char *why) {
    fob_wire_t msg = {.verb = FOB_VERB_LOST};
    if (why)
        FOB_SET(&msg, text, fob_slice_str(why));
    input(b, &msg, &msg.runs, FOB_FIELD_runs, (uint64_t[]){offset, 1, token}, 3, NULL);
}

static void a_lease_that_is_taken_from_a_handler_is_told_with_the_reason(void **state) {
    (void)state;
    bench_t b = working(1, 4, 0);
    delivered(&b, 1, 3, 101, 3);
    fob_event_t *event = next(&b, 1);
    lost_with(&b, 2, 102, "it waited too long"); /* one that is not begun: no handler's business */
    assert_false(fob_leases_lost_news(b.leases));
    assert_true(fob_leases_holds(b.leases, event));
    lost_with(&b, 1, 101, "its lease of 5s ran out");
    assert_true(fob_leases_lost_news(b.leases));
    assert_false(fob_leases_lost_news(b.leases)); /* told once */
    assert_false(fob_leases_holds(b.leases, event));
    assert_string_equal(fob_leases_lost_text(b.leases), "its lease of 5s ran out");
    assert_string_equal(fob_leases_trouble(b.leases), ""); /* the bus is there */
    settle(&b, event, FOB_KIND_ACK, FOB_STALE);
    assert_int_equal(fob_leases_refused(b.leases), 0);
    fob_leases_destroy(&b.leases);
}

static void a_handler_whose_lease_was_lost_is_told_to_have_ended(void **state) {
    (void)state;
    bench_t b = working(2, 4, 0);
    delivered(&b, 1, 3, 101, 3);
    fob_event_t *one = next(&b, 1), *two = next(&b, 2);
    lost_with(&b, 1, 101, "its lease ran out");
    lost_with(&b, 2, 102, "its lease ran out");
    assert_int_equal(sent(&b, FOB_VERB_CREDIT).credit, 6);
    settle(&b, one, FOB_KIND_ACK, FOB_STALE);
    settle(&b, two, FOB_KIND_REJECT, FOB_STALE);
    settle(&b, next(&b, 3), FOB_KIND_ACK, FOB_OK);
    rows_are(sent(&b, FOB_VERB_SETTLE).runs, 4, "3 1 1 101|3 2 1 102|1 3 1 103");
    assert_false(fob_leases_flushed(b.leases));
    settled(&b, 1, (uint64_t[]){FOB_NOT_HELD, 1, 2, 101});
    assert_true(fob_leases_flushed(b.leases));
    assert_int_equal(fob_leases_refused(b.leases), 0); /* that is no settle in vain */
    fob_leases_destroy(&b.leases);
}

static void a_new_connection_is_told_of_no_old_handlers_end(void **state) {
    (void)state;
    bench_t b = working(2, 4, 0);
    delivered(&b, 1, 3, 101, 3);
    fob_event_t *one = next(&b, 1), *two = next(&b, 2);
    lost_with(&b, 1, 101, "its lease ran out");
    lost_with(&b, 2, 102, "its lease ran out");
    settle(&b, one, FOB_KIND_ACK, FOB_STALE);
    (void)sent(&b, FOB_VERB_SETTLE); /* no answer comes */
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "gone");
    up(&b, 1);
    rows_are(sent(&b, FOB_VERB_JOIN).runs, 3, "3 1 103");
    joined(&b, NULL);
    settle(&b, two, FOB_KIND_ACK, FOB_STALE);
    sends_nothing(&b);
    assert_true(fob_leases_flushed(b.leases));
    fob_leases_destroy(&b.leases);
}

/* The bus counts by what it knows, and a worker may be slow to begin. */
static void what_is_lost_before_it_was_begun_is_told_to_have_ended_for_each_job(void **state) {
    (void)state;
    bench_t b = working(2, 10, 0);
    delivered(&b, 1, 10, 101, 10);
    lost(&b, 1, 10, 101);
    rows_are(sent(&b, FOB_VERB_SETTLE).runs, 4, "3 1 1 101|3 2 1 102");
    settled(&b, 1, NULL);
    assert_true(fob_leases_flushed(b.leases));
    delivered(&b, 11, 5, 111, 5);
    lost(&b, 14, 9, 114);
    fob_leases_hurry(b.leases);
    rows_are(sent(&b, FOB_VERB_SETTLE).runs, 4, "3 14 1 114|3 15 1 115");
    lost(&b, 500, 9, 111); /* others: offsets and tokens are not in step */
    sends_nothing(&b);
    fob_leases_destroy(&b.leases);
}

static void a_claim_that_is_refused_is_told_too(void **state) {
    (void)state;
    bench_t b = working(1, 4, 0);
    delivered(&b, 1, 1, 101, 1);
    fob_event_t *event = next(&b, 1);
    fob_leases_down(b.leases, b.now, FOB_UNREACHABLE, "gone");
    assert_true(fob_leases_holds(b.leases, event)); /* nobody knows yet */
    assert_false(fob_leases_lost_news(b.leases));
    up(&b, 1);
    (void)sent(&b, FOB_VERB_JOIN);
    joined(&b, (uint64_t[]){FOB_STALE, 1, 1, 101});
    assert_true(fob_leases_lost_news(b.leases));
    assert_false(fob_leases_holds(b.leases, event));
    settle(&b, event, FOB_KIND_ACK, FOB_STALE);
    fob_leases_destroy(&b.leases);
}

static void a_retry_says_when_and_why(void **state) {
    (void)state;
    bench_t b = working(1, 4, 0);
    delivered(&b, 1, 2, 101, 2);
    const fob_settle_how_t retry = {FOB_KIND_RETRY, 7000, fob_slice_str("exit 3")};
    const fob_settle_how_t ack = {FOB_KIND_ACK, 7000, fob_slice_str("exit 0")};
    fob_event_t *event = next(&b, 1);
    assert_int_equal(fob_leases_settle(b.leases, b.now, event, &retry), FOB_OK);
    fob_event_destroy(&event);
    event = next(&b, 2);
    assert_int_equal(fob_leases_settle(b.leases, b.now, event, &ack), FOB_OK);
    fob_event_destroy(&event);
    fob_wire_t msg = sent(&b, FOB_VERB_SETTLE);
    rows_are(msg.runs, 5, "2 1 1 101 7000|1 2 1 102 0");
    assert_true(fob_slice_eq(msg.text, fob_slice_str("exit 3")));
    fob_leases_destroy(&b.leases);
}

FOB_MAIN(FOB_CASE(a_join_says_who_it_is_and_how_long_it_may_take),
         FOB_CASE(a_missing_group_is_made_where_it_is_to_begin), FOB_CASE(a_time_is_told_as_a_time),
         FOB_CASE(a_group_that_is_there_is_joined_as_it_is),
         FOB_CASE(a_connection_lost_before_the_group_was_made_begins_anew),
         FOB_CASE(a_group_that_cannot_be_made_ends_it),
         FOB_CASE(a_group_that_cannot_be_made_now_is_tried_again),
         FOB_CASE(a_lease_that_is_taken_from_a_handler_is_told_with_the_reason),
         FOB_CASE(a_handler_whose_lease_was_lost_is_told_to_have_ended),
         FOB_CASE(a_new_connection_is_told_of_no_old_handlers_end),
         FOB_CASE(what_is_lost_before_it_was_begun_is_told_to_have_ended_for_each_job),
         FOB_CASE(a_claim_that_is_refused_is_told_too), FOB_CASE(a_retry_says_when_and_why))
