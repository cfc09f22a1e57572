/* The service without sockets: what becomes of a message that cannot be sent, and of a round that
 * comes late. */
#include "tests/support/case.h"

#include "bus/service.h"
#include "proto/envelope.h"

#include <stdlib.h>

static fob_ledger_t *ledger;
static fob_service_t *service;
static fob_house_t house;
static int64_t now_ms;

/* What was sent since it was cleared, by verb; and what cannot be. */
static size_t sent[64];
static bool gone;    /* a DELIVER finds nobody */
static uint8_t away; /* and so does whatever goes to this client */
static uint64_t attempt, token, offset, echo;
static uint64_t attempts[8]; /* by offset */
static fob_status_t joined;  /* what the last JOINED said */
static fob_status_t fetched_code;
static uint64_t fetched_next;
static uint8_t rows[64]; /* of a WHOLENESS */
static size_t rows_size;

static void note_delivery(const fob_wire_t *msg) {
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(msg->runs, &runs));
    assert_true(fob_runs_next(&runs, &run));
    offset = run.at[0];
    token = run.at[2];
    attempt = run.at[3];
    do
        attempts[run.at[0]] = run.at[3];
    while (fob_runs_next(&runs, &run));
}

static fob_send_t on_send(void *arg, uint64_t conn, fob_slice_t route, fob_slice_t header,
                          fob_body_t body) {
    (void)arg, (void)conn;
    fob_wire_t msg;
    assert_int_equal(fob_wire_read(header, &msg), FOB_OK);
    if (msg.verb == FOB_VERB_WHOLENESS) {
        assert_non_null(body.blob);
        assert_true(body.size <= sizeof rows);
        rows_size = body.size;
        memcpy(rows, fob_blob_slice(body.blob).data + body.at, body.size);
    }
    fob_blob_unref(&body.blob);
    if ((gone && msg.verb == FOB_VERB_DELIVER) || (away && route.data[1] == away))
        return FOB_SEND_GONE;
    echo = FOB_HAS(&msg, echo) ? msg.echo : echo;
    if (msg.verb == FOB_VERB_FETCHED || msg.verb == FOB_VERB_WHOLENESS) {
        fetched_code = fob_wire_status(msg.code);
        fetched_next = msg.next;
    }
    sent[msg.verb]++;
    if (msg.verb == FOB_VERB_DELIVER)
        note_delivery(&msg);
    if (msg.verb == FOB_VERB_JOINED)
        joined = (fob_status_t)msg.code;
    return FOB_SEND_DONE;
}
static void on_conn(void *arg, uint64_t conn) {
    (void)arg, (void)conn;
}
static void on_unread(void *arg) {
    (void)arg;
}
static bool on_cast(void *arg, fob_slice_t header, fob_body_t body) {
    (void)arg, (void)header;
    fob_blob_unref(&body.blob);
    return true;
}
static fob_status_t on_answer(void *arg, fob_now_t now, const fob_wire_t *msg, fob_status_t status,
                              const char *text, fob_buf_t *header, fob_body_t *body) {
    (void)arg, (void)now, (void)msg, (void)status, (void)text, (void)header, (void)body;
    fail_msg("nobody asked");
    return FOB_OK;
}
static void on_failed(void *arg, fob_status_t status, const char *text) {
    (void)arg, (void)status;
    fail_msg("%s", text);
}

static const fob_service_ops_t doors = {on_send, on_conn, on_unread, on_cast, on_answer, on_failed};

static fob_now_t now(void) {
    return (fob_now_t){.mono_ns = FOB_SEC + now_ms * FOB_MS, .wall_ms = 1700000000000 + now_ms};
}

static void on_log(void *arg, const char *text) {
    (void)arg, (void)text;
}

static int setup(void **state) {
    (void)state;
    fob_core_config_t config = {.max_event = 100000,
                                .max_groups = 300,
                                .max_sessions = 3,
                                .session_grace_ms = 60000,
                                .session_keep_ms = 3600000,
                                .resume_ms = 3000,
                                .cache_bytes = 1 << 20,
                                .page_bytes = 4096,
                                .mark_block = 100,
                                .policy = {.max_depth = 1000,
                                           .max_bytes = INT64_MAX,
                                           .max_attempts = 5,
                                           .backoff_factor = 1,
                                           .dead_max = 1000,
                                           .dead_max_age = INT64_C(2592000000)}};
    char text[256];
    fob_status_t status;
    now_ms = 0;
    gone = false;
    away = 0;
    memset(sent, 0, sizeof sent);
    ledger = fob_ledger_new(fob_journal_memory_new(1 << 24, 1 << 24, 3600000), &config, now(),
                            on_log, NULL, &status, text, sizeof text);
    assert_non_null(ledger);
    house = (fob_house_t){
        .level = "memory", .advertise = "", .heartbeat_ms = 1000, .epoch = 1, .window = 100};
    service = fob_service_new(&(fob_service_options_t){
        .ledger = ledger, .house = &house, .max_connections = 10, .ops = &doors});
    assert_non_null(service);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fob_service_destroy(&service);
    fob_ledger_destroy(&ledger);
    return 0;
}

