/* The bus's own parts (peers, clerk, service, ledger, outbox, letters, core) where memory is
 * refused, once or from then on: what was confirmed is stored, the books balance, a client that is
 * not answered is ended, or the bus stops and says why. */
#include "tests/support/case.h"

#include "bus/service/service.h"
#include "proto/envelope.h"
#include "watched.h"

#define NUMBERS 20

bool watched;
static unsigned stops; /* stories in which the bus stopped */

WATCHED_VOID(fob_service_round, (fob_service_t * self, fob_now_t now), (self, now))
WATCHED_VOID(fob_service_news, (fob_service_t * self), (self))
WATCHED_VOID(fob_service_message, (fob_service_t * self, const fob_mail_t *mail), (self, mail))
WATCHED_VOID(fob_service_turn, (fob_service_t * self, bool drained), (self, drained))
WATCHED_VOID(fob_service_perform, (fob_service_t * self), (self))

typedef struct {
    fob_ledger_t *ledger;
    fob_service_t *service;
    fob_house_t house;
    int64_t ms;
    fob_status_t failed;
    bool greeted[3], joined, ended[3];
    uint64_t stored[NUMBERS + 1]; /* offset that a receipt told */
    uint64_t settles;
    bool deaf;        /* worker 1 cannot be sent what is delivered */
    uint64_t attempt; /* of the event that was delivered last; 0: none was */
} world_t;

static void on_receipt(world_t *self, const fob_wire_t *msg) {
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(msg->runs, &runs));
    while (fob_runs_next(&runs, &run)) {
        for (uint64_t i = 0; run.at[0] == FOB_OK && i < run.at[2]; i++) {
            uint64_t *offset = &self->stored[run.at[1] + i];
            assert_true(*offset == 0 || *offset == run.at[3] + i); /* told twice, it is the same */
            *offset = run.at[3] + i;
        }
    }
}

static void on_deliver(world_t *self, const fob_wire_t *msg) {
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(msg->runs, &runs) && fob_runs_next(&runs, &run));
    self->attempt = run.at[3];
}

static fob_send_t on_send(void *arg, uint64_t conn, fob_slice_t route, fob_slice_t header,
                          fob_body_t body) {
    world_t *self = arg;
    fob_wire_t msg;
    (void)conn;
    assert_int_equal(fob_wire_read(header, &msg), FOB_OK);
    fob_blob_unref(&body.blob);
    if (msg.verb == FOB_VERB_DELIVER && self->deaf)
        return FOB_SEND_GONE;
    if (msg.verb == FOB_VERB_WELCOME)
        self->greeted[route.data[1]] = true;
    else if (msg.verb == FOB_VERB_ERROR)
        self->greeted[route.data[1]] = false;
    else if (msg.verb == FOB_VERB_RECEIPT)
        on_receipt(self, &msg);
    else if (msg.verb == FOB_VERB_JOINED)
        self->joined = msg.code == FOB_OK;
    else if (msg.verb == FOB_VERB_DELIVER)
        on_deliver(self, &msg);
    return FOB_SEND_DONE;
}

static void on_drop(void *arg, uint64_t conn) {
    (void)arg, (void)conn;
}

static void on_unread(void *arg) {
    (void)arg;
}

static bool on_cast(void *arg, fob_slice_t header, fob_body_t body) {
    fob_cast_t cast;
    (void)arg;
    assert_int_equal(fob_cast_read(header, &cast), FOB_OK);
    fob_blob_unref(&body.blob);
    return true;
}

static fob_status_t on_answer(void *arg, fob_now_t now, const fob_wire_t *msg, fob_status_t status,
                              const char *text, fob_buf_t *header, fob_body_t *body) {
    (void)arg, (void)now, (void)text;
    fob_wire_t reply = {.verb = FOB_VERB_REPLY};
    *body = (fob_body_t){.blob = NULL};
    fob_buf_clear(header);
    FOB_SET(&reply, req, msg->req);
    FOB_SET(&reply, code, status == FOB_AGAIN ? FOB_OK : status);
    return fob_wire_write(header, &reply);
}

static void on_failed(void *arg, fob_status_t status, const char *text) {
    world_t *self = arg;
    assert_true(scarce.failed > 0);
    assert_true(status == FOB_NO_MEMORY ||
                status == FOB_DISK_FAILED); /* of the journal in memory */
    assert_non_null(strstr(text, "memory"));
    self->failed = status;
    stops++;
}

static void on_log(void *arg, const char *line) {
    (void)arg, (void)line;
}

