/* The lease table against a model of the bus that loses connections, gives leases away, refuses
 * claims and forgets answers, from a seed: what fails replays. FOB_SEED runs one seed, FOB_SEEDS so
 * many. */
#include "support/case.h"

#include "subscribers/leases.h"

#include <stdlib.h>

#define EVENTS   3000
#define LETTERS  4096
#define TOKENS   (EVENTS * 32)
#define BEAT_MS  1000
#define LOST_MS  (3 * BEAT_MS)
#define WORKER   1 /* the one under test */
#define OTHER    2
#define PREFETCH 20
#define JOBS     3

typedef enum { READY, LEASED, SETTLED } place_t;

typedef struct {
    place_t place;
    int holder;
    uint64_t token;
} slot_t;

/* One message under way. */
typedef struct {
    fob_buf_t header;
    fob_blob_t *body;
    bool beat;
} letter_t;

typedef struct {
    letter_t letters[LETTERS];
    size_t first, end;
} mail_t;

typedef struct {
    unsigned seed;
    uint64_t random;
    int64_t now_ms;
    fob_leases_t *leases;
    bool calm;      /* no more faults */
    uint64_t limit; /* count of the worker; 0: none */
    uint64_t begun_all;
    bool drained;

    /* The bus. */
    slot_t slots[EVENTS + 1];
    uint64_t token, allowed, delivered, ready;
    bool knows, joined;
    int64_t heard_ms, beat_ms;
    uint64_t seq;
    bool overdue[TOKENS]; /* leases that ran out, whose handlers are not known to have ended */
    unsigned occupied;    /* how many these are */
    bool applied[TOKENS]; /* settles of the worker that took effect, by token */
    bool taken[TOKENS];   /* leases of the worker that were given away */
    bool ordered[TOKENS]; /* of these: with LOST, which may cross a hand-out */
    bool early[TOKENS];   /* or as the connection went, sooner than a bus may */
    bool first_hello;     /* HELLO_FIRST is under way */
    int64_t frozen_ms;    /* until then the network carries nothing */

    /* The connection and the client's side of it. */
    bool up;
    mail_t to_bus, to_worker;
    int64_t sent_ms;
    int64_t heard_mono;

    /* The application. */
    fob_event_t *out[JOBS];
    bool begun[TOKENS];            /* by token */
    bool settled[TOKENS];          /* settles that were accepted from it */
    fob_settle_how_t said[TOKENS]; /* and what they said */
} world_t;

static uint64_t draw(world_t *w, uint64_t below) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % below;
}

static bool chance(world_t *w, unsigned percent) {
    return draw(w, 100) < percent;
}

static bool fault(world_t *w, unsigned permille) {
    return !w->calm && draw(w, 1000) < permille;
}

static fob_now_t now_of(const world_t *w) {
    return (fob_now_t){w->now_ms * FOB_MS, w->now_ms};
}

#define CHECK(w, condition)                                                                        \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("seed %u, at %lld ms: %s", (w)->seed, (long long)(w)->now_ms, #condition);    \
    } while (0)

/* --- mail --- */

static letter_t *post(world_t *w, mail_t *mail) {
    CHECK(w, mail->end - mail->first < LETTERS);
    return &mail->letters[mail->end++ % LETTERS];
}

static letter_t *collect(mail_t *mail) {
    return mail->first == mail->end ? NULL : &mail->letters[mail->first++ % LETTERS];
}

static void burn(letter_t *letter) {
    fob_buf_free(&letter->header);
    fob_blob_unref(&letter->body);
    letter->beat = false;
}

static void burn_all(mail_t *mail) {
    letter_t *letter;
    while ((letter = collect(mail)))
        burn(letter);
}

static void say(world_t *w, const fob_wire_t *msg, fob_blob_t *body) {
    letter_t *letter = post(w, &w->to_worker);
    assert_int_equal(fob_wire_write(&letter->header, msg), FOB_OK);
    letter->body = body;
}

static fob_wire_t wire(fob_verb_t verb) {
    fob_wire_t msg = {.verb = verb};
    FOB_SET(&msg, group, fob_slice_str("g"));
    return msg;
}

/* --- the bus --- */

