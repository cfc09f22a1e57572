#include "subscribers/lease/leases_inside.h"

#include "proto/envelope.h"
#include "subscribers/lease/asks.h"
#include "subscribers/lease/claims.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define GATHER_NS   FOB_MS /* how long a settle waits for company while there is work */
#define GATHER_ROWS 200    /* rows that are not made to wait */
#define BUSY_NS     (10 * FOB_MS)
#define ROWS_MOST   2000    /* unanswered rows, and events; no credit is added beyond, */
#define EVENTS_MOST 100000  /* so that a JOIN can claim them all */
#define JOIN_AGAIN  FOB_SEC /* after a JOIN that failed for now */
#define NUMBER_MOST (1u << 20)

#define UNDECODABLE "the worker cannot decode the event"
const fob_settle_how_t fob_undecodable = {
    .kind = FOB_KIND_RETRY, .reason = {(const uint8_t *)UNDECODABLE, sizeof UNDECODABLE - 1}};
const fob_settle_how_t fob_has_ended = {.kind = FOB_KIND_RELEASE, .ended = true};

/* --- life --- */

static fob_slice_t keep(uint8_t *at, fob_slice_t name) {
    size_t size = name.size < FOB_NAME_MAX ? name.size : FOB_NAME_MAX;
    if (size)
        memcpy(at, name.data, size);
    return fob_slice(at, size);
}

fob_leases_t *fob_leases_new(const fob_leases_options_t *options) {
    assert(options->prefetch <= FOB_PREFETCH_MAX);
    fob_leases_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->options = *options;
    self->options.group = keep(self->names, options->group);
    self->options.pattern = keep(self->names + FOB_NAME_MAX + 1, options->pattern);
    self->options.worker = keep(self->names + 2 * (FOB_NAME_MAX + 1), options->worker);
    self->beat_ns = FOB_SEC;
    /* Headers are bounded, so that sending one never fails half-way for want of memory. */
    if (!fob_buf_room(&self->header, FOB_WIRE_HEADER_MAX) ||
        !fob_buf_room(&self->runs, FOB_WIRE_HEADER_MAX))
        fob_leases_destroy(&self);
    return self;
}

void fob_leases_destroy(fob_leases_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_leases_t *self = *self_p;
    fob_prefetch_free(&self->prefetch);
    fob_holding_free(&self->holding); /* before the pool: its events are of it */
    fob_pool_empty(&self->pool);
    fob_settles_free(&self->settles);
    fob_buf_free(&self->header);
    fob_buf_free(&self->runs);
    free(self);
    *self_p = NULL;
}

void fob_leases_say(fob_leases_t *self, fob_slice_t text, fob_status_t status) {
    if (!text.size)
        text = fob_slice_str(fob_status_text(status));
    int size = text.size < sizeof self->trouble ? (int)text.size : (int)sizeof self->trouble - 1;
    snprintf(self->trouble, sizeof self->trouble, "%.*s", size, (const char *)text.data);
}

/* A lease that could not be kept is in no claim of the next JOIN: so it goes to others. */
static const char no_memory[] = "no memory for what the bus delivered: it is left to others";

/* --- sums --- */

static uint64_t held(const fob_leases_t *self) {
    return self->prefetch.count + self->holding.count - self->holding.lost;
}

/* How many deliveries to allow since this JOIN, in all. Never falls. */
static uint64_t credit(const fob_leases_t *self) {
    uint64_t holds = held(self), room = 0;
    uint64_t unanswered = self->settles.unsent_events + self->settles.sent_events;
    if (!self->draining && self->fate == FOB_OK && self->settles.rows < ROWS_MOST &&
        unanswered < EVENTS_MOST && holds < self->options.prefetch)
        room = self->options.prefetch - holds;
    if (self->options.count) {
        uint64_t spoken_for = self->taken + self->prefetch.count;
        uint64_t wanted = self->options.count > spoken_for ? self->options.count - spoken_for : 0;
        if (room > wanted)
            room = wanted;
    }
    uint64_t sum = self->delivered + room;
    return sum > self->allowed ? sum : self->allowed;
}

/* --- the connection --- */