static fob_now_t now(const world_t *self) {
    return (fob_now_t){FOB_SEC + self->ms * FOB_MS, 1700000000000 + self->ms};
}

static void begin(world_t *self) {
    static const fob_service_ops_t doors = {.send = on_send,
                                            .drop = on_drop,
                                            .unread = on_unread,
                                            .cast = on_cast,
                                            .answer = on_answer,
                                            .failed = on_failed};
    fob_core_config_t config = {.max_event = 1000,
                                .max_groups = 10,
                                .max_sessions = 10,
                                .session_keep_ms = 3600000,
                                .resume_ms = 100,
                                .cache_bytes = 1000,
                                .page_bytes = 500,
                                .mark_block = 4,
                                .policy = {.max_depth = 1000,
                                           .max_bytes = INT64_MAX,
                                           .max_attempts = 2,
                                           .backoff_first = 10,
                                           .backoff_factor = 1,
                                           .backoff_max = 10,
                                           .dead_max = 1000,
                                           .dead_max_age = INT64_C(2592000000)},
                                .dedup_max = 100,
                                .dedup_window_ms = 60000,
                                .seed = 1};
    char text[256];
    fob_status_t status;
    *self = (world_t){.failed = FOB_OK};
    self->house = (fob_house_t){.level = "memory",
                                .advertise = "",
                                .heartbeat_ms = 1000,
                                .epoch = 1,
                                .max_event = 1000,
                                .max_batch = 10000,
                                .window = 100};
    self->ledger = fob_ledger_new(fob_journal_memory_new(1 << 24, 1 << 24, 3600000), &config,
                                  now(self), on_log, NULL, &status, text, sizeof text);
    assert_non_null(self->ledger);
    self->service = fob_service_new(&(fob_service_options_t){.ledger = self->ledger,
                                                             .house = &self->house,
                                                             .max_connections = 10,
                                                             .max_disk = 1 << 24,
                                                             .ops = &doors,
                                                             .arg = self});
    assert_non_null(self->service);
}

static void turn(world_t *self, uint8_t client, const fob_wire_t *msg, fob_blob_t *body) {
    const uint8_t route[FOB_ROUTE_SIZE] = {0, client};
    fob_buf_t header = {0};
    if (self->failed)
        return;
    fob_service_round(self->service, now(self));
    if (msg) {
        assert_int_equal(fob_wire_write(&header, msg), FOB_OK);
        fob_service_message(self->service, &(fob_mail_t){.route = fob_slice(route, sizeof route),
                                                         .header = fob_buf_slice(&header),
                                                         .body = body,
                                                         .frames = body ? 2 : 1});
    }
    for (int i = 0; i < 3 && !self->failed; i++) {
        fob_service_turn(self->service, true);
        fob_service_news(self->service);
        fob_service_perform(self->service);
    }
    fob_buf_free(&header);
}

static void pass(world_t *self, int64_t ms) {
    self->ms += ms;
    turn(self, 0, NULL, NULL);
}

static void greet(world_t *self, uint8_t client) {
    const uint8_t session[FOB_SESSION_SIZE] = {client};
    fob_wire_t msg = {.verb = FOB_VERB_HELLO};
    FOB_SET(&msg, version_min, 1);
    FOB_SET(&msg, version_max, 1);
    FOB_SET(&msg, session, fob_slice(session, sizeof session));
    for (int i = 0; i < 3 && !self->greeted[client]; i++)
        turn(self, client, &msg, NULL);
}

static void join(world_t *self) {
    fob_wire_t msg = {.verb = FOB_VERB_JOIN};
    FOB_SET(&msg, group, fob_slice_str("g"));
    FOB_SET(&msg, pattern, fob_slice_str("a.*"));
    FOB_SET(&msg, create, true);
    FOB_SET(&msg, credit, 5);
    FOB_SET(&msg, lease, 500);
    for (int i = 0; i < 3 && !self->joined; i++) {
        greet(self, 1);
        turn(self, 1, &msg, NULL);
    }
}