/* A round that comes after so long, with one message (NULL: none) of the client. */
static void round_after(int64_t ms, uint8_t client, const fob_wire_t *msg, fob_blob_t *body) {
    const uint8_t route[FOB_ROUTE_SIZE] = {0, client};
    fob_buf_t header = {0};
    now_ms += ms;
    fob_service_round(service, now());
    if (msg) {
        assert_int_equal(fob_wire_write(&header, msg), FOB_OK);
        fob_mail_t mail = {.route = fob_slice(route, sizeof route),
                           .header = fob_buf_slice(&header),
                           .body = body,
                           .frames = body ? 2 : 1};
        fob_service_message(service, &mail);
    }
    for (int i = 0; i < 2; i++) { /* the journal in memory is durable at once */
        fob_service_turn(service, true);
        fob_service_news(service);
        fob_service_perform(service);
    }
    fob_buf_free(&header);
}

static void greet_as(uint8_t client, uint8_t number) {
    const uint8_t session[FOB_SESSION_SIZE] = {number};
    fob_wire_t hello = {.verb = FOB_VERB_HELLO};
    FOB_SET(&hello, version_min, 1);
    FOB_SET(&hello, version_max, 1);
    FOB_SET(&hello, session, fob_slice(session, sizeof session));
    round_after(0, client, &hello, NULL);
}

/* A client of a number that ends in the same digit is the same, on another connection. */
static void greet(uint8_t client) {
    greet_as(client, client % 10);
}

static void join_claiming(uint8_t client, uint64_t lease_ms, const uint64_t *claim) {
    fob_wire_t msg = {.verb = FOB_VERB_JOIN};
    fob_buf_t runs = {0};
    greet(client);
    fob_pack_array(&runs, claim ? 1 : 0);
    if (claim)
        fob_run_write(&runs, claim, 3);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    FOB_SET(&msg, group, fob_slice_str("g"));
    FOB_SET(&msg, pattern, fob_slice_str("a"));
    FOB_SET(&msg, create, true);
    FOB_SET(&msg, credit, 10);
    FOB_SET(&msg, jobs, 2);
    FOB_SET(&msg, lease, lease_ms);
    round_after(0, client, &msg, NULL);
    fob_buf_free(&runs);
}

static void join(uint8_t client, uint64_t lease_ms) {
    join_claiming(client, lease_ms, NULL);
}

static void publish(uint8_t client, uint64_t number) {
    fob_buf_t body = {0};
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    fob_envelope_t event = {.topic = fob_slice_str("a")};
    FOB_SET(&msg, first, number);
    FOB_SET(&msg, low, number);
    assert_int_equal(fob_envelope_write(&body, 100, &event), FOB_OK);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    round_after(0, client, &msg, blob);
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

static void ack(int64_t ms, uint8_t client) {
    fob_buf_t runs = {0};
    fob_wire_t msg = {.verb = FOB_VERB_SETTLE};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){FOB_KIND_ACK, offset, 1, token}, 4);
    FOB_SET(&msg, group, fob_slice_str("g"));
    FOB_SET(&msg, seq, 1);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    round_after(ms, client, &msg, NULL);
    fob_buf_free(&runs);
}

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

/* --- what was missed --- */

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

FOB_MAIN(FOB_CASE_WITH(an_event_that_could_not_be_sent_is_tried_by_the_next_as_if_never_out, setup,
                       teardown),
         FOB_CASE_WITH(a_connection_may_join_so_many_groups_and_is_told_when_they_are_too_many,
                       setup, teardown),
         FOB_CASE_WITH(a_join_that_is_refused_takes_no_room_from_others, setup, teardown),
         FOB_CASE_WITH(a_second_join_that_is_refused_leaves_the_worker_in_its_group, setup,
                       teardown),
         FOB_CASE_WITH(a_late_round_takes_no_lease_away_before_it_hears_what_came, setup, teardown),
         FOB_CASE_WITH(a_fetch_is_answered_from_the_journal, setup, teardown),
         FOB_CASE_WITH(whether_a_pattern_is_whole_is_answered_by_the_last_event_of_each_topic,
                       setup, teardown),
         FOB_CASE_WITH(who_broke_off_is_fetched_nothing, setup, teardown),
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
