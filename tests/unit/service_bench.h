/* service_bench: the service without sockets, a ledger in memory behind it: the test is its
 * clients, the net and the clock. */
#ifndef FOB_SERVICE_BENCH_H
#define FOB_SERVICE_BENCH_H

#include "tests/support/case.h"

#include "bus/service/service.h"
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
static bool keeps; /* the net: bodies of FETCHED */
static fob_blob_t *kept[8];
static size_t kept_count;

static inline void note_delivery(const fob_wire_t *msg) {
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

static inline fob_send_t on_send(void *arg, uint64_t conn, fob_slice_t route, fob_slice_t header,
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
    if (keeps && msg.verb == FOB_VERB_FETCHED) {
        assert_true(kept_count < 8);
        kept[kept_count++] = body.blob;
        body.blob = NULL;
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
static inline void on_conn(void *arg, uint64_t conn) {
    (void)arg, (void)conn;
}
static inline void on_unread(void *arg) {
    (void)arg;
}
static bool listened; /* somebody hears the broadcast */
static size_t casts;
static inline bool on_audience(void *arg) {
    (void)arg;
    return listened;
}
static inline bool on_cast(void *arg, fob_slice_t header, fob_body_t body) {
    (void)arg, (void)header;
    casts++;
    fob_blob_unref(&body.blob);
    return true;
}
static inline fob_status_t on_answer(void *arg, fob_now_t now, const fob_wire_t *msg,
                                     fob_status_t status, const char *text, fob_buf_t *header,
                                     fob_body_t *body) {
    (void)arg, (void)now, (void)msg, (void)status, (void)text, (void)header, (void)body;
    fail_msg("nobody asked");
    return FOB_OK;
}
static inline void on_failed(void *arg, fob_status_t status, const char *text) {
    (void)arg, (void)status;
    fail_msg("%s", text);
}

static const fob_service_ops_t doors = {.send = on_send,
                                        .drop = on_conn,
                                        .unread = on_unread,
                                        .audience = on_audience,
                                        .cast = on_cast,
                                        .answer = on_answer,
                                        .failed = on_failed};

static inline fob_now_t now(void) {
    return (fob_now_t){.mono_ns = FOB_SEC + now_ms * FOB_MS, .wall_ms = 1700000000000 + now_ms};
}

static inline void on_log(void *arg, const char *text) {
    (void)arg, (void)text;
}

static inline int setup(void **state) {
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
    keeps = false;
    listened = true;
    casts = 0;
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

static inline int teardown(void **state) {
    (void)state;
    while (kept_count > 0)
        fob_blob_unref(&kept[--kept_count]);
    fob_service_destroy(&service);
    fob_ledger_destroy(&ledger);
    return 0;
}

/* A round that comes after so long, with one message (NULL: none) of the client. */
static inline void round_after(int64_t ms, uint8_t client, const fob_wire_t *msg,
                               fob_blob_t *body) {
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

static inline void greet_as(uint8_t client, uint8_t number) {
    const uint8_t session[FOB_SESSION_SIZE] = {number};
    fob_wire_t hello = {.verb = FOB_VERB_HELLO};
    FOB_SET(&hello, version_min, 1);
    FOB_SET(&hello, version_max, 1);
    FOB_SET(&hello, session, fob_slice(session, sizeof session));
    round_after(0, client, &hello, NULL);
}

/* A client of a number that ends in the same digit is the same, on another connection. */
static inline void greet(uint8_t client) {
    greet_as(client, client % 10);
}

static inline void join_claiming(uint8_t client, uint64_t lease_ms, const uint64_t *claim) {
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

static inline void join(uint8_t client, uint64_t lease_ms) {
    join_claiming(client, lease_ms, NULL);
}

static inline void publish(uint8_t client, uint64_t number) {
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

static inline void ack(int64_t ms, uint8_t client) {
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

#endif