static void lost_because(fob_leases_t *self, fob_slice_t text) {
    int size = (int)(text.size < FOB_REASON_MAX ? text.size : FOB_REASON_MAX);
    snprintf(self->lost_text, sizeof self->lost_text, "%.*s", size,
             size ? (const char *)text.data : "");
}

static void forget_all(fob_leases_t *self) {
    self->lost_news |= self->holding.count > self->holding.lost;
    fob_prefetch_clear(&self->prefetch);
    fob_holding_lose_all(&self->holding);
}

void fob_leases_up(fob_leases_t *self, fob_now_t now, const fob_wire_t *welcome) {
    if (self->ever_up && welcome->epoch != self->epoch) {
        /* Offsets and tokens of another epoch name other events. */
        lost_because(self, fob_slice_str("the bus began a new epoch"));
        forget_all(self);
        self->refused += fob_settles_clear(&self->settles);
    }
    self->epoch = welcome->epoch;
    uint64_t ms = welcome->heartbeat ? welcome->heartbeat : 1000;
    self->beat_ns = (int64_t)(ms < 600000 ? ms : 600000) * FOB_MS;
    self->ever_up = true;
    self->connection++;
    self->add = false;
    self->state = UP;
    self->join_at = now.mono_ns;
    self->echoes = fob_caps_have(welcome->caps, FOB_CAP_ECHO);
    self->heard = self->echoes ? INT64_MIN / 2 : now.mono_ns; /* the next round tells */
    self->round = now.mono_ns;
    self->stale = NULL;
    if (self->fate_of_link) {
        self->fate = FOB_OK;
        self->fate_of_link = false;
    }
}

void fob_leases_down(fob_leases_t *self, fob_now_t now, fob_status_t why, const char *text) {
    (void)now;
    self->state = OFF;
    self->stale = NULL;
    fob_settles_requeue(&self->settles);
    if (self->fate != FOB_OK && !self->fate_of_link)
        return; /* its sentence is kept */
    if (why != FOB_CLOSED)
        fob_leases_say(self, fob_slice_str(text), why);
    if (why == FOB_VERSION || why == FOB_DENIED) {
        self->fate = why;
        self->fate_of_link = true;
    }
}

void fob_leases_round(fob_leases_t *self, fob_now_t now, int64_t heard) {
    bool connected = self->state == JOINED || self->state == JOINING;
    if (connected && now.mono_ns - self->round > self->beat_ns)
        self->stale = "this process stood still for longer than a heartbeat";
    else if (connected && !self->echoes && heard > self->heard &&
             heard - self->heard > fob_leases_hold(self))
        self->stale = "the bus was silent for so long that it may have given our leases away";
    self->round = now.mono_ns;
    if (heard > self->heard)
        self->heard = heard;
    if (self->state == JOINED && !self->stale)
        self->sure = self->heard;
}

const char *fob_leases_restart(fob_leases_t *self) {
    const char *why = self->state == OFF ? NULL : self->stale;
    if (why)
        self->state = OFF; /* down follows */
    return why;
}

/* --- inputs --- */

/* Marks a range as lost on connection `in`. True: some of it is out. */
static bool lose(fob_leases_t *self, uint64_t offset, uint64_t count, uint64_t token, uint64_t in) {
    uint64_t dropped = 0;
    if (!fob_prefetch_drop(&self->prefetch, offset, count, token, &dropped))
        self->stale = no_memory;
    bool out = fob_holding_lose(&self->holding, offset, count, token, in) > 0;
    self->lost_news = self->lost_news || out;
    return out;
}

/* What of a lost range was not begun here may have counted as begun there: it is told to have
 * ended. Of one LOST no more than `jobs` can be so: *left is what remains of that. */
static void tell_unbegun(fob_leases_t *self, fob_now_t now, uint64_t offset, uint64_t count,
                         uint64_t token, uint64_t *left) {
    const fob_fetched_t *run;
    for (size_t i = 0; *left && (run = fob_prefetch_at(&self->prefetch, i)); i++) {
        if (run->token - token != run->offset - offset)
            continue;
        uint64_t at = offset > run->offset ? offset - run->offset : 0;
        for (; *left && at < run->count && run->offset + at - offset < count; at++, --*left)
            (void)fob_leases_end(self, now, &fob_has_ended, run->offset + at, run->token + at, 1);
    }
}

