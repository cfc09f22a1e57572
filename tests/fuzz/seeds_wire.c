/* seeds, wire: what clients and bus say to each other, as usual. */
#include "tests/fuzz/seeds.h"

#include "proto/envelope.h"
#include "proto/wire.h"
#include "tests/support/case.h"

typedef struct {
    fob_buf_t out;
    fob_wire_t msg;
    fob_buf_t runs;
} talk_t;

static void begin(talk_t *self, fob_verb_t verb) {
    self->msg = (fob_wire_t){.verb = verb};
    fob_buf_clear(&self->runs);
}

static void say(talk_t *self, uint8_t how) {
    fob_buf_t header = {0};
    fob_wire_t again;
    assert_int_equal(fob_wire_write(&header, &self->msg), FOB_OK);
    assert_int_equal(fob_wire_read(fob_buf_slice(&header), &again), FOB_OK);
    seed_piece(&self->out, (const char *)&how, 1, fob_buf_slice(&header));
    fob_buf_free(&header);
}

static void one_run(talk_t *self, const uint64_t *row, unsigned width) {
    fob_buf_clear(&self->runs);
    fob_pack_array(&self->runs, row ? 1 : 0);
    if (row)
        fob_run_write(&self->runs, row, width);
    FOB_SET(&self->msg, runs, fob_buf_slice(&self->runs));
}

static void events(talk_t *self, unsigned count, bool ids) {
    fob_buf_t body = {0};
    for (unsigned i = 0; i < count; i++) {
        fob_envelope_t event = {.topic = fob_slice_str(i % 2 ? "a.b" : "a.c"),
                                .id = fob_slice_str(ids ? "1" : ""),
                                .priority = (uint8_t)(ids ? i : 0),
                                .data = fob_slice_str("x")};
        if (!ids)
            event.id = (fob_slice_t){0};
        assert_int_equal(fob_envelope_write(&body, 1000, &event), FOB_OK);
    }
    seed_piece(&self->out, "", 0, fob_buf_slice(&body));
    fob_buf_free(&body);
}

static void end(talk_t *self, const char *target, const char *name) {
    seed_write(target, name, fob_buf_slice(&self->out));
    fob_buf_free(&self->out);
    fob_buf_free(&self->runs);
}

/* --- to the bus --- */

static void hello(talk_t *self, uint8_t client, const char *role) {
    uint8_t session[FOB_SESSION_SIZE] = {client};
    begin(self, FOB_VERB_HELLO);
    FOB_SET(&self->msg, version_min, 1);
    FOB_SET(&self->msg, version_max, 1);
    FOB_SET(&self->msg, role, fob_slice_str(role));
    FOB_SET(&self->msg, session, fob_slice(session, sizeof session));
    say(self, client);
}

static void join(talk_t *self, uint8_t client) {
    begin(self, FOB_VERB_JOIN);
    FOB_SET(&self->msg, group, fob_slice_str("g"));
    FOB_SET(&self->msg, pattern, fob_slice_str("a.*"));
    FOB_SET(&self->msg, create, true);
    FOB_SET(&self->msg, credit, 10);
    FOB_SET(&self->msg, jobs, 2);
    one_run(self, NULL, 0);
    say(self, client);
}

static void publish(talk_t *self, uint8_t client, uint64_t first, unsigned count, bool ids) {
    begin(self, FOB_VERB_PUBLISH);
    FOB_SET(&self->msg, first, first);
    FOB_SET(&self->msg, low, first);
    say(self, (uint8_t)(client | 8));
    events(self, count, ids);
}

static void settle(talk_t *self, uint8_t client, uint64_t seq, const uint64_t *row) {
    begin(self, FOB_VERB_SETTLE);
    FOB_SET(&self->msg, group, fob_slice_str("g"));
    FOB_SET(&self->msg, seq, seq);
    FOB_SET(&self->msg, text, fob_slice_str("why"));
    one_run(self, row, 5);
    say(self, client);
}

static void pass(talk_t *self, uint8_t how, uint8_t ms, uint8_t tens) {
    seed_piece(&self->out, (const char[]){(char)how, (char)ms, (char)tens}, 3, (fob_slice_t){0});
}