static void publish(world_t *self, uint64_t first, uint64_t count) {
    fob_buf_t body = {0};
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    for (uint64_t n = first; n < first + count; n++) {
        char id[16];
        snprintf(id, sizeof id, "%u", (unsigned)n);
        fob_envelope_t event = {.topic = fob_slice_str(n % 2 ? "a.b" : "a.c"),
                                .id = fob_slice_str(id),
                                .priority = (uint8_t)(n % 3)};
        assert_int_equal(fob_envelope_write(&body, 100, &event), FOB_OK);
    }
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    FOB_SET(&msg, first, first);
    FOB_SET(&msg, low, 1);
    greet(self, 2);
    turn(self, 2, &msg, blob);
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

static void settle(world_t *self, unsigned kind, uint64_t offset) {
    fob_buf_t runs = {0};
    fob_wire_t msg = {.verb = FOB_VERB_SETTLE};
    fob_pack_array(&runs, 2);
    for (uint64_t token = offset; token < offset + 2; token++)
        fob_run_write(&runs, (uint64_t[]){kind, offset, 1, token, 5}, 5);
    FOB_SET(&msg, group, fob_slice_str("g"));
    FOB_SET(&msg, seq, ++self->settles);
    FOB_SET(&msg, credit, 5 + self->settles);
    FOB_SET(&msg, text, fob_slice_str("why"));
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    turn(self, 1, &msg, NULL);
    fob_buf_free(&runs);
}

static void ask(world_t *self, fob_verb_t verb) {
    fob_wire_t msg = {.verb = verb};
    FOB_SET(&msg, req, 1);
    FOB_SET(&msg, group, fob_slice_str("g"));
    FOB_SET(&msg, pattern, fob_slice_str("*")); /* of FETCH and WHOLE, */
    FOB_SET(&msg, from, 1);
    FOB_SET(&msg, upto, 2);
    turn(self, 2, &msg, NULL);
}

static void look(world_t *self) {
    fob_group_stats_t s;
    fob_core_t *core = fob_ledger_core(self->ledger);
    for (size_t i = 0; fob_core_group_stats(core, now(self), i, &s); i++)
        assert_int_equal(s.accepted, s.acked + s.dead + s.expired + s.shed + s.removed + s.ready +
                                         s.leased + s.delayed);
    for (uint64_t n = 1; n <= NUMBERS; n++)
        assert_true(self->stored[n] <= fob_core_head(core));
}

static void story(void *arg) {
    world_t world;
    (void)arg;
    begin(&world);
    watched = true;
    join(&world);
    for (uint64_t n = 1; n <= NUMBERS; n += 5) {
        publish(&world, n, 5);
        settle(&world, FOB_KIND_ACK + (unsigned)(n / 5) % 4, n);
        pass(&world, 200);
    }
    ask(&world, FOB_VERB_STATS);
    ask(&world, FOB_VERB_DEAD_LIST);
    ask(&world, FOB_VERB_DEAD_REDRIVE);
    ask(&world, FOB_VERB_GROUP_PURGE);
    ask(&world, FOB_VERB_FETCH);
    ask(&world, FOB_VERB_WHOLE);
    pass(&world, 100);
    ask(&world, FOB_VERB_FETCH);
    ask(&world, FOB_VERB_WHOLE);
    pass(&world, 600);
    watched = false; /* there is memory again */
    look(&world);
    world.greeted[2] = false; /* the publisher comes again, with all it has */
    greet(&world, 2);
    publish(&world, 1, NUMBERS);
    pass(&world, 4000);
    for (uint64_t n = 1; n <= NUMBERS && !world.failed; n++)
        assert_true(world.stored[n] > 0);
    if (!world.failed)
        assert_int_equal(fob_ledger_head(world.ledger), NUMBERS); /* none is stored twice */
    look(&world);
    fob_service_destroy(&world.service);
    fob_ledger_destroy(&world.ledger);
}

static void each_allocation_may_fail_and_what_is_confirmed_is_stored_once(void **state) {
    (void)state;
    scarce_each("bus: service", 51, story, NULL);
    print_message("the bus stopped in %u stories\n", stops);
}

/* A worker joins, where memory is refused; what it is handed cannot be sent to it; it comes again.
 */
static void unsent_story(void *arg) {
    world_t world;
    (void)arg;
    begin(&world);
    watched = true;
    join(&world);
    watched = false;
    if (!world.joined) {
        world.greeted[1] = false;
        join(&world);
    }
    world.deaf = true;
    publish(&world, 1, 1);
    assert_int_equal(world.attempt, 0);
    world.deaf = world.greeted[1] = world.joined = false;
    join(&world);
    pass(&world, 4000);
    if (!world.failed)
        assert_int_equal(world.attempt, 1);
    look(&world);
    fob_service_destroy(&world.service);
    fob_ledger_destroy(&world.ledger);
}

static void each_allocation_may_fail_and_what_was_not_sent_is_no_attempt(void **state) {
    (void)state;
    scarce_each("bus: a join", 15, unsent_story, NULL);
}

FOB_MAIN(FOB_CASE(each_allocation_may_fail_and_what_was_not_sent_is_no_attempt),
         FOB_CASE(each_allocation_may_fail_and_what_is_confirmed_is_stored_once))
