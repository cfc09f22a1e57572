/* The publisher's state machine against a model of the bus, step by step. */
#include "support/case.h"

#include "session_bench.h"

#include <stdlib.h>

static void an_event_is_sent_at_once_and_gets_its_receipt(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    bench_offer_ok(b, 0);
    assert_false(fob_session_done_below(b->session, 2));
    bench_flow(b);
    assert_int_equal(b->told[1], 1);
    assert_int_equal(b->outcome[1], FOB_OK);
    assert_int_equal(b->offset[1], 1);
    bench_check_receipts(b);
    bench_free(b);
}

static void what_is_offered_meanwhile_goes_as_one_message(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    for (int i = 0; i < 500; i++)
        bench_offer_ok(b, (unsigned)i % 3);
    bench_connect(b);
    bench_flow(b);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    assert_true(b->bus->publishes <= 8); /* the first batch is small, then they grow */
    bench_free(b);
}

static void the_window_bounds_what_has_no_receipt(void **state) {
    (void)state;
    bench_t *b = bench_new(100);
    bench_connect(b);
    for (int i = 0; i < 100; i++)
        bench_offer_ok(b, 0);
    assert_int_equal(bench_offer(b, 0, FOB_NEVER, false), FOB_AGAIN);
    bench_flow(b);
    bench_offer_ok(b, 0);
    bench_flow(b);
    bench_check_receipts(b);
    bench_free(b);
}

static void the_windows_of_a_smaller_bus_is_kept_too(void **state) {
    (void)state;
    bench_t *b = bench_new(1000);
    b->window = 10;
    bench_connect(b);
    for (int i = 0; i < 200; i++)
        bench_offer_ok(b, 0);
    while (bench_send_one(b))
        ;
    uint64_t sent = 0;
    for (unsigned i = b->bus_first; i < b->bus_end; i++) {
        fob_cursor_t cursor = fob_cursor(b->to_bus[i].body);
        fob_slice_t topic, bytes;
        while (!fob_cursor_end(&cursor) && fob_envelope_skim(&cursor, &topic, &bytes))
            sent++;
    }
    assert_int_equal(sent, 10);
    bench_flow(b);
    bench_check_receipts(b);
    bench_free(b);
}

static void a_flood_grows_its_batches_while_answers_are_awaited(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    unsigned messages = 0;
    for (int i = 0; i < 1024; i++) {
        bench_offer_ok(b, 0);
        while (bench_send_one(b))
            messages++;
    }
    assert_true(fob_session_deadline(b->session) > b->now.mono_ns);
    /* Half the window one by one, the other half in a few messages. */
    assert_in_range(messages, 500, 530);
    bench_flow(b);
    bench_check_receipts(b);
    bench_free(b);
}

static void what_has_no_receipt_is_sent_again_under_its_number(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    for (int i = 0; i < 10; i++) {
        bench_offer_ok(b, 0);
        bench_send_one(b);
    }
    for (int i = 0; i < 5; i++)
        bench_bus_takes_one(b); /* stored, but the answers are lost */
    bench_disconnect(b);
    for (int i = 0; i < 5; i++)
        bench_offer_ok(b, 0);
    bench_connect(b);
    bench_flow(b);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    assert_int_equal(b->bus->head, 15);
    bench_free(b);
}

static void a_busy_topic_waits_and_the_others_flow(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    b->bus->busy[0] = true;
    for (int i = 0; i < 30; i++)
        bench_offer_ok(b, (unsigned)i % 3);
    bench_flow(b);
    assert_int_equal(b->bus->head, 20);
    for (int i = 0; i < 30; i++)
        bench_offer_ok(b, (unsigned)i % 3);
    unsigned publishes = b->bus->publishes;
    bench_flow(b);
    assert_int_equal(b->bus->head, 40);
    assert_true(b->bus->publishes > publishes);
    b->bus->busy[0] = false;
    bench_pass(b, 900 * FOB_MS); /* BUSY named no time: a second */
    assert_int_equal(b->bus->head, 40);
    bench_pass(b, 200 * FOB_MS);
    assert_int_equal(b->bus->head, 60);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    bench_free(b);
}

