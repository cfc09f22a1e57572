/* The service without sockets: what becomes of a message that cannot be sent, and of a round that
 * comes late. */
#include "service_bench.h"

static void an_event_that_could_not_be_sent_is_tried_by_the_next_as_if_never_out(void **state) {
    (void)state;
    join(1, 0);
    greet(9);
    gone = true;
    publish(9, 1);
    gone = false;
    assert_int_equal(sent[FOB_VERB_DELIVER], 0);
    join(2, 0);
    assert_int_equal(sent[FOB_VERB_DELIVER], 1);
    assert_int_equal(offset, 1);
    assert_int_equal(attempt, 1);
}

/* Nor is it a loss: whoever comes later begins there, or reads the past. */
static void what_is_stored_is_broadcast_only_while_somebody_listens(void **state) {
    (void)state;
    greet(9);
    publish(9, 1);
    assert_int_equal(casts, 1);
    listened = false;
    publish(9, 2);
    assert_int_equal(casts, 1);
    listened = true;
    publish(9, 3);
    assert_int_equal(casts, 2);
    assert_int_equal(fob_service_counts(service)->dropped_casts, 0);
}

#define NAMES_MOST (65536 / (FOB_NAME_MAX + 9)) /* of the longest, of one connection */

/* Asks for the group of this number; the name is as long as one may be. */
static fob_status_t ask_to_join(uint8_t client, int number, bool create) {
    char group[FOB_NAME_MAX + 1];
    size_t answers = sent[FOB_VERB_JOINED];
    fob_wire_t msg = {.verb = FOB_VERB_JOIN};
    snprintf(group, sizeof group, "%0*d", FOB_NAME_MAX, number);
    FOB_SET(&msg, group, fob_slice_str(group));
    FOB_SET(&msg, pattern, fob_slice_str("a"));
    FOB_SET(&msg, create, create);
    round_after(0, client, &msg, NULL);
    assert_int_equal(sent[FOB_VERB_JOINED], answers + 1); /* each is answered */
    return joined;
}

/* Of what it is in more the bus could not tell what it was sent. */
static void a_connection_may_join_so_many_groups_and_is_told_when_they_are_too_many(void **state) {
    (void)state;
    greet(1);
    greet(2);
    for (int i = 0; i < NAMES_MOST; i++)
        assert_int_equal(ask_to_join(1, i, true), FOB_OK);
    assert_int_equal(ask_to_join(1, NAMES_MOST, true), FOB_LIMIT);
    assert_int_equal(ask_to_join(2, NAMES_MOST, true), FOB_OK);
}

static void a_join_that_is_refused_takes_no_room_from_others(void **state) {
    (void)state;
    greet(1);
    for (int i = 0; i < 2 * NAMES_MOST; i++)
        assert_int_equal(ask_to_join(1, i, false), FOB_NO_GROUP);
    for (int i = 0; i < NAMES_MOST; i++)
        assert_int_equal(ask_to_join(1, i, true), FOB_OK);
}

static void a_second_join_that_is_refused_leaves_the_worker_in_its_group(void **state) {
    (void)state;
    fob_wire_t again = {.verb = FOB_VERB_JOIN}, bye = {.verb = FOB_VERB_GOODBYE};
    join(1, 0);
    greet(9);
    publish(9, 1);
    assert_int_equal(attempt, 1);
    FOB_SET(&again, group, fob_slice_str("g"));
    FOB_SET(&again, pattern, fob_slice_str("b"));
    round_after(0, 1, &again, NULL);
    assert_int_equal(joined, FOB_PATTERN_DIFFERS);
    round_after(0, 1, &bye, NULL); /* it leaves, at no cost */
    join(2, 0);
    assert_int_equal(sent[FOB_VERB_DELIVER], 2);
    assert_int_equal(attempt, 1);
}

static void a_late_round_takes_no_lease_away_before_it_hears_what_came(void **state) {
    (void)state;
    join(1, 1000);
    greet(9);
    publish(9, 1);
    assert_int_equal(sent[FOB_VERB_DELIVER], 1);
    round_after(2500, 0, NULL, NULL); /* the bus stood still; what came meanwhile is on its way */
    ack(10, 1);
    assert_int_equal(sent[FOB_VERB_LOST], 0);
    assert_int_equal(sent[FOB_VERB_SETTLED], 1);
    assert_int_equal(sent[FOB_VERB_DELIVER], 1);
}

static void a_lease_that_is_over_in_time_is_taken_away_in_time(void **state) {
    (void)state;
    join(1, 1000);
    greet(9);
    publish(9, 1);
    round_after(990, 0, NULL, NULL);
    assert_int_equal(sent[FOB_VERB_LOST], 0);
    round_after(11, 0, NULL, NULL);
    assert_int_equal(sent[FOB_VERB_LOST], 1);
}

/* --- a transport that broke --- */

static void beat(int64_t ms, uint8_t client) {
    fob_wire_t msg = {.verb = FOB_VERB_BEAT};
    round_after(ms, client, &msg, NULL);
}

