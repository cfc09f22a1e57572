/* A subscriber in mode RELIABLE or NOTIFY: what it is handed, and what it is told it lacks, held
 * against the journal as the epoch has it that it was told of last. */
#include "checker.h"
#include "proto/topic.h"
#include "subscribers/sequence/sequencer.h"

enum { HANDED = 1, LOST = 2, GONE = 4 };

/* One life of a subscriber. */
typedef struct {
    bool known, quiet; /* what is gone at its beginning it is not told */
    bool renumbered;   /* an epoch began since */
    fob_sequencer_mode_t mode;
    fob_sequencer_from_t from;
    uint64_t value, head; /* as of its beginning */
    uint64_t start;       /* nothing at or below it is due, */
    uint64_t due;         /* nor is all at or below this one (LAST: only each topic's last) */
    uint64_t epoch;
    uint64_t checked; /* by a position */
    uint64_t lowest;  /* handed out or told; UINT64_MAX: none yet */
    uint64_t last[SIM_TOPICS];
    bool matches[SIM_TOPICS];
    uint8_t *fate; /* by offset */
    size_t room;
} reader_t;

typedef struct {
    uint64_t epoch, began;
} epoch_t;

typedef struct {
    reader_t *readers; /* by number */
    size_t room;
    epoch_t *epochs;
    size_t epoch_count, epoch_room;
} own_t;

#define LL(number) ((unsigned long long)(number))

static reader_t *reader(sim_checker_t *self, uint32_t number) {
    own_t *own = self->own;
    while (number >= own->room)
        own->readers = sim_grow(own->readers, own->room, &own->room, sizeof *own->readers);
    return &own->readers[number];
}

static uint8_t *fate(reader_t *r, uint64_t offset) {
    while (offset >= r->room)
        r->fate = sim_grow(r->fate, r->room, &r->room, 1);
    return &r->fate[offset];
}

static const sim_stored_t *event(const sim_checker_t *self, uint64_t offset) {
    return &self->ground->events[offset];
}

static bool of_pattern(const sim_checker_t *self, const reader_t *r, uint64_t offset) {
    return event(self, offset)->there && r->matches[event(self, offset)->topic];
}

/* It cannot be had any more. */
static bool is_gone(const sim_checker_t *self, uint64_t offset) {
    return offset < self->ground->first || event(self, offset)->hit;
}

/* Neither handed out nor told, though it is due. */
static bool is_missing(const sim_checker_t *self, reader_t *r, uint64_t offset) {
    if (offset <= r->due || *fate(r, offset) ||
        (r->quiet && offset < r->lowest && is_gone(self, offset)))
        return false;
    bool earlier =
        r->from == FOB_SEQUENCER_TIME && event(self, offset)->time_ms < (int64_t)r->value;
    return !earlier;
}

/* --- its beginning --- */

static void subscribed(sim_checker_t *self, const sim_fact_t *fact) {
    reader_t *r = reader(self, fact->worker);
    *r = (reader_t){.known = (fob_sequencer_mode_t)fact->status != FOB_SEQUENCER_LIVE,
                    .mode = (fob_sequencer_mode_t)fact->status,
                    .from = (fob_sequencer_from_t)fact->count,
                    .value = fact->value,
                    .head = fact->offset,
                    .epoch = fact->token,
                    .lowest = UINT64_MAX};
    r->quiet = r->from == FOB_SEQUENCER_EARLIEST || r->from == FOB_SEQUENCER_TIME ||
               r->from == FOB_SEQUENCER_LAST;
    if (r->from == FOB_SEQUENCER_LATEST)
        r->start = r->head;
    if (r->from == FOB_SEQUENCER_OFFSET && r->value)
        r->start = r->value - 1;
    r->due = r->from == FOB_SEQUENCER_LAST ? r->head : r->start;
    for (unsigned t = 0; t < SIM_TOPICS; t++)
        r->matches[t] = fob_pattern_match(fact->bytes, fob_slice_str(sim_topics[t]));
}

/* --- events --- */

static void no_hole(sim_checker_t *self, const sim_fact_t *fact, reader_t *r, unsigned topic) {
    uint64_t after = r->last[topic] > r->due ? r->last[topic] : r->due;
    for (uint64_t o = after + 1; o < fact->offset; o++)
        if (event(self, o)->there && event(self, o)->topic == topic)
            SIM_HOLD(self, !is_missing(self, r, o),
                     "subscriber %u is handed offset %llu, and has not got %llu of that topic",
                     fact->worker, LL(fact->offset), LL(o));
}

static void out(reader_t *r, uint64_t offset) {
    if (offset < r->lowest)
        r->lowest = offset;
}

