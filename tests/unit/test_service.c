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
static bool gone; /* a DELIVER finds nobody */
static uint64_t attempt, token, offset;

static void note_delivery(const fob_wire_t *msg) {
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(msg->runs, &runs));
    assert_true(fob_runs_next(&runs, &run));
    offset = run.at[0];
    token = run.at[2];
    attempt = run.at[3];
}

static fob_send_t on_send(void *arg, uint64_t conn, fob_slice_t route, fob_slice_t header,
                          fob_body_t body) {
    (void)arg, (void)conn, (void)route;
    fob_wire_t msg;
    assert_int_equal(fob_wire_read(header, &msg), FOB_OK);
    fob_blob_unref(&body.blob);
    if (gone && msg.verb == FOB_VERB_DELIVER)
        return FOB_SEND_GONE;
    sent[msg.verb]++;
    if (msg.verb == FOB_VERB_DELIVER)
        note_delivery(&msg);
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
                                .max_groups = 10,
                                .max_sessions = 10,
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

static void greet(uint8_t client) {
    static uint8_t session[FOB_SESSION_SIZE];
    fob_wire_t hello = {.verb = FOB_VERB_HELLO};
    session[0] = client;
    FOB_SET(&hello, version_min, 1);
    FOB_SET(&hello, version_max, 1);
    FOB_SET(&hello, session, fob_slice(session, sizeof session));
    round_after(0, client, &hello, NULL);
}

static void join(uint8_t client, uint64_t lease_ms) {
    fob_wire_t msg = {.verb = FOB_VERB_JOIN};
    greet(client);
    FOB_SET(&msg, group, fob_slice_str("g"));
    FOB_SET(&msg, pattern, fob_slice_str("a"));
    FOB_SET(&msg, create, true);
    FOB_SET(&msg, credit, 10);
    FOB_SET(&msg, lease, lease_ms);
    round_after(0, client, &msg, NULL);
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

FOB_MAIN(FOB_CASE_WITH(an_event_that_could_not_be_sent_is_tried_by_the_next_as_if_never_out, setup,
                       teardown),
         FOB_CASE_WITH(a_late_round_takes_no_lease_away_before_it_hears_what_came, setup, teardown),
         FOB_CASE_WITH(a_lease_that_is_over_in_time_is_taken_away_in_time, setup, teardown))