/* The worker's leases go back, or to another, who may settle them. */
static void give_away(world_t *w, bool early) {
    for (uint64_t offset = 1; offset <= EVENTS; offset++) {
        slot_t *slot = &w->slots[offset];
        if (slot->place != LEASED || slot->holder != WORKER)
            continue;
        slot->place = READY;
        w->taken[slot->token] = true;
        w->early[slot->token] = early;
        if (chance(w, 50))
            continue;
        slot->place = chance(w, 50) ? LEASED : SETTLED;
        slot->holder = OTHER;
        slot->token = ++w->token;
    }
}

/* The others finish what they hold. */
static void others_settle(world_t *w) {
    for (uint64_t offset = 1; offset <= EVENTS; offset++)
        if (w->slots[offset].place == LEASED && w->slots[offset].holder == OTHER)
            w->slots[offset].place = chance(w, 50) ? SETTLED : READY;
}

static fob_status_t verdict(const slot_t *slot, uint64_t token) {
    if (slot->place == SETTLED)
        return FOB_GONE;
    if (slot->place == READY)
        return FOB_NOT_HELD;
    return slot->holder == WORKER && slot->token == token ? FOB_OK : FOB_STALE;
}

static void refuse(fob_buf_t *rows, uint32_t *count, fob_status_t code, uint64_t offset,
                   uint64_t token) {
    fob_run_write(rows, (uint64_t[]){code, offset, 1, token}, 4);
    ++*count;
}

static void bus_answer(world_t *w, fob_wire_t *msg, fob_buf_t *rows, uint32_t count) {
    fob_buf_t all = {0};
    fob_pack_array(&all, count);
    fob_buf_put(&all, rows->data, rows->size);
    FOB_SET(msg, refused, fob_buf_slice(&all));
    say(w, msg, NULL);
    fob_buf_free(&all);
    fob_buf_free(rows);
}

static void bus_join(world_t *w, const fob_wire_t *msg) {
    bool claimed[EVENTS + 1] = {false};
    fob_buf_t rows = {0};
    uint32_t refused = 0;
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(msg->runs, &runs));
    while (fob_runs_next(&runs, &run))
        for (uint64_t i = 0; i < run.at[1]; i++) {
            uint64_t offset = run.at[0] + i, token = run.at[2] + i;
            fob_status_t code = verdict(&w->slots[offset], token);
            if (code == FOB_OK)
                claimed[offset] = true;
            else
                refuse(&rows, &refused, code, offset, token);
        }
    for (uint64_t offset = 1; offset <= EVENTS; offset++)
        if (w->slots[offset].place == LEASED && w->slots[offset].holder == WORKER &&
            !claimed[offset])
            w->slots[offset].place = READY;
    w->joined = true;
    memset(w->overdue, 0, sizeof w->overdue);
    w->occupied = 0;
    w->allowed = msg->credit;
    w->delivered = 0;
    w->seq = 0;
    fob_wire_t answer = wire(FOB_VERB_JOINED);
    FOB_SET(&answer, code, FOB_OK);
    bus_answer(w, &answer, &rows, refused);
}

/* Each settle comes with what its handler said, whatever it rode with. */
static void said_as_it_was(const world_t *w, uint64_t token, const fob_run_t *run,
                           fob_slice_t text) {
    const fob_settle_how_t *said = &w->said[token];
    if (!w->begun[token]) {
        CHECK(w, run->at[0] == FOB_KIND_RELEASE && !text.size); /* given back by a drain */
        return;
    }
    CHECK(w, run->at[0] == said->kind);
    CHECK(w, run->at[4] == said->after);
    CHECK(w, said->kind == FOB_KIND_ACK || fob_slice_eq(text, said->reason));
}

/* What is refused may be of a lease that ran out: nobody may run it any more. */
static void handler_ended(world_t *w, uint64_t token) {
    if (!w->overdue[token])
        return;
    for (size_t job = 0; job < JOBS; job++)
        CHECK(w, !w->out[job] || fob_event_token(w->out[job]) != token);
    w->overdue[token] = false;
    w->occupied--;
}

