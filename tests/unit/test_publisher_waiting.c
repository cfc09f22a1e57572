/* Topics that the bus refuses for now, and the others, against a model of the bus. */
#include "support/case.h"

#include "session_bench.h"

#define WINDOW 64

/* Offers as many events of the topic as are taken. */
static unsigned offer_all(bench_t *b, unsigned topic, int64_t life) {
    unsigned count = 0;
    while (bench_offer(b, topic, b->now.mono_ns + life, false) == FOB_OK)
        count++;
    return count;
}

static bench_t *bench_with_a_full_group(uint64_t limit) {
    bench_t *b = bench_new(WINDOW);
    bench_connect(b);
    b->bus->limit[0] = limit;
    b->bus->retry_ms = 1000;
    return b;
}

static void a_full_window_of_a_refused_topic_leaves_the_whole_window_to_others(void **state) {
    (void)state;
    bench_t *b = bench_with_a_full_group(10);
    assert_int_equal(offer_all(b, 0, 60 * FOB_SEC), WINDOW);
    assert_int_equal(bench_offer(b, 1, FOB_NEVER, false), FOB_AGAIN);
    bench_flow(b);
    assert_int_equal(b->bus->head, 10);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(offer_all(b, 1, 60 * FOB_SEC), WINDOW);
        bench_flow(b);
    }
    assert_int_equal(b->bus->head, 10 + 20 * WINDOW);
    b->bus->limit[0] = 0;
    bench_pass(b, 2 * FOB_SEC);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    bench_free(b);
}

static void a_refused_topic_takes_half_a_window_more_at_the_most(void **state) {
    (void)state;
    bench_t *b = bench_with_a_full_group(1);
    bench_offer_ok(b, 0);
    bench_offer_ok(b, 0);
    bench_flow(b);
    assert_int_equal(offer_all(b, 0, 60 * FOB_SEC), WINDOW / 2 - 1);
    assert_int_equal(offer_all(b, 1, 60 * FOB_SEC), WINDOW);
    for (int i = 0; i < 20; i++) { /* offered again, in vain: nothing piles up */
        bench_pass(b, FOB_SEC);
        assert_int_equal(offer_all(b, 0, 60 * FOB_SEC), 0);
    }
    b->bus->limit[0] = 0;
    bench_pass(b, 10 * FOB_SEC);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    assert_int_equal(offer_all(b, 0, 60 * FOB_SEC), WINDOW);
    bench_free(b);
}

static void however_many_topics_are_refused_there_is_room_for_the_next(void **state) {
    (void)state;
    bench_t *b = bench_with_a_full_group(1);
    b->bus->limit[1] = b->bus->limit[2] = 1;
    for (unsigned topic = 0; topic < 3; topic++) {
        assert_true(offer_all(b, topic, 60 * FOB_SEC) >= WINDOW / 4);
        bench_flow(b);
    }
    assert_true(offer_all(b, 3, 60 * FOB_SEC) >= WINDOW / 4);
    bench_flow(b);
    for (int i = 0; i < 3; i++)
        b->bus->limit[i] = 0;
    bench_pass(b, 3 * FOB_SEC);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    bench_free(b);
}

/* The first refused number keeps the window of wire numbers where it is, until its event gives it
 * up. */
static void other_topics_flow_beyond_the_window_of_numbers(void **state) {
    (void)state;
    for (uint64_t window = 1; window <= 300; window += window < 8 ? 1 : 73) {
        bench_t *b = bench_with_a_full_group(3);
        bench_disconnect(b);
        b->window = window;
        bench_connect(b);
        for (int i = 0; i < 10; i++)
            bench_offer_ok(b, 0);
        for (int i = 0; i < 2000; i++) {
            bench_offer_ok(b, 1 + (unsigned)i % 2);
            bench_flow(b);
            /* A topic in whose midst the numbers end waits for the hold to open. */
            for (int k = 0; k < 20 && b->told[b->offered] == 0; k++)
                bench_pass(b, FOB_MS);
            assert_int_equal(b->told[b->offered], 1);
        }
        assert_int_equal(b->bus->head, 2003);
        assert_int_equal(b->bus->gaps, 0);
        b->bus->limit[0] = 0;
        bench_pass(b, 9 * FOB_SEC);
        bench_check_receipts(b);
        bench_check_stored(b, true);
        assert_int_equal(b->bus->head, 2010);
        bench_free(b);
    }
}