static void to_bus_work(void) {
    talk_t talk = {.msg = {.verb = FOB_VERB_BEAT}};
    hello(&talk, 1, "worker");
    hello(&talk, 2, "publisher");
    join(&talk, 1);
    publish(&talk, 2, 1, 4, false);
    settle(&talk, 1, 1, (const uint64_t[]){FOB_KIND_ACK, 1, 1, 1, 0});
    settle(&talk, 1, 2, (const uint64_t[]){FOB_KIND_RETRY, 2, 1, 2, 50});
    settle(&talk, 1, 3, (const uint64_t[]){FOB_KIND_REJECT, 3, 1, 3, 0});
    pass(&talk, 32, 100, 0);
    begin(&talk, FOB_VERB_CREDIT);
    FOB_SET(&talk.msg, group, fob_slice_str("g"));
    FOB_SET(&talk.msg, credit, 20);
    say(&talk, 1);
    publish(&talk, 2, 5, 3, true);
    publish(&talk, 2, 5, 3, true);
    begin(&talk, FOB_VERB_LEAVE);
    FOB_SET(&talk.msg, group, fob_slice_str("g"));
    say(&talk, 1);
    pass(&talk, 32, 250, 100);
    begin(&talk, FOB_VERB_GOODBYE);
    say(&talk, 2);
    end(&talk, "bus", "work");
}

static void ask(talk_t *self, fob_verb_t verb, uint64_t req) {
    begin(self, verb);
    FOB_SET(&self->msg, group, fob_slice_str("g"));
    FOB_SET(&self->msg, req, req);
}

static void to_bus_admin(void) {
    static const fob_verb_t deads[] = {FOB_VERB_DEAD_LIST, FOB_VERB_DEAD_SHOW,
                                       FOB_VERB_DEAD_REDRIVE, FOB_VERB_DEAD_PURGE};
    talk_t talk = {.msg = {.verb = FOB_VERB_BEAT}};
    fob_buf_t settings = {0};
    hello(&talk, 1, "admin");
    publish(&talk, 1, 1, 3, false);
    ask(&talk, FOB_VERB_GROUP_ADD, 1);
    FOB_SET(&talk.msg, pattern, fob_slice_str("a.>"));
    FOB_SET(&talk.msg, offset, 1);
    fob_pack_map(&settings, 2);
    fob_pack_cstr(&settings, "max_depth");
    fob_pack_uint(&settings, 4);
    fob_pack_cstr(&settings, "overflow");
    fob_pack_uint(&settings, 3);
    FOB_SET(&talk.msg, settings, fob_buf_slice(&settings));
    say(&talk, 1);
    publish(&talk, 1, 4, 4, true);
    for (size_t i = 0; i < sizeof deads / sizeof deads[0]; i++) {
        ask(&talk, deads[i], 2 + i);
        if (deads[i] == FOB_VERB_DEAD_SHOW)
            FOB_SET(&talk.msg, offset, 5);
        else
            FOB_SET(&talk.msg, limit, 2);
        say(&talk, 1);
    }
    ask(&talk, FOB_VERB_GROUP_SET, 10);
    FOB_SET(&talk.msg, settings, fob_buf_slice(&settings));
    say(&talk, 1);
    ask(&talk, FOB_VERB_GROUP_RESET, 11);
    FOB_SET(&talk.msg, offset, 2);
    say(&talk, 1);
    ask(&talk, FOB_VERB_GROUP_PURGE, 12);
    say(&talk, 1);
    begin(&talk, FOB_VERB_STATS);
    FOB_SET(&talk.msg, req, 13);
    say(&talk, 1);
    ask(&talk, FOB_VERB_GROUP_REMOVE, 14);
    say(&talk, 1);
    fob_buf_free(&settings);
    end(&talk, "bus", "admin");
}

/* A worker comes back on another connection, with what it holds; the old one is refused. */
static void to_bus_claims(void) {
    talk_t talk = {.msg = {.verb = FOB_VERB_BEAT}};
    hello(&talk, 1, "worker");
    join(&talk, 1);
    publish(&talk, 1, 1, 4, false);
    hello(&talk, 2, "worker");
    begin(&talk, FOB_VERB_JOIN);
    FOB_SET(&talk.msg, group, fob_slice_str("g"));
    FOB_SET(&talk.msg, credit, 10);
    FOB_SET(&talk.msg, lease, 20);
    one_run(&talk, (const uint64_t[]){1, 2, 1}, 3);
    say(&talk, 2);
    settle(&talk, 1, 1, (const uint64_t[]){FOB_KIND_ACK, 1, 4, 1, 0});
    pass(&talk, 32, 50, 0);
    publish(&talk, 64 | 1, 5, 2, false);
    begin(&talk, FOB_VERB_BEAT);
    say(&talk, 16 | 2);
    end(&talk, "bus", "claims");
}