static void a_busy_event_past_its_deadline_says_busy_and_uses_up_its_number(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    b->bus->busy[1] = true;
    assert_int_equal(bench_offer(b, 1, b->now.mono_ns + 500 * FOB_MS, false), FOB_OK);
    bench_offer_ok(b, 0);
    bench_flow(b);
    assert_int_equal(b->outcome[2], FOB_OK);
    bench_pass(b, 600 * FOB_MS);
    assert_int_equal(b->told[1], 1);
    assert_int_equal(b->outcome[1], FOB_BUSY);
    b->bus->busy[1] = false;
    for (int i = 0; i < 10; i++)
        bench_offer_ok(b, 1);
    for (int i = 0; i < 20; i++)
        bench_pass(b, 500 * FOB_MS);
    bench_check_receipts(b);
    assert_int_equal(b->bus->voids, 1);
    assert_int_equal(b->bus->head, 11); /* all but the one taken out */
    bench_check_stored(b, true);
    bench_free(b);
}

static void a_full_disk_holds_everything_until_there_is_room(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    bench_offer_ok(b, 0);
    bench_flow(b);
    b->bus->full = true;
    for (int i = 0; i < 20; i++)
        bench_offer_ok(b, (unsigned)i % 4);
    bench_flow(b);
    for (int i = 0; i < 10; i++) {
        bench_offer_ok(b, (unsigned)i % 4);
        bench_pass(b, FOB_SEC);
    }
    assert_int_equal(b->bus->head, 1);
    b->bus->full = false;
    bench_pass(b, 6 * FOB_SEC);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    assert_int_equal(b->bus->head, 31);
    bench_free(b);
}

static void a_full_disk_is_named_when_the_deadline_passes(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    b->bus->full = true;
    bench_offer_ok(b, 0);
    bench_flow(b);
    bench_pass(b, 31 * FOB_SEC);
    assert_int_equal(b->outcome[1], FOB_DISK_FULL);
    bench_free(b);
}

static void a_bus_that_is_never_reached_fails_events_after_the_connect_timeout(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_offer_ok(b, 0);
    fob_session_down(b->session, b->now, FOB_UNREACHABLE, "tcp://a:1: connection refused");
    bench_pass(b, 2 * FOB_SEC);
    assert_int_equal(b->told[1], 0);
    assert_int_equal(fob_session_deadline(b->session), b->now.mono_ns + FOB_SEC);
    bench_pass(b, FOB_SEC);
    assert_int_equal(b->outcome[1], FOB_UNREACHABLE);
    assert_string_equal(b->text, "tcp://a:1: connection refused");
    bench_offer_ok(b, 0); /* later ones fail as quickly, until the bus is there */
    bench_pass(b, FOB_MS);
    assert_int_equal(b->outcome[2], FOB_UNREACHABLE);
    bench_connect(b);
    bench_offer_ok(b, 0);
    bench_flow(b);
    assert_int_equal(b->outcome[3], FOB_OK);
    bench_check_receipts(b);
    bench_free(b);
}

static void an_event_never_sent_leaves_no_trace_at_its_deadline(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    bench_offer_ok(b, 0);
    bench_flow(b);
    bench_disconnect(b);
    for (int i = 0; i < 9; i++)
        assert_int_equal(bench_offer(b, 0, b->now.mono_ns + (i % 3 == 1 ? 1 : 60) * FOB_SEC, false),
                         FOB_OK);
    bench_pass(b, 2 * FOB_SEC);
    assert_int_equal(b->outcome[3], FOB_UNREACHABLE);
    bench_connect(b);
    bench_flow(b);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    assert_int_equal(b->bus->head, 7);
    assert_int_equal(b->bus->voids, 0);
    bench_free(b);
}

static void an_event_sent_and_past_its_deadline_is_not_stored_later(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    for (int i = 0; i < 5; i++)
        assert_int_equal(bench_offer(b, 0, b->now.mono_ns + (i == 2 ? 1 : 60) * FOB_SEC, false),
                         FOB_OK);
    while (bench_send_one(b))
        ;
    bench_disconnect(b); /* all of it lost on the way */
    bench_pass(b, 2 * FOB_SEC);
    assert_int_equal(b->outcome[3], FOB_UNKNOWN_OUTCOME);
    bench_connect(b);
    bench_flow(b);
    bench_check_receipts(b);
    assert_int_equal(b->bus->head, 4);
    assert_int_equal(b->bus->voids, 1);
    bench_check_stored(b, true);
    bench_free(b);
}