static void events_that_gave_their_numbers_up_are_stored_once_over_a_lost_connection(void **state) {
    (void)state;
    bench_t *b = bench_with_a_full_group(3);
    bench_disconnect(b);
    b->window = 20;
    bench_connect(b);
    for (int i = 0; i < 10; i++)
        bench_offer_ok(b, 0);
    for (int i = 0; i < 15; i++) {
        bench_offer_ok(b, 1);
        bench_flow(b);
    }
    assert_true(b->bus->voids > 0); /* they were given up */
    b->bus->limit[0] = 5;
    bench_disconnect(b);
    bench_connect(b);
    bench_flow(b);
    b->bus->limit[0] = 0;
    bench_disconnect(b);
    bench_connect(b);
    bench_pass(b, 9 * FOB_SEC);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    assert_int_equal(b->bus->head, 25);
    bench_free(b);
}

static void a_refused_event_past_its_deadline_says_which_group_is_full(void **state) {
    (void)state;
    bench_t *b = bench_with_a_full_group(5);
    for (int i = 0; i < 8; i++)
        assert_int_equal(bench_offer(b, 0, b->now.mono_ns + 30 * FOB_SEC, false), FOB_OK);
    bench_flow(b);
    for (int i = 0; i < 31; i++)
        bench_pass(b, FOB_SEC);
    bench_check_receipts(b);
    assert_int_equal(b->bus->head, 5);
    for (int n = 6; n <= 8; n++)
        assert_int_equal(b->outcome[n], FOB_BUSY);
    assert_string_equal(b->text, "group g0 is full (5 of 5), no worker for 3 s");
    bench_free(b);
}

static void an_event_whose_deadline_meets_its_next_offer_still_ends_as_refused(void **state) {
    (void)state;
    bench_t *b = bench_with_a_full_group(1);
    bench_offer_ok(b, 0);
    assert_int_equal(bench_offer(b, 0, b->now.mono_ns + 1500 * FOB_MS, false), FOB_OK);
    bench_flow(b);
    b->now.mono_ns += 1100 * FOB_MS; /* the jitter of the first pause is less than 50 ms */
    fob_session_tick(b->session, b->now);
    assert_true(bench_send_one(b)); /* offered again */
    b->now.mono_ns += 450 * FOB_MS; /* past the deadline, the answer is under way */
    fob_session_tick(b->session, b->now);
    bench_receipts_read(b);
    assert_int_equal(b->told[2], 0);
    bench_flow(b);
    assert_int_equal(b->outcome[2], FOB_BUSY);
    bench_check_receipts(b);
    bench_free(b);
}

static void where_that_answer_does_not_come_the_outcome_is_unknown(void **state) {
    (void)state;
    bench_t *b = bench_with_a_full_group(1);
    bench_offer_ok(b, 0);
    assert_int_equal(bench_offer(b, 0, b->now.mono_ns + 1500 * FOB_MS, false), FOB_OK);
    bench_flow(b);
    b->now.mono_ns += 1100 * FOB_MS;
    fob_session_tick(b->session, b->now);
    assert_true(bench_send_one(b));
    b->now.mono_ns += 450 * FOB_MS;
    fob_session_tick(b->session, b->now);
    assert_in_range(fob_session_deadline(b->session), b->now.mono_ns, b->now.mono_ns + FOB_SEC);
    b->now.mono_ns = fob_session_deadline(b->session);
    fob_session_tick(b->session, b->now);
    bench_receipts_read(b);
    assert_int_equal(b->outcome[2], FOB_UNKNOWN_OUTCOME);
    bench_free(b);
}