static const fob_group_stats_t *stats(void) {
    static fob_group_stats_t of;
    assert_true(fob_core_group_stats(fob_ledger_core(ledger), now(), 0, &of));
    return &of;
}

/* Client 1 holds the event 1, its transport breaks, and the bus finds that out at once. */
static void break_off(void) {
    join(1, 0);
    greet(9);
    publish(9, 1);
    assert_int_equal(sent[FOB_VERB_DELIVER], 1);
    away = 1;
    beat(400, 9);
    beat(400, 9); /* a beat of the bus finds nobody */
    assert_int_equal(stats()->workers, 0);
}

static void a_worker_keeps_what_it_holds_for_three_beats_when_its_transport_breaks(void **state) {
    (void)state;
    break_off();
    join(2, 0);
    for (int ms = 800; ms < 3000; ms += 200) {
        assert_int_equal(stats()->leased, 1);
        assert_int_equal(sent[FOB_VERB_DELIVER], 1);
        beat(200, 2);
    }
    beat(250, 2);
    assert_int_equal(sent[FOB_VERB_DELIVER], 2);
    assert_int_equal(attempt, 2);
}

static void why_names_the_worker_that_cannot_be_reached(void **state) {
    (void)state;
    break_off();
    assert_string_equal(stats()->state, "no_worker");
    assert_non_null(strstr(stats()->why, "1 unsettled, no worker can be reached"));
    assert_non_null(strstr(stats()->why, "is unreachable: its 1 event goes to others in 2.2 s"));
    join(2, 0);
    assert_int_equal(stats()->workers, 1);
    assert_int_equal(stats()->busy, 0);
    assert_string_equal(stats()->state, "flowing");
    assert_non_null(strstr(stats()->why, "its 1 event goes to others in 2.2 s"));
}

static void what_it_settled_before_its_transport_broke_is_settled(void **state) {
    (void)state;
    break_off();
    ack(0, 1);
    assert_int_equal(stats()->acked, 1);
    assert_int_equal(sent[FOB_VERB_SETTLED], 0); /* to whom? */
}

static void a_worker_that_is_back_keeps_what_it_claims(void **state) {
    (void)state;
    break_off();
    join_claiming(11, 0, (uint64_t[]){offset, 1, token});
    assert_int_equal(stats()->leased, 1);
    assert_int_equal(stats()->workers, 1);
    assert_null(strstr(stats()->why, "unreachable"));
    fob_peers_stats_t peers;
    fob_peers_stats(fob_service_peers(service), &peers);
    assert_int_equal(peers.unreachable, 0); /* the old connection is over */
    ack(0, 11);
    assert_int_equal(stats()->acked, 1);
}

static void what_a_worker_that_is_back_does_not_claim_goes_to_others_at_once(void **state) {
    (void)state;
    break_off();
    join(2, 0);
    join(11, 0);
    assert_int_equal(sent[FOB_VERB_DELIVER], 2);
    assert_int_equal(attempt, 1);
}

static void a_worker_that_held_nothing_is_over_when_its_transport_breaks(void **state) {
    (void)state;
    join(1, 0);
    greet(9);
    away = 1;
    publish(9, 1);
    fob_peers_stats_t peers;
    fob_peers_stats(fob_service_peers(service), &peers);
    assert_int_equal(peers.unreachable, 0);
    assert_int_equal(stats()->ready, 1);
    join(2, 0);
    assert_int_equal(attempt, 1);
}

/* A delivery that is decided, and waits for its commit when its connection ends. */
static void a_delivery_that_was_not_sent_in_time_costs_no_attempt(void **state) {
    (void)state;
    join(1, 0);
    greet(9);
    publish(9, 1);
    fob_wire_t hello = {.verb = FOB_VERB_HELLO};
    FOB_SET(&hello, version_min, 1);
    FOB_SET(&hello, version_max, 1);
    fob_buf_t body = {0};
    fob_envelope_t event = {.topic = fob_slice_str("a")};
    assert_int_equal(fob_envelope_write(&body, 100, &event), FOB_OK);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    fob_wire_t publish2 = {.verb = FOB_VERB_PUBLISH};
    FOB_SET(&publish2, first, 2);
    FOB_SET(&publish2, low, 2);
    fob_buf_t header = {0};
    const uint8_t to[FOB_ROUTE_SIZE] = {0, 9}, from[FOB_ROUTE_SIZE] = {0, 1};
    fob_service_round(service, now());
    assert_int_equal(fob_wire_write(&header, &publish2), FOB_OK);
    fob_service_message(service, &(fob_mail_t){.route = fob_slice(to, sizeof to),
                                               .header = fob_buf_slice(&header),
                                               .body = blob,
                                               .frames = 2});
    fob_service_turn(service, true); /* the delivery is decided, and waits for its commit */
    fob_buf_clear(&header);
    assert_int_equal(fob_wire_write(&header, &hello), FOB_OK);
    fob_service_message(service, &(fob_mail_t){.route = fob_slice(from, sizeof from),
                                               .header = fob_buf_slice(&header),
                                               .frames = 1}); /* what it held is over */
    round_after(0, 0, NULL, NULL);
    join(2, 0);
    assert_int_equal(stats()->leased, 2);
    assert_int_equal(attempts[1], 2); /* that one was there */
    assert_int_equal(attempts[2], 1);
    fob_blob_unref(&blob);
    fob_buf_free(&body);
    fob_buf_free(&header);
}

