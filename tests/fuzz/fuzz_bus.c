/* fuzz_bus: any messages of several clients to the bus, from the handshake to the core and back. A
 * piece is one message behind a byte: 3 bits: which client; 8: its body is the next piece; 16: more
 * than two frames; 32: no message, and the rest are ms that pass; 64: what is sent to that client
 * is not taken (its pipe is full, it is gone). */
#include "bus/service/service.h"
#include "proto/envelope.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"

#include <string.h>

enum { CLIENTS = 7, HAS_BODY = 8, MANY_FRAMES = 16, TIME = 32, REFUSES = 64 };

typedef struct {
    fob_ledger_t *ledger;
    fob_service_t *service;
    fob_house_t house;
    fob_now_t now;
    bool refuses;
    uint64_t sent;
} world_t;

static const fob_core_config_t config = {.max_event = 1000,
                                         .max_groups = 5,
                                         .max_sessions = 5,
                                         .session_keep_ms = 60000,
                                         .resume_ms = 3000,
                                         .cache_bytes = 4096,
                                         .page_bytes = 512,
                                         .mark_block = 8,
                                         .policy = {.max_depth = 50,
                                                    .max_bytes = 10000,
                                                    .max_attempts = 3,
                                                    .backoff_first = 10,
                                                    .backoff_factor = 2,
                                                    .backoff_max = 1000,
                                                    .dead_max = 10,
                                                    .dead_max_age = 100000},
                                         .dedup_max = 20,
                                         .dedup_window_ms = 60000,
                                         .seed = 1,
                                         .topics_max = 3, /* others are soon forgotten */
                                         .slice_bytes = 1000,
                                         .release_first_ms = 100};

/* --- what the bus says --- */

/* Runs go up, end below `next`, and the body has just these events, or none. */
static void rules_of_past(const fob_wire_t *msg, fob_slice_t body) {
    uint64_t last = 0, told = 0, here = 0;
    fob_cursor_t cursor = fob_cursor(body);
    fob_envelope_t event;
    fob_runs_t runs;
    fob_run_t run;
    FUZZ_RULE(fob_runs(msg->runs, &runs));
    while (fob_runs_next(&runs, &run)) {
        FUZZ_RULE(run.at[0] > last && run.at[1] > 0 && run.at[0] + run.at[1] <= msg->next);
        last = run.at[0] + run.at[1] - 1;
        told += run.at[1];
    }
    for (; !fob_cursor_end(&cursor); here++)
        FUZZ_RULE(fob_envelope_read(&cursor, config.max_event, &event) == FOB_OK);
    FUZZ_RULE(here == told || body.size == 0);
}

static fob_send_t on_send(void *arg, uint64_t conn, fob_slice_t route, fob_slice_t header,
                          fob_body_t body) {
    world_t *self = arg;
    fob_wire_t msg;
    (void)conn;
    FUZZ_RULE(route.size == FOB_ROUTE_SIZE);
    FUZZ_RULE(fob_wire_read(header, &msg) == FOB_OK);
    FUZZ_RULE(!body.blob || body.at + body.size <= fob_blob_slice(body.blob).size);
    FUZZ_RULE(body.blob || (msg.verb != FOB_VERB_FETCHED && msg.verb != FOB_VERB_WHOLENESS));
    if (msg.verb == FOB_VERB_FETCHED && msg.code == FOB_OK)
        rules_of_past(&msg, fob_slice(fob_blob_slice(body.blob).data + body.at, body.size));
    fob_blob_unref(&body.blob);
    self->sent++;
    return !self->refuses ? FOB_SEND_DONE : self->sent % 2 ? FOB_SEND_GONE : FOB_SEND_UNREAD;
}

static void on_conn(void *arg, uint64_t conn) {
    (void)arg, (void)conn;
}

static void on_unread(void *arg) {
    (void)arg;
}

static bool on_cast(void *arg, fob_slice_t header, fob_body_t body) {
    world_t *self = arg;
    fob_cast_t cast;
    FUZZ_RULE(fob_cast_read(header, &cast) == FOB_OK);
    fob_blob_unref(&body.blob);
    return !self->refuses;
}