static void fetch(talk_t *self, uint64_t req, const char *pattern, uint64_t from) {
    begin(self, FOB_VERB_FETCH);
    FOB_SET(&self->msg, req, req);
    FOB_SET(&self->msg, pattern, fob_slice_str(pattern));
    if (from)
        FOB_SET(&self->msg, from, from);
}

/* What was stored is asked for again in each way; one asks twice, one is gone before the answer. */
static void to_bus_past(void) {
    talk_t talk = {.msg = {.verb = FOB_VERB_BEAT}};
    hello(&talk, 1, "subscriber");
    hello(&talk, 2, "subscriber");
    hello(&talk, 3, "publisher");
    publish(&talk, 3, 1, 6, false);
    pass(&talk, 32, 100, 0);
    publish(&talk, 3, 7, 4, false);
    fetch(&talk, 1, ">", 1);
    say(&talk, 1);
    fetch(&talk, 2, "a.b", 0);
    FOB_SET(&talk.msg, upto, 9);
    FOB_SET(&talk.msg, limit, 2);
    say(&talk, 2);
    pass(&talk, 32, 100, 0);
    fetch(&talk, 3, "a.*", 4);
    FOB_SET(&talk.msg, dry, true);
    say(&talk, 1);
    fetch(&talk, 4, "a.c", 1);
    say(&talk, 1);
    fetch(&talk, 5, "a.>", 0);
    FOB_SET(&talk.msg, latest, true);
    say(&talk, 2);
    pass(&talk, 32, 100, 0);
    fetch(&talk, 6, "a.b", 0);
    FOB_SET(&talk.msg, time, UINT64_C(1700000000050));
    say(&talk, 1);
    fetch(&talk, 7, "a..b", 1);
    say(&talk, 2);
    begin(&talk, FOB_VERB_WHOLE);
    FOB_SET(&talk.msg, req, 8);
    FOB_SET(&talk.msg, pattern, fob_slice_str("a.*"));
    FOB_SET(&talk.msg, from, 2);
    FOB_SET(&talk.msg, upto, 10);
    say(&talk, 2);
    pass(&talk, 32, 100, 0);
    fetch(&talk, 9, ">", 1);
    say(&talk, 64 | 2);
    pass(&talk, 32, 250, 100);
    end(&talk, "bus", "past");
}

/* --- to the clients --- */

enum { MESSAGE, BODIED, CAST, PASS, OFFER, SETTLE, BROKEN, DRAIN };

static void welcome(talk_t *self, uint64_t last) {
    begin(self, FOB_VERB_WELCOME);
    FOB_SET(&self->msg, version, 1);
    FOB_SET(&self->msg, heartbeat, 1000);
    FOB_SET(&self->msg, epoch, 1);
    FOB_SET(&self->msg, head, 0);
    FOB_SET(&self->msg, level, fob_slice_str("disk"));
    fob_pack_array(&self->runs, 1);
    fob_shard_write(&self->runs, &(fob_shard_t){.router = 7001, .xsub = 7002, .xpub = 7003});
    FOB_SET(&self->msg, shards, fob_buf_slice(&self->runs));
    FOB_SET(&self->msg, max_event, 1000);
    FOB_SET(&self->msg, max_batch, 10000);
    FOB_SET(&self->msg, window, 16);
    FOB_SET(&self->msg, last, last);
    say(self, MESSAGE);
}

static void offer(talk_t *self, uint8_t flags, const char *topic) {
    seed_piece(&self->out, (const char[]){OFFER, (char)flags}, 2, fob_slice_str(topic));
}

static void receipt(talk_t *self, const uint64_t *row) {
    begin(self, FOB_VERB_RECEIPT);
    one_run(self, row, 5);
    say(self, MESSAGE);
}

static void to_publisher(void) {
    talk_t talk = {.msg = {.verb = FOB_VERB_BEAT}};
    offer(&talk, 2, "a.b");
    welcome(&talk, 0);
    offer(&talk, 1, "a.b");
    offer(&talk, 10, "c");
    receipt(&talk, (const uint64_t[]){FOB_OK, 1, 1, 1, 1});
    receipt(&talk, (const uint64_t[]){FOB_BUSY, 2, 1, 0, 0});
    receipt(&talk, (const uint64_t[]){FOB_GAP, 3, 1, 0, 0});
    pass(&talk, PASS, 200, 1);
    seed_piece(&talk.out, (const char[]){BROKEN}, 1, (fob_slice_t){0});
    pass(&talk, PASS, 200, 4);
    welcome(&talk, 1);
    receipt(&talk, (const uint64_t[]){FOB_UNKNOWN_OUTCOME, 2, 1, 0, 0});
    receipt(&talk, (const uint64_t[]){FOB_OK, 3, 1, 2, 0});
    pass(&talk, PASS, 250, 200);
    end(&talk, "client", "publisher");
}