static void a_beat_with_an_echo_has_its_answer_in_the_same_round(void **state) {
    (void)state;
    join(1, 0);
    fob_wire_t msg = {.verb = FOB_VERB_BEAT};
    FOB_SET(&msg, echo, 77);
    round_after(10, 1, &msg, NULL);
    assert_int_equal(echo, 77);
    assert_int_equal(sent[FOB_VERB_BEAT], 1);
    FOB_SET(&msg, echo, 78);
    away = 1;
    round_after(10, 1, &msg, NULL); /* and where that finds nobody, nothing follows */
    assert_int_equal(echo, 77);
}

static bool session_known(uint8_t client) {
    const uint8_t session[FOB_SESSION_SIZE] = {client};
    bool known;
    fob_core_session_last(fob_ledger_core(ledger), session, &known);
    return known;
}

static void come_and_go(uint8_t client) {
    fob_wire_t msg = {.verb = FOB_VERB_GOODBYE};
    greet(client);
    publish(client, 1);
    round_after(0, client, &msg, NULL);
}

/* What WELCOME told of it stays true, however many come and go before it says more. */
static void a_session_is_kept_from_the_hello_of_its_publisher_on(void **state) {
    (void)state;
    come_and_go(1);
    greet(11);
    for (uint8_t client = 2; client < 8; client++) {
        come_and_go(client);
        assert_true(session_known(client)); /* there was room: who says goodbye goes first */
    }
    assert_true(session_known(1));
    assert_false(session_known(2));
    fob_wire_t msg = {.verb = FOB_VERB_GOODBYE};
    round_after(0, 11, &msg, NULL);
    come_and_go(8);
    come_and_go(9);
    come_and_go(10);
    assert_false(session_known(1));
}

static void a_client_with_ever_new_sessions_takes_one_place(void **state) {
    (void)state;
    for (uint8_t session = 100; session < 200; session++) {
        greet_as(1, session);
        publish(1, 1);
        assert_true(session_known(session));
    }
    for (uint8_t client = 2; client < 4; client++) {
        greet(client);
        publish(client, 1);
        assert_true(session_known(client));
    }
}

/* Its first number may be in doubt. */
static void a_client_that_says_hello_again_as_the_same_is_known(void **state) {
    (void)state;
    for (uint8_t client = 1; client < 4; client++) {
        greet(client);
        publish(client, 1);
        greet(client);
    }
    come_and_go(4);
    for (uint8_t client = 1; client < 4; client++)
        assert_true(session_known(client));
    assert_false(session_known(4)); /* there was no room */
}

FOB_MAIN(FOB_CASE_WITH(what_is_stored_is_broadcast_only_while_somebody_listens, setup, teardown),
         FOB_CASE_WITH(an_event_that_could_not_be_sent_is_tried_by_the_next_as_if_never_out, setup,
                       teardown),
         FOB_CASE_WITH(a_connection_may_join_so_many_groups_and_is_told_when_they_are_too_many,
                       setup, teardown),
         FOB_CASE_WITH(a_join_that_is_refused_takes_no_room_from_others, setup, teardown),
         FOB_CASE_WITH(a_second_join_that_is_refused_leaves_the_worker_in_its_group, setup,
                       teardown),
         FOB_CASE_WITH(a_late_round_takes_no_lease_away_before_it_hears_what_came, setup, teardown),
         FOB_CASE_WITH(a_lease_that_is_over_in_time_is_taken_away_in_time, setup, teardown),
         FOB_CASE_WITH(a_worker_keeps_what_it_holds_for_three_beats_when_its_transport_breaks,
                       setup, teardown),
         FOB_CASE_WITH(why_names_the_worker_that_cannot_be_reached, setup, teardown),
         FOB_CASE_WITH(what_it_settled_before_its_transport_broke_is_settled, setup, teardown),
         FOB_CASE_WITH(a_worker_that_is_back_keeps_what_it_claims, setup, teardown),
         FOB_CASE_WITH(what_a_worker_that_is_back_does_not_claim_goes_to_others_at_once, setup,
                       teardown),
         FOB_CASE_WITH(a_worker_that_held_nothing_is_over_when_its_transport_breaks, setup,
                       teardown),
         FOB_CASE_WITH(a_delivery_that_was_not_sent_in_time_costs_no_attempt, setup, teardown),
         FOB_CASE_WITH(a_beat_with_an_echo_has_its_answer_in_the_same_round, setup, teardown),
         FOB_CASE_WITH(a_session_is_kept_from_the_hello_of_its_publisher_on, setup, teardown),
         FOB_CASE_WITH(a_client_with_ever_new_sessions_takes_one_place, setup, teardown),
         FOB_CASE_WITH(a_client_that_says_hello_again_as_the_same_is_known, setup, teardown))