static void on_lost(fob_leases_t *self, fob_now_t now, const fob_wire_t *msg) {
    fob_runs_t runs;
    fob_run_t run;
    uint64_t left = self->state == JOINED ? self->options.jobs : 0;
    bool out = false;
    if (!fob_runs(msg->runs, &runs))
        return;
    while (fob_runs_next(&runs, &run)) {
        tell_unbegun(self, now, run.at[0], run.at[1], run.at[2], &left);
        out = lose(self, run.at[0], run.at[1], run.at[2], self->connection) || out;
    }
    if (out)
        lost_because(self,
                     msg->text.size ? msg->text : fob_slice_str("the bus took the lease away"));
}

/* Claims were refused: what is settled already needs no answer any more, the rest is lost. */
static void claims_refused(fob_leases_t *self, fob_slice_t refused) {
    fob_runs_t runs;
    fob_run_t run;
    if (!refused.size)
        return;
    lost_because(self, fob_slice_str("another had it before the connection was back"));
    bool good = fob_runs(refused, &runs);
    while (good && fob_runs_next(&runs, &run)) {
        self->refused += fob_settles_drop(&self->settles, fob_wire_status(run.at[0]), run.at[1],
                                          run.at[2], run.at[3]);
        (void)lose(self, run.at[1], run.at[2], run.at[3], 0);
    }
    if (!good || runs.cursor.failed)
        forget_all(self); /* nobody can tell what is still ours */
}

/* Whether a group that this makes is to begin elsewhere than with what is stored from now on: then
 * it is made by GROUP_ADD, as JOIN cannot say where. */
static bool begins_elsewhere(const fob_leases_t *self) {
    const fob_leases_options_t *options = &self->options;
    return options->pattern.size && (options->from_offset || options->from_ms);
}

static void join_failed(fob_leases_t *self, fob_now_t now, fob_status_t code, fob_slice_t text) {
    fob_leases_say(self, text, code);
    self->state = UP;
    if (code == FOB_AGAIN || code == FOB_BUSY || code == FOB_DISK_FULL || code == FOB_NO_MEMORY) {
        self->join_at = now.mono_ns + JOIN_AGAIN;
        return;
    }
    self->fate = code;
    self->fate_of_link = false;
    forget_all(self);
}

/* The answer to GROUP_ADD. Made by another meanwhile is as good. */
static void on_reply(fob_leases_t *self, fob_now_t now, const fob_wire_t *msg) {
    if (self->state != ADDING || msg->req != self->req)
        return;
    if (msg->code != FOB_OK) {
        join_failed(self, now, fob_wire_status(msg->code), msg->text);
        return;
    }
    self->state = UP;
    self->join_at = now.mono_ns;
    self->add = false;
    self->created = true;
}

static void on_joined(fob_leases_t *self, fob_now_t now, const fob_wire_t *msg) {
    if (self->state != JOINING)
        return;
    if (msg->code == FOB_NO_GROUP && begins_elsewhere(self)) {
        self->state = UP;
        self->join_at = now.mono_ns;
        self->add = true;
        return;
    }
    if (msg->code != FOB_OK) {
        join_failed(self, now, fob_wire_status(msg->code), msg->text);
        return;
    }
    self->state = JOINED;
    self->sure = self->heard;
    self->ever_joined = true;
    self->created = self->created || msg->created;
    self->bound = msg->lease;
    self->trouble[0] = 0;
    claims_refused(self, msg->refused);
    fob_leases_hurry(self); /* what had no answer has waited long enough */
}

bool fob_leases_end(fob_leases_t *self, fob_now_t now, const fob_settle_how_t *how, uint64_t offset,
                    uint64_t token, uint64_t count) {
    if (!self->settles.unsent_events)
        self->unsent_since = now.mono_ns;
    if (fob_settles_add(&self->settles, how, offset, token, count))
        return true;
    self->stale = no_memory;
    return false;
}