static void an_event_that_expired_under_way_and_was_refused_lets_none_overtake(void **state) {
    (void)state;
    bench_t *b = bench_with_a_full_group(1);
    bench_offer_ok(b, 0);
    bench_flow(b);
    assert_int_equal(bench_offer(b, 0, b->now.mono_ns + FOB_MS, false), FOB_OK);
    while (bench_send_one(b))
        ;
    bench_offer_ok(b, 0);
    while (bench_send_one(b))
        ;
    b->now.mono_ns += 2 * FOB_MS;
    fob_session_tick(b->session, b->now); /* 2 is of unknown outcome */
    bench_receipts_read(b);
    assert_int_equal(b->outcome[2], FOB_UNKNOWN_OUTCOME);
    bench_bus_takes_one(b);
    bench_bus_takes_one(b);
    b->bus->limit[0] = 0;
    bench_client_takes_one(b); /* 2 was refused; 3 is too, but that is not known yet */
    bench_offer_ok(b, 0);
    bench_flow(b);
    for (int i = 0; i < 5; i++)
        bench_pass(b, FOB_SEC);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    assert_int_equal(b->bus->head, 3);
    bench_free(b);
}

static void a_duplicate_names_the_first_and_says_where_the_data_differed(void **state) {
    (void)state;
    bench_t *b = bench_new(WINDOW);
    bench_connect(b);
    bench_offer_ok(b, 1);
    assert_int_equal(bench_offer_as(b, 0, FOB_NEVER, "a"), FOB_OK);
    bench_flow(b);
    assert_int_equal(b->duplicate_of[2], 0);
    assert_int_equal(bench_offer_as(b, 0, FOB_NEVER, "a"), FOB_OK); /* its data is its number */
    assert_int_equal(bench_offer_as(b, 1, FOB_NEVER, "a"), FOB_OK); /* another topic */
    bench_flow(b);
    assert_int_equal(b->outcome[3], FOB_OK);
    assert_int_equal(b->offset[3], 2);
    assert_int_equal(b->duplicate_of[3], 2);
    assert_true(b->differs[3]);
    assert_int_equal(b->duplicate_of[4], 0);
    assert_int_equal(b->bus->head, 3);
    bench_disconnect(
        b); /* the bus's last stored number is below a duplicate's: no session is lost */
    assert_int_equal(bench_offer_as(b, 0, FOB_NEVER, "a"), FOB_OK);
    bench_connect(b);
    bench_flow(b);
    bench_disconnect(b);
    bench_connect(b);
    assert_false(fob_session_renewal(b->session));
    bench_check_receipts(b);
    bench_free(b);
}

static void in_a_forgotten_session_what_has_an_id_is_stored_once(void **state) {
    (void)state;
    bench_t *b = bench_new(WINDOW);
    bench_connect(b);
    bench_offer_ok(b, 0);
    bench_flow(b);
    for (int i = 0; i < 20; i++)
        assert_int_equal(bench_offer(b, 0, FOB_NEVER, true), FOB_OK);
    while (bench_send_one(b))
        ;
    while (bench_bus_takes_one(b))
        ;
    assert_int_equal(b->bus->head, 21); /* all stored, and none told */
    bench_disconnect(b);
    model_bus_forget(b->bus);
    bench_connect(b);
    bench_renew_if_wanted(b);
    bench_connect(b);
    bench_flow(b);
    bench_check_receipts(b);
    assert_int_equal(b->bus->head, 21);
    assert_int_equal(b->bus->duplicates, 20);
    for (uint64_t n = 2; n <= 21; n++) {
        assert_int_equal(b->outcome[n], FOB_OK);
        assert_int_equal(b->duplicate_of[n], n);
        assert_false(b->differs[n]);
    }
    bench_free(b);
}

FOB_MAIN(FOB_CASE(a_full_window_of_a_refused_topic_leaves_the_whole_window_to_others),
         FOB_CASE(a_refused_topic_takes_half_a_window_more_at_the_most),
         FOB_CASE(however_many_topics_are_refused_there_is_room_for_the_next),
         FOB_CASE(other_topics_flow_beyond_the_window_of_numbers),
         FOB_CASE(events_that_gave_their_numbers_up_are_stored_once_over_a_lost_connection),
         FOB_CASE(a_refused_event_past_its_deadline_says_which_group_is_full),
         FOB_CASE(an_event_whose_deadline_meets_its_next_offer_still_ends_as_refused),
         FOB_CASE(where_that_answer_does_not_come_the_outcome_is_unknown),
         FOB_CASE(an_event_that_expired_under_way_and_was_refused_lets_none_overtake),
         FOB_CASE(a_duplicate_names_the_first_and_says_where_the_data_differed),
         FOB_CASE(in_a_forgotten_session_what_has_an_id_is_stored_once))