static void a_late_answer_after_the_deadline_gives_no_second_receipt(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    assert_int_equal(bench_offer(b, 0, b->now.mono_ns + FOB_SEC, false), FOB_OK);
    while (bench_send_one(b))
        ;
    b->now.mono_ns += 2 * FOB_SEC;
    fob_session_tick(b->session, b->now);
    bench_receipts_read(b);
    assert_int_equal(b->outcome[1], FOB_UNKNOWN_OUTCOME);
    assert_non_null(strstr(b->text, "may or may not"));
    bench_flow(b);
    bench_check_receipts(b);
    bench_free(b);
}

static void a_stored_event_whose_answer_was_lost_is_not_said_to_be_unstored(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    assert_int_equal(bench_offer(b, 0, b->now.mono_ns + FOB_SEC, false), FOB_OK);
    while (bench_send_one(b))
        ;
    bench_bus_takes_one(b);
    assert_int_equal(b->bus->head, 1);
    bench_disconnect(b); /* and with it the answer */
    assert_int_equal(bench_offer(b, 0, b->now.mono_ns + FOB_SEC, false), FOB_OK);
    b->now.mono_ns += 2 * FOB_SEC;
    fob_session_tick(b->session, b->now);
    bench_receipts_read(b);
    assert_int_equal(b->outcome[1], FOB_UNKNOWN_OUTCOME);
    assert_int_equal(b->outcome[2], FOB_UNREACHABLE); /* this one was never sent */
    bench_check_receipts(b);
    bench_connect(b);
    bench_flow(b);
    assert_int_equal(b->bus->head, 1);
    bench_check_receipts(b);
    bench_free(b);
}

static void what_is_in_doubt_stays_so_on_the_next_connection(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    assert_int_equal(bench_offer(b, 0, b->now.mono_ns + FOB_SEC, false), FOB_OK);
    while (bench_send_one(b))
        ;
    bench_disconnect(b);
    bench_connect(b);
    b->now.mono_ns += 2 * FOB_SEC; /* before it could be sent again */
    fob_session_tick(b->session, b->now);
    bench_receipts_read(b);
    assert_int_equal(b->outcome[1], FOB_UNKNOWN_OUTCOME);
    bench_free(b);
}

static void a_refusal_on_the_next_connection_ends_the_doubt(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    b->bus->busy[0] = true;
    assert_int_equal(bench_offer(b, 0, b->now.mono_ns + FOB_SEC, false), FOB_OK);
    while (bench_send_one(b))
        ;
    bench_disconnect(b);
    bench_connect(b);
    bench_flow(b);
    assert_int_equal(b->told[1], 0);
    b->now.mono_ns += 900 * FOB_MS; /* BUSY holds it for a second */
    bench_flow(b);
    bench_disconnect(b);
    b->now.mono_ns += 200 * FOB_MS;
    fob_session_tick(b->session, b->now);
    bench_receipts_read(b);
    assert_int_equal(b->outcome[1], FOB_UNREACHABLE);
    bench_free(b);
}

static void closing_tells_what_was_sent_from_what_was_not(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    bench_offer_ok(b, 0);
    while (bench_send_one(b))
        ;
    bench_offer_ok(b, 0);
    fob_session_close(b->session);
    bench_receipts_read(b);
    assert_int_equal(b->outcome[1], FOB_UNKNOWN_OUTCOME);
    assert_int_equal(b->outcome[2], FOB_CLOSED);
    bench_check_receipts(b);
    bench_free(b);
}

static void a_lost_message_is_answered_with_gap_and_sent_again(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    bench_offer_ok(b, 0);
    bench_flow(b);
    for (int i = 0; i < 6; i++) {
        bench_offer_ok(b, 0);
        bench_send_one(b);
    }
    bench_message_free(&b->to_bus[b->bus_first++ % QUEUE]);
    bench_bus_takes_one(b);
    assert_int_equal(b->bus->gaps, 1);
    for (int i = 0; i < 5; i++)
        bench_pass(b, 100 * FOB_MS);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    assert_int_equal(b->bus->head, 7);
    bench_free(b);
}