static void bus_settle(world_t *w, const fob_wire_t *msg) {
    fob_buf_t rows = {0};
    uint32_t refused = 0;
    fob_runs_t runs;
    fob_run_t run;
    CHECK(w, msg->seq == ++w->seq);
    assert_true(fob_runs(msg->runs, &runs));
    while (fob_runs_next(&runs, &run))
        for (uint64_t i = 0; i < run.at[2]; i++) {
            slot_t *slot = &w->slots[run.at[1] + i];
            fob_status_t code = verdict(slot, run.at[3] + i);
            if (code != FOB_OK) {
                refuse(&rows, &refused, code, run.at[1] + i, run.at[3] + i);
                handler_ended(w, run.at[3] + i);
                continue;
            }
            said_as_it_was(w, run.at[3] + i, &run, msg->text);
            bool back = run.at[0] == FOB_KIND_RETRY || run.at[0] == FOB_KIND_RELEASE;
            slot->place = back ? READY : SETTLED;
            w->applied[run.at[3] + i] = true;
        }
    if (FOB_HAS(msg, credit))
        w->allowed = msg->credit;
    fob_wire_t answer = wire(FOB_VERB_SETTLED);
    FOB_SET(&answer, seq, msg->seq);
    bus_answer(w, &answer, &rows, refused);
}

static void bus_leave(world_t *w) {
    w->joined = false;
    for (uint64_t offset = 1; offset <= EVENTS; offset++)
        if (w->slots[offset].place == LEASED && w->slots[offset].holder == WORKER)
            w->slots[offset].place = READY;
}

static void bus_read(world_t *w) {
    letter_t *letter;
    size_t some = draw(w, 8);
    if (w->to_bus.first != w->to_bus.end)
        w->heard_ms = w->now_ms; /* what arrived counts, though it is read later */
    while (some-- && (letter = collect(&w->to_bus))) {
        fob_wire_t msg;
        if (letter->beat) {
            burn(letter);
            continue;
        }
        assert_int_equal(fob_wire_read(fob_buf_slice(&letter->header), &msg), FOB_OK);
        if (msg.verb == FOB_VERB_JOIN)
            bus_join(w, &msg);
        else if (msg.verb == FOB_VERB_SETTLE)
            bus_settle(w, &msg);
        else if (msg.verb == FOB_VERB_CREDIT)
            w->allowed = msg.credit;
        else if (msg.verb == FOB_VERB_LEAVE)
            bus_leave(w);
        burn(letter);
    }
}

/* A run of ready events, leased to the worker. */
static void bus_deliver(world_t *w) {
    uint64_t offset = 1, count = 0, most = 1 + draw(w, 7);
    fob_buf_t body = {0}, runs = {0};
    while (offset <= EVENTS && w->slots[offset].place != READY)
        offset++;
    uint64_t token = w->token + 1;
    for (; offset + count <= EVENTS && w->slots[offset + count].place == READY && count < most &&
           w->delivered < w->allowed;
         count++, w->delivered++) {
        w->slots[offset + count] = (slot_t){LEASED, WORKER, ++w->token};
        fob_envelope_t event = {.topic = fob_slice_str("t"), .data = fob_slice_str("payload")};
        assert_int_equal(fob_envelope_write(&body, 1000, &event), FOB_OK);
    }
    if (count) {
        fob_wire_t msg = wire(FOB_VERB_DELIVER);
        fob_pack_array(&runs, 1);
        fob_run_write(&runs, (uint64_t[]){offset, count, token, 1, 5}, 5);
        FOB_SET(&msg, runs, fob_buf_slice(&runs));
        say(w, &msg, fob_blob_copy(fob_buf_slice(&body)));
    }
    fob_buf_free(&body);
    fob_buf_free(&runs);
}

/* By order of an operator: a lease is taken away though the worker lives. */
static void bus_take(world_t *w) {
    uint64_t offset = 1 + draw(w, EVENTS);
    slot_t *slot = &w->slots[offset];
    if (slot->place != LEASED || slot->holder != WORKER)
        return;
    fob_buf_t runs = {0};
    fob_wire_t msg = wire(FOB_VERB_LOST);
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){offset, 1, slot->token}, 3);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    say(w, &msg, NULL);
    fob_buf_free(&runs);
    slot->place = READY;
    w->taken[slot->token] = w->ordered[slot->token] = true;
}

