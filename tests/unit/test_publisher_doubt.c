/* What a publisher says of events that may be stored, and nobody told: it never calls one refused
 * that may be there, and offers none twice that nothing makes known again. */
#include "support/case.h"

#include "session_bench.h"

#define LONG_AWAY ((int64_t)FOB_SESSION_GRACE_MS * FOB_MS)

static void answer_is(bench_t *b, fob_status_t status, uint64_t first, uint64_t count) {
    fob_wire_t receipt = {.verb = FOB_VERB_RECEIPT};
    fob_buf_t runs = {0};
    const uint64_t at[] = {(uint64_t)status, first, count, 0, 0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, at, 5);
    FOB_SET(&receipt, runs, fob_buf_slice(&runs));
    fob_session_input(b->session, b->now, &receipt);
    fob_buf_free(&runs);
}

static void all_sent(bench_t *b) {
    while (bench_send_one(b))
        ;
}

static bench_t *connected(void) {
    bench_t *b = bench_new(1024);
    bench_connect(b);
    return b;
}

/* The bus forgets the session of this publisher, which comes back. */
static void forgotten_meanwhile(bench_t *b) {
    bench_disconnect(b);
    model_bus_forget(b->bus);
    bench_connect(b);
    bench_renew_if_wanted(b);
}

/* One is confirmed, and another with an id stored, of which nobody tells before the session is
 * forgotten. A new one is wanted. */
static bench_t *forgotten_in_doubt(void) {
    bench_t *b = connected();
    bench_offer_ok(b, 0);
    bench_flow(b);
    assert_int_equal(bench_offer(b, 0, b->now.mono_ns + 5 * FOB_SEC, true), FOB_OK);
    all_sent(b);
    while (bench_bus_takes_one(b))
        ;
    forgotten_meanwhile(b);
    assert_false(b->up);
    assert_int_equal(b->told[2], 0);
    return b;
}

static void closed(bench_t *b) {
    fob_session_close(b->session);
    bench_receipts_read(b);
    bench_check_receipts(b);
}

/* The test ends with this said of its `index`-th event. */
static void ends_with(bench_t *b, size_t index, fob_status_t outcome) {
    assert_int_equal(b->outcome[index], outcome);
    bench_free(b);
}

/* The new session sends it again, and this is all that it is answered. */
static void stays_unknown_after(fob_status_t answer) {
    bench_t *b = forgotten_in_doubt();
    bench_connect(b);
    all_sent(b);
    answer_is(b, answer, 1, 1);
    closed(b);
    ends_with(b, 2, FOB_UNKNOWN_OUTCOME);
}

static void what_has_an_id_stays_in_doubt_until_the_new_session_answers(void **state) {
    (void)state;
    bench_t *b = forgotten_in_doubt();
    closed(b);
    ends_with(b, 2, FOB_UNKNOWN_OUTCOME);
}

static void its_deadline_ends_it_in_doubt_too(void **state) {
    (void)state;
    bench_t *b = forgotten_in_doubt();
    bench_pass(b, 6 * FOB_SEC);
    bench_check_receipts(b);
    ends_with(b, 2, FOB_UNKNOWN_OUTCOME);
}

/* Nobody looked for its id. */
static void a_refusal_for_now_is_no_answer_of_what_was_sent_before(void **state) {
    (void)state;
    const fob_status_t refusals[] = {FOB_BUSY, FOB_DISK_FULL, FOB_GAP};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        stays_unknown_after(refusals[i]);
}

/* The bus may take less than the one that stored it. */
static void too_large_now_is_no_answer_of_what_was_sent_before(void **state) {
    (void)state;
    stays_unknown_after(FOB_TOO_LARGE);
}

static void the_new_session_tells_it_for_what_it_is(void **state) {
    (void)state;
    bench_t *b = forgotten_in_doubt();
    bench_connect(b);
    bench_flow(b);
    bench_check_receipts(b);
    assert_int_equal(b->outcome[2], FOB_OK);
    assert_int_equal(b->duplicate_of[2], 2);
    assert_int_equal(b->bus->head, 2);
    bench_free(b);
}