static void a_forgotten_session_sends_again_what_has_an_id_and_reports_the_rest(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    bench_offer_ok(b, 0);
    bench_flow(b);
    for (int i = 0; i < 4; i++)
        assert_int_equal(bench_offer(b, 0, FOB_NEVER, i % 2 == 0), FOB_OK);
    while (bench_send_one(b))
        ;
    bench_disconnect(b);
    bench_offer_ok(b, 0); /* never sent: no doubt about it */
    model_bus_forget(b->bus);
    bench_connect(b);
    bench_renew_if_wanted(b);
    assert_false(b->up);
    bench_connect(b);
    bench_flow(b);
    bench_check_receipts(b);
    assert_int_equal(b->outcome[2], FOB_OK);
    assert_int_equal(b->outcome[3], FOB_UNKNOWN_OUTCOME);
    assert_int_equal(b->outcome[4], FOB_OK);
    assert_int_equal(b->outcome[5], FOB_UNKNOWN_OUTCOME);
    assert_int_equal(b->outcome[6], FOB_OK);
    assert_int_equal(b->bus->head, 4);
    bench_free(b);
}

static void a_forgotten_answer_begins_a_new_session_too(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    for (int i = 0; i < 4; i++) {
        bench_offer_ok(b, 0);
        bench_send_one(b);
    }
    /* Nothing was ever confirmed, so WELCOME tells nothing; the second message of this connection
     * meets a bus that has lost all. */
    bench_bus_takes_one(b);
    b->client_first = 0;
    bench_client_takes_one(b);
    model_bus_forget(b->bus);
    fob_wire_t receipt = {.verb = FOB_VERB_RECEIPT};
    fob_buf_t runs = {0};
    const uint64_t at[] = {FOB_FORGOTTEN, 2, 3, 0, 0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, at, 5);
    FOB_SET(&receipt, runs, fob_buf_slice(&runs));
    fob_session_input(b->session, b->now, &receipt);
    fob_buf_free(&runs);
    bench_renew_if_wanted(b);
    assert_false(b->up);
    bench_connect(b);
    bench_flow(b);
    bench_check_receipts(b); /* sent on this connection only: no doubt, all sent again */
    for (int n = 1; n <= 4; n++)
        assert_int_equal(b->outcome[n], FOB_OK);
    bench_free(b);
}

static void closing_gives_every_event_its_receipt(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    bench_connect(b);
    for (int i = 0; i < 50; i++)
        bench_offer_ok(b, 0);
    bench_send_one(b);
    fob_session_close(b->session);
    bench_receipts_read(b);
    bench_check_receipts(b);
    assert_int_equal(b->outcome[50], FOB_UNKNOWN_OUTCOME);
    assert_int_equal(bench_offer(b, 0, FOB_NEVER, false), FOB_CLOSED);
    bench_free(b);
}

static void an_event_for_which_the_bus_is_too_small_is_refused_when_that_is_known(void **state) {
    (void)state;
    bench_t *b = bench_new(16);
    uint8_t *large = calloc(1, 3000000);
    fob_envelope_t event = {.topic = fob_slice_str("t0"), .data = fob_slice(large, 3000000)};
    uint64_t number;
    assert_int_equal(fob_session_offer(b->session, &event, FOB_NEVER, (void *)1, &number), FOB_OK);
    b->offered = 1;
    bench_connect(b);
    bench_flow(b);
    assert_int_equal(b->outcome[1], FOB_TOO_LARGE);
    assert_int_equal(fob_session_offer(b->session, &event, FOB_NEVER, NULL, &number),
                     FOB_TOO_LARGE);
    event.data.size = 1000001;
    assert_int_equal(fob_session_offer(b->session, &event, FOB_NEVER, NULL, &number),
                     FOB_TOO_LARGE);
    event = (fob_envelope_t){.topic = fob_slice_str("no topic")};
    assert_int_equal(fob_session_offer(b->session, &event, FOB_NEVER, NULL, &number),
                     FOB_BAD_TOPIC);
    bench_offer_ok(b, 1);
    bench_flow(b);
    bench_check_receipts(b);
    free(large);
    bench_free(b);
}