static void lost_row(fob_buf_t *rows, uint32_t *count, world_t *w, uint64_t offset) {
    slot_t *slot = &w->slots[offset];
    fob_run_write(rows, (uint64_t[]){offset, 1, slot->token}, 3);
    slot->place = READY;
    w->taken[slot->token] = w->ordered[slot->token] = true;
    ++*count;
}

static void say_lost(world_t *w, fob_buf_t *rows, uint32_t count) {
    fob_buf_t runs = {0};
    fob_wire_t msg = wire(FOB_VERB_LOST);
    fob_pack_array(&runs, count);
    fob_buf_put(&runs, rows->data, rows->size);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    say(w, &msg, NULL);
    fob_buf_free(&runs);
    fob_buf_free(rows);
}

/* The lease of what the worker holds with the lowest token runs out; if no job is free then, all
 * else that it holds goes back. */
static void bus_expire(world_t *w) {
    uint64_t oldest = 0;
    fob_buf_t rows = {0};
    uint32_t count = 0;
    for (uint64_t offset = 1; offset <= EVENTS; offset++) {
        const slot_t *slot = &w->slots[offset];
        bool mine = slot->place == LEASED && slot->holder == WORKER;
        if (mine && (!oldest || slot->token < w->slots[oldest].token))
            oldest = offset;
    }
    if (!oldest || w->occupied == JOBS)
        return;
    w->overdue[w->slots[oldest].token] = true;
    w->occupied++;
    lost_row(&rows, &count, w, oldest);
    say_lost(w, &rows, count);
    rows = (fob_buf_t){0};
    count = 0;
    for (uint64_t offset = 1; w->occupied == JOBS && offset <= EVENTS; offset++)
        if (w->slots[offset].place == LEASED && w->slots[offset].holder == WORKER)
            lost_row(&rows, &count, w, offset);
    if (count)
        say_lost(w, &rows, count);
}

static void bus_step(world_t *w) {
    bool open = w->now_ms >= w->frozen_ms;
    if (w->up && !w->knows && open && w->to_bus.first != w->to_bus.end)
        w->first_hello = true;
    if (!w->up || !w->knows)
        return;
    if (open)
        bus_read(w);
    if (w->now_ms - w->heard_ms > LOST_MS) {
        w->knows = w->joined = false;
        give_away(w, false);
        return;
    }
    if (w->now_ms - w->beat_ms >= BEAT_MS) {
        post(w, &w->to_worker)->beat = true;
        w->beat_ms = w->now_ms;
    }
    if (w->joined && w->occupied < JOBS && chance(w, 60))
        bus_deliver(w);
    if (w->joined && fault(w, 10))
        bus_take(w);
    if (w->joined && fault(w, 30))
        bus_expire(w);
}

/* --- the connection --- */

static void hang_up(world_t *w) {
    w->up = w->knows = w->joined = w->first_hello = false;
    burn_all(&w->to_bus);
    burn_all(&w->to_worker);
    fob_leases_down(w->leases, now_of(w), FOB_UNREACHABLE, "gone");
    if (!w->calm && chance(w, 40))
        give_away(w, true);
}

static void dial(world_t *w) {
    fob_wire_t welcome = {.verb = FOB_VERB_WELCOME};
    FOB_SET(&welcome, heartbeat, BEAT_MS);
    FOB_SET(&welcome, epoch, 1);
    w->up = w->knows = true;
    w->heard_ms = w->beat_ms = w->sent_ms = w->now_ms;
    w->heard_mono = now_of(w).mono_ns;
    fob_leases_up(w->leases, now_of(w), &welcome);
}