/* How many of the row's events are whole at the cursor, which steps over these. */
static uint64_t skim(fob_cursor_t *cursor, uint64_t count) {
    fob_slice_t topic, bytes;
    uint64_t whole = 0;
    const uint8_t *end = cursor->at;
    while (whole < count && fob_envelope_skim(cursor, &topic, &bytes)) {
        whole++;
        end = cursor->at;
    }
    cursor->at = end;
    return whole;
}

/* One row of a DELIVER. What the body does not hold whole is given back as tried, so that it does
 * not come for ever. */
static void take_row(fob_leases_t *self, fob_now_t now, const fob_run_t *run, fob_cursor_t *cursor,
                     fob_blob_t *body) {
    static const fob_settle_how_t released = {.kind = FOB_KIND_RELEASE};
    const uint8_t *at = cursor->at;
    fob_fetched_t fetched = {
        .offset = run->at[0],
        .token = run->at[2],
        .count = skim(cursor, run->at[1]),
        .attempt = run->at[3] < UINT32_MAX ? (uint32_t)run->at[3] : UINT32_MAX,
        .time_ms = (int64_t)run->at[4],
        .blob = body,
        .bytes = fob_slice(at, (size_t)(cursor->at - at)),
    };
    uint64_t broken = run->at[1] - fetched.count;
    if (broken > NUMBER_MOST)
        broken = NUMBER_MOST;
    self->delivered += fetched.count + broken;
    if (broken) {
        fob_leases_say(self, fob_slice_str("the bus delivered events that cannot be decoded"),
                       FOB_BAD_EVENT);
        (void)fob_leases_end(self, now, &fob_undecodable, fetched.offset + fetched.count,
                             fetched.token + fetched.count, broken);
    }
    if (!fetched.count)
        return;
    if (self->draining || self->fate != FOB_OK)
        (void)fob_leases_end(self, now, &released, fetched.offset, fetched.token, fetched.count);
    else if (!fob_prefetch_push(&self->prefetch, &fetched))
        self->stale = no_memory;
}

/* Offset and token are given from 1 on, and do not run over. */
static bool leasable(const fob_run_t *run) {
    const uint64_t most = INT64_MAX - NUMBER_MOST;
    return run->at[0] > 0 && run->at[0] <= most && run->at[2] > 0 && run->at[2] <= most &&
           run->at[4] <= INT64_MAX;
}

static void on_deliver(fob_leases_t *self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    fob_runs_t runs;
    fob_run_t run;
    if (self->state != JOINED && self->state != JOINING)
        return;
    fob_cursor_t cursor = fob_cursor(body ? fob_blob_slice(body) : fob_slice(NULL, 0));
    if (!fob_runs(msg->runs, &runs))
        return;
    while (fob_runs_next(&runs, &run)) {
        if (run.at[1] && leasable(&run))
            take_row(self, now, &run, &cursor, body);
        else if (skim(&cursor, run.at[1]))
            fob_leases_say(self, fob_slice_str("the bus delivered what cannot be a lease"),
                           FOB_PROTOCOL);
    }
}

static void on_error(fob_leases_t *self, fob_now_t now, const fob_wire_t *msg) {
    if ((msg->of == FOB_VERB_JOIN && self->state == JOINING) ||
        (msg->of == FOB_VERB_GROUP_ADD && self->state == ADDING))
        join_failed(self, now, fob_wire_status(msg->code), msg->text);
    else if (self->fate == FOB_OK)
        fob_leases_say(self, msg->text, fob_wire_status(msg->code));
}

void fob_leases_input(fob_leases_t *self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    if (msg->verb == FOB_VERB_ERROR) {
        on_error(self, now, msg);
        return;
    }
    if (msg->verb == FOB_VERB_REPLY) {
        on_reply(self, now, msg);
        return;
    }
    if (!fob_slice_eq(msg->group, self->options.group))
        return;
    switch (msg->verb) {
    case FOB_VERB_JOINED:
        on_joined(self, now, msg);
        break;
    case FOB_VERB_DELIVER:
        on_deliver(self, now, msg, body);
        break;
    case FOB_VERB_SETTLED:
        self->refused += fob_settles_answer(&self->settles, msg->seq, msg->refused);
        break;
    case FOB_VERB_LOST:
        on_lost(self, now, msg);
        break;
    default:
        break;
    }
}