static void handed(sim_checker_t *self, const sim_fact_t *fact) {
    reader_t *r = reader(self, fact->worker);
    uint64_t offset = fact->offset;
    SIM_HOLD(self, r->known && offset <= self->ground->head && of_pattern(self, r, offset),
             "subscriber %u is handed offset %llu, which is not for it", fact->worker, LL(offset));
    const sim_stored_t *stored = event(self, offset);
    SIM_HOLD(self, stored->time_ms == fact->time_ms,
             "subscriber %u is handed offset %llu as stored at %lld, and it was at %lld",
             fact->worker, LL(offset), (long long)fact->time_ms, (long long)stored->time_ms);
    SIM_HOLD(self, offset > r->start, "subscriber %u begins behind %llu, and is handed %llu",
             fact->worker, LL(r->start), LL(offset));
    SIM_HOLD(self,
             r->from != FOB_SEQUENCER_TIME || offset > r->head ||
                 stored->time_ms >= (int64_t)r->value,
             "subscriber %u is handed offset %llu, from before its time", fact->worker, LL(offset));
    SIM_HOLD(self, !*fate(r, offset), "subscriber %u is handed offset %llu, which it was %s before",
             fact->worker, LL(offset),
             *fate(r, offset) & HANDED ? "handed" : "told it does not get");
    SIM_HOLD(self, offset > r->last[stored->topic],
             "subscriber %u is handed offset %llu behind %llu of the same topic", fact->worker,
             LL(offset), LL(r->last[stored->topic]));
    out(r, offset);
    if (r->mode == FOB_SEQUENCER_RELIABLE)
        no_hole(self, fact, r, stored->topic);
    *fate(r, offset) = HANDED;
    r->last[stored->topic] = offset;
}

/* --- notices --- */

static bool of_topic(const sim_checker_t *self, const sim_fact_t *fact, uint64_t offset) {
    return !fact->bytes.size ||
           fob_slice_eq(fact->bytes, fob_slice_str(sim_topics[event(self, offset)->topic]));
}

static void lost(sim_checker_t *self, const sim_fact_t *fact, reader_t *r) {
    SIM_HOLD(self, r->mode == FOB_SEQUENCER_NOTIFY, "subscriber %u is told of what it can have",
             fact->worker);
    for (uint64_t o = fact->offset; o <= fact->count; o++) {
        SIM_HOLD(self, of_pattern(self, r, o) && of_topic(self, fact, o),
                 "subscriber %u is told that it lacks offset %llu, which is not for it",
                 fact->worker, LL(o));
        SIM_HOLD(self, !*fate(r, o),
                 "subscriber %u is told that it lacks offset %llu, which it was %s before",
                 fact->worker, LL(o), *fate(r, o) & HANDED ? "handed" : "told of");
        *fate(r, o) = LOST;
    }
}

static void gone(sim_checker_t *self, const sim_fact_t *fact, reader_t *r) {
    const own_t *own = self->own;
    bool former = r->epoch != own->epochs[own->epoch_count - 1].epoch;
    bool damaged = fact->value == FOB_NOTICE_DAMAGED;
    for (uint64_t o = fact->offset; o <= fact->count; o++) {
        SIM_HOLD(self, former || (damaged ? event(self, o)->hit : o < self->ground->first),
                 "subscriber %u is told that offset %llu is %s, and the journal has it (all from "
                 "%llu on)",
                 fact->worker, LL(o), damaged ? "damaged" : "no longer kept",
                 LL(self->ground->first));
        SIM_HOLD(self, o > r->start, "subscriber %u is told of offset %llu, from before its start",
                 fact->worker, LL(o));
        if (!event(self, o)->there || !of_topic(self, fact, o))
            continue;
        SIM_HOLD(self, r->mode == FOB_SEQUENCER_NOTIFY || !(*fate(r, o) & GONE),
                 "subscriber %u is told twice that offset %llu is gone", fact->worker, LL(o));
        *fate(r, o) |= GONE;
    }
}