/* What the conduit's thread does in a round. */
static void worker_round(world_t *w) {
    letter_t *letter;
    fob_slice_t header;
    if (!w->up)
        return;
    bool open = w->now_ms >= w->frozen_ms;
    if (open && w->first_hello) {
        hang_up(w);
        return;
    }
    while (open && (letter = collect(&w->to_worker))) {
        fob_wire_t msg;
        w->heard_mono = now_of(w).mono_ns;
        if (!letter->beat) {
            assert_int_equal(fob_wire_read(fob_buf_slice(&letter->header), &msg), FOB_OK);
            fob_leases_input(w->leases, now_of(w), &msg, letter->body);
        }
        burn(letter);
    }
    fob_leases_round(w->leases, now_of(w), w->heard_mono);
    if (fob_leases_restart(w->leases)) {
        hang_up(w);
        return;
    }
    while (fob_leases_output(w->leases, now_of(w), &header)) {
        fob_buf_put(&post(w, &w->to_bus)->header, header.data, header.size);
        w->sent_ms = w->now_ms;
    }
    if (w->now_ms - w->sent_ms >= BEAT_MS) {
        post(w, &w->to_bus)->beat = true;
        w->sent_ms = w->now_ms;
    }
}

/* --- the application --- */

static void begin(world_t *w, size_t job) {
    fob_status_t status = fob_leases_next(w->leases, now_of(w), &w->out[job]);
    CHECK(w, status == FOB_OK || status == FOB_AGAIN || status == FOB_CLOSED);
    if (status == FOB_CLOSED)
        CHECK(w, w->drained || (w->limit && w->begun_all == w->limit));
    if (status != FOB_OK)
        return;
    CHECK(w, !w->drained && (!w->limit || w->begun_all < w->limit));
    w->begun_all++;
    uint64_t token = fob_event_token(w->out[job]);
    const slot_t *slot = &w->slots[fob_event_offset(w->out[job])];
    CHECK(w, !w->begun[token]);
    w->begun[token] = true;
    /* Its right is good at this moment, unless an order to take it is under way. */
    if (!w->ordered[token])
        CHECK(w, slot->place == LEASED && slot->holder == WORKER && slot->token == token);
}

/* How a handler ends: mostly well. */
static fob_settle_how_t draw_how(world_t *w) {
    static const char *const reasons[] = {NULL, "exit 1", "exit 2: no such order", "timed out"};
    fob_settle_how_t how = {.kind = FOB_KIND_ACK};
    if (chance(w, 80))
        return how;
    how.kind = (fob_settle_kind_t)(1 + draw(w, 4));
    if (how.kind != FOB_KIND_ACK)
        how.reason = fob_slice_str(reasons[draw(w, 4)]);
    if (how.kind == FOB_KIND_RETRY)
        how.after = draw(w, 2) * draw(w, 5000);
    return how;
}

static void finish(world_t *w, size_t job) {
    fob_settle_how_t how = draw_how(w);
    bool holds = fob_leases_holds(w->leases, w->out[job]);
    uint64_t token = fob_event_token(w->out[job]);
    fob_status_t status = fob_leases_settle(w->leases, now_of(w), w->out[job], &how);
    CHECK(w, status == (holds ? FOB_OK : FOB_STALE));
    w->settled[token] = status == FOB_OK;
    w->said[token] = how;
    fob_event_destroy(&w->out[job]);
}

/* What the worker is sure of is its own at the bus too, unless an order to take it is under way. */
static void sure_of_its_own(const world_t *w) {
    for (size_t job = 0; job < JOBS; job++) {
        if (!w->out[job] || !fob_leases_sure(w->leases, now_of(w), w->out[job]))
            continue;
        uint64_t token = fob_event_token(w->out[job]);
        const slot_t *slot = &w->slots[fob_event_offset(w->out[job])];
        if (!w->ordered[token] && !w->early[token])
            CHECK(w, slot->place == LEASED && slot->holder == WORKER && slot->token == token);
    }
}

static void application_step(world_t *w) {
    sure_of_its_own(w);
    for (size_t job = 0; job < JOBS; job++) {
        if (w->out[job] && chance(w, 50))
            finish(w, job);
        else if (!w->out[job] && chance(w, 80))
            begin(w, job);
    }
    uint64_t held = fob_leases_waiting(w->leases);
    for (size_t job = 0; job < JOBS; job++)
        held += w->out[job] && fob_leases_holds(w->leases, w->out[job]);
    CHECK(w, held <= PREFETCH);
}

/* --- the run --- */