static void joined(talk_t *self) {
    begin(self, FOB_VERB_JOINED);
    FOB_SET(&self->msg, group, fob_slice_str("g"));
    FOB_SET(&self->msg, code, FOB_OK);
    fob_buf_clear(&self->runs);
    fob_pack_array(&self->runs, 0);
    FOB_SET(&self->msg, refused, fob_buf_slice(&self->runs));
    say(self, MESSAGE);
}

static void deliver(talk_t *self, uint64_t offset, unsigned count, uint64_t token) {
    begin(self, FOB_VERB_DELIVER);
    FOB_SET(&self->msg, group, fob_slice_str("g"));
    one_run(self, (const uint64_t[]){offset, count, token, 1, 1000}, 5);
    say(self, BODIED);
    events(self, count, false);
}

static void to_worker(void) {
    talk_t talk = {.msg = {.verb = FOB_VERB_BEAT}};
    welcome(&talk, 0);
    joined(&talk);
    deliver(&talk, 1, 5, 1);
    for (uint8_t kind = 1; kind < 4; kind++)
        seed_piece(&talk.out, (const char[]){SETTLE, (char)kind, 9}, 3, fob_slice_str("why"));
    begin(&talk, FOB_VERB_SETTLED);
    FOB_SET(&talk.msg, group, fob_slice_str("g"));
    FOB_SET(&talk.msg, seq, 1);
    say(&talk, MESSAGE);
    begin(&talk, FOB_VERB_LOST);
    FOB_SET(&talk.msg, group, fob_slice_str("g"));
    FOB_SET(&talk.msg, text, fob_slice_str("it took too long"));
    one_run(&talk, (const uint64_t[]){4, 1, 4}, 3);
    say(&talk, MESSAGE);
    deliver(&talk, 4, 1, 9);
    seed_piece(&talk.out, (const char[]){BROKEN}, 1, (fob_slice_t){0});
    pass(&talk, PASS, 200, 4);
    welcome(&talk, 0);
    joined(&talk);
    seed_piece(&talk.out, (const char[]){SETTLE, 1}, 2, (fob_slice_t){0});
    seed_piece(&talk.out, (const char[]){DRAIN}, 1, (fob_slice_t){0});
    begin(&talk, FOB_VERB_GOODBYE);
    FOB_SET(&talk.msg, retry_after, 10);
    say(&talk, MESSAGE);
    pass(&talk, PASS, 200, 100);
    begin(&talk, FOB_VERB_ERROR);
    FOB_SET(&talk.msg, code, FOB_VERSION);
    FOB_SET(&talk.msg, text, fob_slice_str("too new"));
    say(&talk, MESSAGE);
    end(&talk, "client", "worker");
}

static void cast(talk_t *self, uint64_t offset, uint64_t prev) {
    fob_buf_t head = {0};
    const fob_cast_t frame = {.topic = fob_slice_str("a.c"),
                              .kind = FOB_CAST_STORED,
                              .epoch = 1,
                              .offset = offset,
                              .count = 1,
                              .prev = prev,
                              .source = 7,
                              .seq = offset,
                              .time_ms = 1000};
    assert_int_equal(fob_cast_write(&head, &frame), FOB_OK);
    seed_piece(&self->out, (const char[]){CAST}, 1, fob_buf_slice(&head));
    events(self, 1, false);
    fob_buf_free(&head);
}

static void welcome_fetch(talk_t *self, uint64_t epoch, uint64_t began, uint64_t head) {
    fob_buf_t caps = {0};
    fob_pack_array(&caps, 1);
    fob_pack_cstr(&caps, FOB_CAP_FETCH);
    begin(self, FOB_VERB_WELCOME);
    FOB_SET(&self->msg, version, 1);
    FOB_SET(&self->msg, heartbeat, 1000);
    FOB_SET(&self->msg, epoch, epoch);
    FOB_SET(&self->msg, began, began);
    FOB_SET(&self->msg, head, head);
    FOB_SET(&self->msg, level, fob_slice_str("disk"));
    fob_pack_array(&self->runs, 1);
    fob_shard_write(&self->runs, &(fob_shard_t){.router = 7001, .xsub = 7002, .xpub = 7003});
    FOB_SET(&self->msg, shards, fob_buf_slice(&self->runs));
    FOB_SET(&self->msg, max_event, 1000);
    FOB_SET(&self->msg, max_batch, 10000);
    FOB_SET(&self->msg, window, 16);
    FOB_SET(&self->msg, caps, fob_buf_slice(&caps));
    say(self, MESSAGE);
    fob_buf_free(&caps);
}