/* Offsets above the lowest `began` of the epochs between are others now. */
static void renumbered(sim_checker_t *self, const sim_fact_t *fact, reader_t *r) {
    own_t *own = self->own;
    uint64_t began = UINT64_MAX, highest = 0;
    bool after = false, found = false;
    for (size_t i = 0; i < own->epoch_count && !found; i++) {
        if (after && own->epochs[i].began < began)
            began = own->epochs[i].began;
        found = after && own->epochs[i].epoch == fact->token;
        after = after || own->epochs[i].epoch == r->epoch;
    }
    SIM_HOLD(self, found && fact->offset == began + 1,
             "subscriber %u is told that epoch %llu begins at offset %llu, not %llu", fact->worker,
             LL(fact->token), LL(fact->offset), LL(began + 1));
    for (uint64_t o = began + 1; o < r->room; o++) {
        highest = r->fate[o] & HANDED ? o : highest;
        r->fate[o] = 0;
    }
    SIM_HOLD(self, highest <= fact->count,
             "subscriber %u is told of a new epoch up to offset %llu, and was handed %llu",
             fact->worker, LL(fact->count), LL(highest));
    for (unsigned t = 0; t < SIM_TOPICS; t++)
        r->last[t] = r->last[t] < began ? r->last[t] : began;
    r->start = r->start < began ? r->start : began;
    r->due = r->due < began ? r->due : began;
    r->head = r->head < began ? r->head : began;
    r->checked = r->checked < began ? r->checked : began;
    r->epoch = fact->token;
    r->renumbered = true;
}

static void notice(sim_checker_t *self, const sim_fact_t *fact) {
    reader_t *r = reader(self, fact->worker);
    fob_notice_kind_t kind = (fob_notice_kind_t)fact->value;
    bool epoch = kind == FOB_NOTICE_EPOCH;
    SIM_HOLD(self,
             r->known && (epoch || (fact->token == r->epoch && fact->offset <= fact->count &&
                                    fact->count <= self->ground->head)),
             "subscriber %u is told of offsets %llu to %llu in epoch %llu", fact->worker,
             LL(fact->offset), LL(fact->count), LL(fact->token));
    if (epoch) {
        renumbered(self, fact, r);
        return;
    }
    out(r, fact->offset);
    if (kind == FOB_NOTICE_LOST)
        lost(self, fact, r);
    else
        gone(self, fact, r);
}

/* --- what it has --- */

static void complete(sim_checker_t *self, const sim_fact_t *fact) {
    reader_t *r = reader(self, fact->worker);
    uint64_t upto = fact->offset < self->ground->head ? fact->offset : self->ground->head;
    for (uint64_t o = r->checked + 1; r->known && o <= upto; o++)
        if (of_pattern(self, r, o))
            SIM_HOLD(
                self, !is_missing(self, r, o),
                "subscriber %u (mode %d, from %d) has all up to offset %llu, it says, but not %llu",
                fact->worker, (int)r->mode, (int)r->from, LL(fact->offset), LL(o));
    if (upto > r->checked)
        r->checked = upto;
}

/* Each topic's last event was handed out, also where it lies before the subscriber began. */
static void lasts(sim_checker_t *self, const sim_fact_t *fact, reader_t *r) {
    uint64_t last[SIM_TOPICS] = {0};
    for (uint64_t o = 1; o <= self->ground->head; o++)
        if (of_pattern(self, r, o))
            last[event(self, o)->topic] = o;
    for (unsigned t = 0; t < SIM_TOPICS; t++)
        if (last[t] && last[t] <= r->head && !is_gone(self, last[t]))
            SIM_HOLD(self, *fate(r, last[t]) & HANDED,
                     "subscriber %u never got the last event of %s, offset %llu", fact->worker,
                     sim_topics[t], LL(last[t]));
}

static void rests(sim_checker_t *self, const sim_fact_t *fact) {
    reader_t *r = reader(self, fact->worker);
    complete(self, fact);
    if (r->known && r->from == FOB_SEQUENCER_LAST && !r->renumbered)
        lasts(self, fact, r);
}

static void bus_up(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (own->epoch_count && own->epochs[own->epoch_count - 1].epoch == fact->token)
        return;
    own->epochs = sim_grow(own->epochs, own->epoch_count, &own->epoch_room, sizeof *own->epochs);
    own->epochs[own->epoch_count++] = (epoch_t){fact->token, fact->value};
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    switch (fact->kind) {
    case SIM_BUS_UP:
        bus_up(self, fact);
        break;
    case SIM_SUBSCRIBED:
        subscribed(self, fact);
        break;
    case SIM_HANDED:
        handed(self, fact);
        break;
    case SIM_NOTICE:
        notice(self, fact);
        break;
    case SIM_POSITION:
        complete(self, fact);
        break;
    case SIM_RESTS:
        rests(self, fact);
        break;
    default:
        break;
    }
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->room; i++)
        free(own->readers[i].fate);
    free(own->readers);
    free(own->epochs);
}

const sim_checker_ops_t sim_check_sequence = {
    "a subscriber gets each event once, in order, or is told exactly which it does not get",
    sizeof(own_t), fact, end};