static bool all_settled(const world_t *w) {
    for (uint64_t offset = 1; offset <= EVENTS; offset++)
        if (w->slots[offset].place != SETTLED)
            return false;
    return true;
}

/* All that was sent is read: what was taken by order is known to be lost. */
static void heeds_orders(world_t *w) {
    for (size_t job = 0; job < JOBS && w->to_worker.first == w->to_worker.end; job++)
        if (w->out[job] && w->up && w->joined && w->ordered[fob_event_token(w->out[job])])
            CHECK(w, !fob_leases_holds(w->leases, w->out[job]));
}

static void step(world_t *w) {
    w->now_ms += (int64_t)draw(w, 200);
    if (fault(w, 8)) { /* the process stands still; the bus does not */
        for (uint64_t left = draw(w, 12); left > 0; left--) {
            w->now_ms += 500;
            bus_step(w);
        }
    }
    if (w->up && fault(w, 5))
        w->frozen_ms = w->now_ms + (int64_t)draw(w, 8000);
    if (w->up && fault(w, 20))
        hang_up(w);
    else if (!w->up && chance(w, 50))
        dial(w);
    /* The application's thread may well be first to run. */
    application_step(w);
    worker_round(w);
    heeds_orders(w);
    application_step(w);
    bus_step(w);
    if (chance(w, 5))
        others_settle(w);
    CHECK(w, w->delivered <= w->allowed);
}

static bool none_out(const world_t *w) {
    for (size_t job = 0; job < JOBS; job++)
        if (w->out[job])
            return false;
    return true;
}

/* All that this run was to come to. */
static bool complete(const world_t *w) {
    if (!fob_leases_flushed(w->leases) || (w->limit && w->begun_all < w->limit))
        return false;
    if (w->limit || w->drained)
        return none_out(w) && (!w->drained || !w->joined);
    return all_settled(w);
}

/* No settle is lost: each took effect, unless its lease was gone. */
static void settles_add_up(world_t *w) {
    uint64_t in_vain = 0;
    for (uint64_t token = 1; token <= w->token; token++) {
        bool vain = w->settled[token] && !w->applied[token];
        CHECK(w, !vain || w->taken[token]);
        in_vain += vain;
    }
    /* A drain's own releases may be refused too. */
    CHECK(w, w->drained || fob_leases_refused(w->leases) <= in_vain);
}

static void run_seed(unsigned seed) {
    world_t *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = seed;
    w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->now_ms = 1000;
    w->limit = seed % 3 == 1 ? EVENTS / 2 : 0;
    w->leases = fob_leases_new(&(fob_leases_options_t){.group = fob_slice_str("g"),
                                                       .pattern = fob_slice_str("t"),
                                                       .jobs = JOBS,
                                                       .prefetch = PREFETCH,
                                                       .count = w->limit,
                                                       .give_up_mono = FOB_NEVER});
    assert_non_null(w->leases);
    for (unsigned i = 0; i < 1500; i++)
        step(w);
    if (seed % 3 == 2) {
        w->drained = true;
        fob_leases_drain(w->leases, now_of(w));
    }
    for (unsigned i = 0; i < 200000 && !complete(w); i++) {
        step(w);
        w->calm = i > 200;
    }
    CHECK(w, complete(w));
    unsigned out = 0;
    for (size_t job = 0; job < JOBS; job++)
        out += w->out[job] != NULL;
    CHECK(w, !w->joined || w->occupied <= out); /* all other ends were told */
    settles_add_up(w);
    burn_all(&w->to_bus);
    burn_all(&w->to_worker);
    fob_leases_destroy(&w->leases); /* and with it the events that are out */
    free(w);
}

static void no_settle_is_lost_and_no_lease_begun_twice(void **state) {
    (void)state;
    const char *one = getenv("FOB_SEED"), *many = getenv("FOB_SEEDS");
    unsigned from = one ? (unsigned)atoi(one) : 1;
    unsigned to = one ? from : many ? (unsigned)atoi(many) : 150;
    for (unsigned seed = from; seed <= to; seed++)
        run_seed(seed);
}

FOB_MAIN(FOB_CASE(no_settle_is_lost_and_no_lease_begun_twice))