/* A number missing before it says nothing of what an earlier connection was sent. */
static void a_gap_does_not_end_a_doubt(void **state) {
    (void)state;
    bench_t *b = connected();
    bench_offer_ok(b, 0);
    all_sent(b);
    bench_disconnect(b);
    bench_connect(b);
    all_sent(b);
    answer_is(b, FOB_GAP, 1, 1);
    closed(b);
    ends_with(b, 1, FOB_UNKNOWN_OUTCOME);
}

/* The first event is sent, and its connection lost; `stored`: it arrived. The bus forgets the
 * session, and the publisher comes back after so long. */
static bench_t *back_after(int64_t ns, bool stored) {
    bench_t *b = connected();
    assert_int_equal(bench_offer(b, 0, FOB_NEVER, false), FOB_OK);
    all_sent(b);
    if (stored)
        bench_bus_takes_one(b);
    bench_disconnect(b);
    model_bus_forget(b->bus);
    b->now.mono_ns += ns;
    bench_connect(b);
    bench_renew_if_wanted(b);
    if (!b->up)
        bench_connect(b);
    bench_flow(b);
    bench_check_receipts(b);
    return b;
}

/* Until then a bus has not forgotten what it was sent: what it does not know it does not have. */
static void first_events_are_sent_again_while_the_bus_would_know_them(void **state) {
    (void)state;
    bench_t *b = back_after(LONG_AWAY / 2, false);
    assert_int_equal(b->outcome[1], FOB_OK);
    assert_int_equal(b->bus->head, 1);
    bench_free(b);
}

static void first_events_without_an_id_are_not_stored_twice_after_long(void **state) {
    (void)state;
    bench_t *b = back_after(LONG_AWAY, true);
    assert_int_equal(b->outcome[1], FOB_UNKNOWN_OUTCOME);
    assert_int_equal(b->bus->head, 1);
    bench_free(b);
}

/* That is counted from when they were sent last without a doubt, not from when they were offered.
 */
static void a_refusal_begins_that_time_anew(void **state) {
    (void)state;
    bench_t *b = connected();
    assert_int_equal(bench_offer(b, 0, FOB_NEVER, false), FOB_OK);
    all_sent(b);
    answer_is(b, FOB_BUSY, 1, 1);
    b->now.mono_ns += LONG_AWAY;
    fob_session_tick(b->session, b->now);
    bench_wires_cut(b);
    all_sent(b);
    forgotten_meanwhile(b);
    assert_true(b->up);
    bench_flow(b);
    bench_check_receipts(b);
    ends_with(b, 1, FOB_OK);
}

/* Its first number was answered, so a bus that knows nothing of it has forgotten it: also where
 * nothing was stored anew. */
static void a_session_of_duplicates_is_missed_too(void **state) {
    (void)state;
    bench_t *b = connected();
    assert_int_equal(bench_offer_as(b, 0, FOB_NEVER, "one"), FOB_OK);
    bench_flow(b);
    assert_int_equal(b->outcome[1], FOB_OK);
    forgotten_meanwhile(b);
    bench_connect(b); /* a new session */
    assert_int_equal(bench_offer_as(b, 0, FOB_NEVER, "one"), FOB_OK);
    bench_flow(b);
    assert_int_equal(b->duplicate_of[2], 1);
    assert_int_equal(bench_offer(b, 0, FOB_NEVER, false), FOB_OK);
    all_sent(b);
    while (bench_bus_takes_one(b))
        ;
    forgotten_meanwhile(b);
    assert_false(b->up);
    bench_receipts_read(b);
    ends_with(b, 3, FOB_UNKNOWN_OUTCOME);
}

FOB_MAIN(FOB_CASE(what_has_an_id_stays_in_doubt_until_the_new_session_answers),
         FOB_CASE(its_deadline_ends_it_in_doubt_too),
         FOB_CASE(a_refusal_for_now_is_no_answer_of_what_was_sent_before),
         FOB_CASE(too_large_now_is_no_answer_of_what_was_sent_before),
         FOB_CASE(the_new_session_tells_it_for_what_it_is), FOB_CASE(a_gap_does_not_end_a_doubt),
         FOB_CASE(first_events_are_sent_again_while_the_bus_would_know_them),
         FOB_CASE(first_events_without_an_id_are_not_stored_twice_after_long),
         FOB_CASE(a_refusal_begins_that_time_anew), FOB_CASE(a_session_of_duplicates_is_missed_too))