/* The bus's own answer to the number 1 gets another code. */
static void answer(bench_t *b, uint64_t wire, uint64_t code, const char *why) {
    const uint64_t at[] = {code, wire, 1, 0, 0};
    fob_buf_t runs = {0};
    fob_wire_t receipt = {.verb = FOB_VERB_RECEIPT};
    fob_pack_array(&runs, 1);
    fob_pack_array(&runs, why ? 6 : 5);
    for (size_t i = 0; i < 5; i++)
        fob_pack_uint(&runs, at[i]);
    if (why) {
        fob_pack_map(&runs, 1);
        fob_pack_cstr(&runs, "text");
        fob_pack_cstr(&runs, why);
    }
    FOB_SET(&receipt, runs, fob_buf_slice(&runs));
    fob_session_input(b->session, b->now, &receipt);
    bench_receipts_read(b);
    fob_buf_free(&runs);
}

static void a_code_of_a_later_version_is_final_and_told_by_its_number(void **state) {
    static const uint64_t codes[] = {99, 65536, (uint64_t)1 << 32, UINT64_MAX};
    static const char *const numbers[] = {"code 99,", "code 65536,", "code 4294967296,",
                                          "code 18446744073709551615,"};
    (void)state;
    bench_t *b = bench_new(16);
    bench_connect(b);
    for (uint64_t i = 0; i < 4; i++) {
        bench_offer_ok(b, 0);
        bench_send_one(b);
        answer(b, i + 1, codes[i], i % 2 ? "too late" : NULL);
        assert_int_equal(b->told[i + 1], 1);
        assert_int_equal(b->outcome[i + 1], i ? UINT16_MAX : 99);
        assert_non_null(strstr(b->text, numbers[i]));
        assert_non_null(strstr(b->text, "which this version does not know"));
        assert_true(!strstr(b->text, ": too late") == !(i % 2));
    }
    bench_free(b);
}

FOB_MAIN(FOB_CASE(a_code_of_a_later_version_is_final_and_told_by_its_number),
         FOB_CASE(an_event_is_sent_at_once_and_gets_its_receipt),
         FOB_CASE(what_is_offered_meanwhile_goes_as_one_message),
         FOB_CASE(the_window_bounds_what_has_no_receipt),
         FOB_CASE(the_windows_of_a_smaller_bus_is_kept_too),
         FOB_CASE(a_flood_grows_its_batches_while_answers_are_awaited),
         FOB_CASE(what_has_no_receipt_is_sent_again_under_its_number),
         FOB_CASE(a_busy_topic_waits_and_the_others_flow),
         FOB_CASE(a_busy_event_past_its_deadline_says_busy_and_uses_up_its_number),
         FOB_CASE(a_full_disk_holds_everything_until_there_is_room),
         FOB_CASE(a_full_disk_is_named_when_the_deadline_passes),
         FOB_CASE(a_bus_that_is_never_reached_fails_events_after_the_connect_timeout),
         FOB_CASE(an_event_never_sent_leaves_no_trace_at_its_deadline),
         FOB_CASE(an_event_sent_and_past_its_deadline_is_not_stored_later),
         FOB_CASE(a_late_answer_after_the_deadline_gives_no_second_receipt),
         FOB_CASE(a_stored_event_whose_answer_was_lost_is_not_said_to_be_unstored),
         FOB_CASE(what_is_in_doubt_stays_so_on_the_next_connection),
         FOB_CASE(a_refusal_on_the_next_connection_ends_the_doubt),
         FOB_CASE(closing_tells_what_was_sent_from_what_was_not),
         FOB_CASE(a_lost_message_is_answered_with_gap_and_sent_again),
         FOB_CASE(a_forgotten_session_sends_again_what_has_an_id_and_reports_the_rest),
         FOB_CASE(a_forgotten_answer_begins_a_new_session_too),
         FOB_CASE(closing_gives_every_event_its_receipt),
         FOB_CASE(an_event_for_which_the_bus_is_too_small_is_refused_when_that_is_known))