static fob_status_t on_answer(void *arg, fob_now_t now, const fob_wire_t *msg, fob_status_t status,
                              const char *text, fob_buf_t *header, fob_body_t *body) {
    (void)arg, (void)now;
    fob_wire_t reply = {.verb = FOB_VERB_REPLY};
    *body = (fob_body_t){.blob = NULL};
    fob_buf_clear(header);
    FOB_SET(&reply, req, msg->req);
    FOB_SET(&reply, code, status == FOB_AGAIN ? FOB_OK : status);
    if (text && text[0])
        FOB_SET(&reply, text, fob_slice_str(text));
    return fob_wire_write(header, &reply);
}

static void on_failed(void *arg, fob_status_t status, const char *text) {
    (void)arg;
    fprintf(stderr, "%s: %s\n", fob_status_name(status), text);
    FUZZ_RULE(!"the bus goes on, whatever clients say");
}

static void on_log(void *arg, const char *line) {
    (void)arg, (void)line;
}

/* --- rounds --- */

static bool begin(world_t *self) {
    static const fob_service_ops_t doors = {.send = on_send,
                                            .drop = on_conn,
                                            .unread = on_unread,
                                            .cast = on_cast,
                                            .answer = on_answer,
                                            .failed = on_failed};
    char text[256];
    fob_status_t status;
    *self = (world_t){.now = {FOB_SEC, 1700000000000}};
    self->house = (fob_house_t){.level = "memory",
                                .advertise = "",
                                .heartbeat_ms = 1000,
                                .epoch = 1,
                                .max_event = 1000,
                                .max_batch = 10000,
                                .window = 100};
    self->ledger = fob_ledger_new(fob_journal_memory_new(1 << 20, 4096, 60000), &config, self->now,
                                  on_log, NULL, &status, text, sizeof text);
    self->service = self->ledger ? fob_service_new(&(fob_service_options_t){.ledger = self->ledger,
                                                                            .house = &self->house,
                                                                            .max_connections = 5,
                                                                            .max_disk = 1 << 20,
                                                                            .source = 1,
                                                                            .ops = &doors,
                                                                            .arg = self})
                                 : NULL;
    return self->service;
}

static void end_round(world_t *self) {
    fob_service_turn(self->service, true);
    fob_service_news(self->service);
    fob_service_perform(self->service);
}

static void books(world_t *self) {
    fob_group_stats_t s;
    fob_core_t *core = fob_ledger_core(self->ledger);
    for (size_t i = 0; fob_core_group_stats(core, self->now, i, &s); i++) {
        FUZZ_RULE(s.accepted == s.acked + s.dead + s.expired + s.shed + s.removed + s.ready +
                                    s.leased + s.delayed);
        FUZZ_RULE(s.ready <= s.accepted && s.leased <= s.accepted && s.delayed <= s.accepted);
    }
    FUZZ_RULE(fob_core_group_count(core) <= config.max_groups);
}

static void message(world_t *self, uint8_t how, fob_slice_t header, fob_slice_t body) {
    const uint8_t route[FOB_ROUTE_SIZE] = {0, how & CLIENTS};
    fob_mail_t mail = {.route = fob_slice(route, sizeof route),
                       .header = header,
                       .body = how & HAS_BODY ? fob_blob_copy(body) : NULL,
                       .frames = how & MANY_FRAMES ? 5
                                 : how & HAS_BODY  ? 2
                                                   : 1,
                       .bytes = header.size + body.size};
    self->refuses = how & REFUSES;
    fob_service_message(self->service, &mail);
    fob_blob_unref(&mail.body);
}

static void pass(world_t *self, fob_slice_t piece) {
    int64_t ms = (int64_t)piece_byte(&piece) * (1 + 10 * (int64_t)piece_byte(&piece));
    self->now.mono_ns += ms * FOB_MS;
    self->now.wall_ms += ms;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fob_slice_t rest = fob_slice(data, size), piece, body;
    world_t world;
    FUZZ_RULE(begin(&world));
    while (piece_next(&rest, &piece)) {
        uint8_t how = piece_byte(&piece);
        body = (fob_slice_t){0};
        if (how & HAS_BODY && !piece_next(&rest, &body))
            break;
        if (how & TIME)
            pass(&world, piece);
        fob_service_round(world.service, world.now);
        if (!(how & TIME))
            message(&world, how, piece, body);
        end_round(&world);
        books(&world);
    }
    world.refuses = false;
    fob_service_goodbye(world.service, "the end", 1);
    fob_service_destroy(&world.service);
    fob_ledger_destroy(&world.ledger);
    return 0;
}