/* --- outputs --- */

static bool finished(const fob_leases_t *self) {
    return self->draining && !self->holding.count && fob_settles_idle(&self->settles);
}

static bool settles_due(const fob_leases_t *self, int64_t now) {
    size_t rows = fob_settles_unsent(&self->settles);
    if (!rows)
        return false;
    return self->hurry || self->draining || !self->prefetch.count || rows >= GATHER_ROWS ||
           4 * self->settles.unsent_events >= self->options.prefetch ||
           now >= self->unsent_since + GATHER_NS;
}

static bool say_join(fob_leases_t *self, fob_now_t now) {
    fob_buf_clear(&self->runs);
    if (!fob_claims_pack(&self->runs, &self->prefetch, &self->holding, &self->settles)) {
        self->join_at = now.mono_ns + JOIN_AGAIN;
        return false;
    }
    self->delivered = self->allowed = 0;
    self->allowed = credit(self);
    self->state = JOINING;
    return fob_ask_join(&self->header, &self->options, !begins_elsewhere(self), self->allowed,
                        fob_buf_slice(&self->runs));
}

static bool say_add(fob_leases_t *self) {
    self->state = ADDING;
    return fob_ask_add(&self->header, &self->options, ++self->req);
}

static bool say_settle(fob_leases_t *self, fob_now_t now) {
    fob_buf_clear(&self->runs);
    fob_slice_t reason;
    uint64_t seq = fob_settles_send(&self->settles, &self->runs, &reason), more = 0;
    if (!seq)
        return false;
    self->unsent_since = now.mono_ns;
    self->busy_until = now.mono_ns + BUSY_NS;
    self->hurry = self->hurry && fob_settles_unsent(&self->settles);
    if (credit(self) > self->allowed)
        more = self->allowed = credit(self);
    return fob_ask_settle(&self->header, self->options.group, seq, fob_buf_slice(&self->runs),
                          reason, more);
}

static bool say_credit(fob_leases_t *self) {
    self->allowed = credit(self);
    return fob_ask_credit(&self->header, self->options.group, self->allowed);
}

static bool say_leave(fob_leases_t *self) {
    self->state = LEFT;
    return fob_ask_leave(&self->header, self->options.group);
}

/* Credit rides on settles where there are any to come. */
static bool credit_due(const fob_leases_t *self) {
    return !fob_settles_unsent(&self->settles) && credit(self) > self->allowed;
}

static bool join_wanted(const fob_leases_t *self) {
    return self->state == UP && self->fate == FOB_OK && !finished(self);
}

static bool say_next(fob_leases_t *self, fob_now_t now) {
    if (self->stale)
        return false;
    if (join_wanted(self))
        return now.mono_ns >= self->join_at && (self->add ? say_add(self) : say_join(self, now));
    if (self->state != JOINED)
        return false;
    if (settles_due(self, now.mono_ns))
        return say_settle(self, now);
    if (finished(self))
        return say_leave(self);
    return credit_due(self) && say_credit(self);
}

bool fob_leases_output(fob_leases_t *self, fob_now_t now, fob_slice_t *header) {
    if (!say_next(self, now))
        return false;
    *header = fob_buf_slice(&self->header);
    return true;
}

int64_t fob_leases_deadline(const fob_leases_t *self) {
    if (self->stale && self->state != OFF)
        return INT64_MIN;
    if (join_wanted(self))
        return self->join_at;
    if (self->state != JOINED)
        return self->ever_up ? FOB_NEVER : self->options.give_up_mono;
    if (settles_due(self, INT64_MIN) || finished(self) || credit_due(self))
        return INT64_MIN;
    int64_t at = self->round + self->beat_ns / 2; /* so that a halt is noticed within a beat */
    if (self->round < self->busy_until && self->holding.count)
        at = self->round + GATHER_NS;
    if (fob_settles_unsent(&self->settles) && self->unsent_since + GATHER_NS < at)
        at = self->unsent_since + GATHER_NS;
    return at;
}