static void fetched(talk_t *self, uint64_t next, uint64_t head, const uint64_t *run,
                    const uint64_t *hole) {
    fob_buf_t gone = {0};
    begin(self, FOB_VERB_FETCHED);
    FOB_SET(&self->msg, req, 1);
    FOB_SET(&self->msg, code, FOB_OK);
    FOB_SET(&self->msg, next, next);
    FOB_SET(&self->msg, head, head);
    FOB_SET(&self->msg, epoch, 1);
    one_run(self, run, 3);
    fob_pack_array(&gone, 1);
    fob_run_write(&gone, hole, 3);
    FOB_SET(&self->msg, gone, fob_buf_slice(&gone));
    say(self, BODIED);
    events(self, (unsigned)run[1], false);
    fob_buf_free(&gone);
}

/* It begins with history, takes up the live stream, meets a hole, is told what is there, and then
 * the bus numbers anew. */
static void to_subscriber_behind(void) {
    talk_t talk = {.msg = {.verb = FOB_VERB_BEAT}};
    fob_buf_t rows = {0};
    welcome_fetch(&talk, 1, 0, 6);
    cast(&talk, 7, 5);
    fetched(&talk, 7, 7, (const uint64_t[]){4, 3, 1000}, (const uint64_t[]){1, 3, 0});
    cast(&talk, 8, 7);
    cast(&talk, 10, 9);
    fetched(&talk, 10, 10, (const uint64_t[]){8, 1, 1000}, (const uint64_t[]){9, 9, 1});
    begin(&talk, FOB_VERB_BEAT);
    FOB_SET(&talk.msg, epoch, 1);
    FOB_SET(&talk.msg, head, 12);
    say(&talk, MESSAGE);
    begin(&talk, FOB_VERB_WHOLENESS);
    FOB_SET(&talk.msg, req, 2);
    FOB_SET(&talk.msg, code, FOB_OK);
    FOB_SET(&talk.msg, upto, 12);
    say(&talk, BODIED);
    fob_pack_array(&rows, 1);
    fob_pack_array(&rows, 2);
    fob_pack_cstr(&rows, "a.c");
    fob_pack_uint(&rows, 12);
    seed_piece(&talk.out, "", 0, fob_buf_slice(&rows));
    pass(&talk, PASS, 200, 0);
    fetched(&talk, 13, 12, (const uint64_t[]){11, 2, 1000}, (const uint64_t[]){1, 1, 0});
    seed_piece(&talk.out, (const char[]){BROKEN}, 1, (fob_slice_t){0});
    pass(&talk, PASS, 200, 4);
    welcome_fetch(&talk, 2, 9, 10);
    fob_buf_free(&rows);
    end(&talk, "client", "subscriber_behind");
}

static void to_subscriber(void) {
    talk_t talk = {.msg = {.verb = FOB_VERB_BEAT}};
    for (uint64_t i = 0; i < 3; i++) {
        fob_buf_t head = {0};
        fob_cast_t cast = {.topic = fob_slice_str("a.c"),
                           .kind = i < 2 ? FOB_CAST_STORED : FOB_CAST_FIRE,
                           .epoch = i < 2,
                           .offset = i < 2 ? 1 + 3 * i : 0,
                           .count = 1,
                           .prev = i == 1 ? 1 : 0,
                           .source = 7,
                           .seq = 1 + 2 * i,
                           .time_ms = 1000};
        assert_int_equal(fob_cast_write(&head, &cast), FOB_OK);
        seed_piece(&talk.out, (const char[]){CAST}, 1, fob_buf_slice(&head));
        events(&talk, 1, false);
        fob_buf_free(&head);
    }
    seed_piece(&talk.out, (const char[]){BROKEN}, 1, (fob_slice_t){0});
    end(&talk, "client", "subscriber");
}

void seeds_wire(void) {
    to_bus_work();
    to_bus_admin();
    to_bus_claims();
    to_bus_past();
    to_publisher();
    to_worker();
    to_subscriber();
    to_subscriber_behind();
}
