#include "bus/fetch/fetches.h"

#include "bus/fetch/bucket.h"
#include "bus/fetch/unsent.h"
#include "proto/planted.h"

#include <assert.h>
#include <stdlib.h>

#define AGAIN_AFTER (100 * FOB_MS) /* what the system refused */
#define BUSY_AFTER  FOB_MS         /* what others are to be read for first */
#define IDLE_AFTER  FOB_SEC        /* the page is given back */
#define FULL_AFTER  (5 * FOB_MS)   /* nobody tells when an answer was taken */
#define NOTHING     UINT64_MAX     /* can be done for it now */
#define EVENT_BYTES 256            /* of a journal that nothing was read of yet */
#define RECORD_COST 32             /* bytes in the journal beside an event */

/* What is done beside reading and sending, as bytes that would take as long. */
#define LOOK_COST   32 /* an event, or a topic */
#define LIST_COST   64 /* a topic somewhere in memory */
#define ANSWER_COST 512
#define STORED_MOST (UINT64_C(1) << 32)
#define STORED_COST 128 /* an event that was published, of which workers have more work */

/* A WHOLE in line. */
typedef struct {
    fob_waiter_t waiter; /* first */
    fob_whole_t whole;
    uint8_t pattern[];
} asker_t;

struct fob_fetches {
    fob_topics_ops_t topics;
    fob_line_t seekers, askers;
    fob_unsent_t fetched, wholenesses;
    asker_t *asker; /* whose turn it was; out of line */
    fob_latest_t latest;
    fob_past_t past;
    fob_gather_t gather;
    fob_buf_t runs, gone;
    fob_bucket_t bucket;
    int64_t now_ns, again_ns, used_ns;
    uint64_t head;
    uint64_t asked;      /* the offset of the read under way; 0: none */
    uint64_t of_round;   /* paid */
    size_t answer_bytes; /* of one, in this round; 0: none is to be made */
    bool news;           /* one was put in line since the round began */
    bool owed;           /* WHOLEs left nothing to FETCHes, who come first now */
    fob_fetches_stats_t stats;
};

fob_fetches_t *fob_fetches_new(int64_t rate, const fob_topics_ops_t *topics) {
    fob_fetches_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->bucket = fob_bucket(rate ? rate : FOB_FETCH_RATE, FOB_FETCH_BURST);
    self->topics = *topics;
    return self;
}

/* --- the lines --- */

static fob_seeker_t *seeker_of(fob_waiter_t *waiter) {
    return (fob_seeker_t *)(void *)waiter;
}

static bool is_latest(const fob_seeker_t *seeker) {
    return seeker->fetch.latest && seeker->next; /* else its time is looked for first */
}

/* The offset that is to be read for it; 0: none; NOTHING. */
static uint64_t wants(fob_fetches_t *self, fob_seeker_t *seeker) {
    uint64_t offset = fob_seeker_wants(seeker, self->head);
    if (!is_latest(seeker))
        return offset;
    if (!self->latest.owner)
        fob_latest_begin(&self->latest, seeker, &self->topics);
    return self->latest.owner == seeker ? fob_latest_wants(&self->latest, self->head) : NOTHING;
}

/* To the end of the line, or aside where nothing can be done for it. */
static void place(fob_fetches_t *self, fob_seeker_t *seeker) {
    uint64_t wanted = wants(self, seeker);
    if (wanted == NOTHING)
        fob_line_set_aside(&self->seekers, &seeker->waiter);
    else
        fob_line_turn(&self->seekers, &seeker->waiter, wanted);
}

/* It wants of each topic the last event no more, or later: the next who does has its turn. */
static void yield(fob_fetches_t *self, fob_seeker_t *seeker) {
    if (self->latest.owner != seeker)
        return;
    fob_latest_end(&self->latest);
    if (self->seekers.aside.first)
        place(self, seeker_of(self->seekers.aside.first));
}

static void end(fob_fetches_t *self, fob_seeker_t *seeker) {
    fob_line_remove(&self->seekers, &seeker->waiter);
    yield(self, seeker);
    free(seeker);
}

static fob_status_t may_wait(fob_line_t *line, const fob_unsent_t *unsent, uint64_t conn,
                             uint32_t route) {
    if (fob_line_of(line, conn) || fob_unsent_any(unsent, route))
        return FOB_LIMIT;
    return fob_line_room(line, conn) ? FOB_OK : FOB_NO_MEMORY;
}

fob_status_t fob_fetches_add(fob_fetches_t *self, const fob_fetch_t *fetch) {
    fob_status_t status = may_wait(&self->seekers, &self->fetched, fetch->conn, fetch->route);
    if (status != FOB_OK)
        return status;
    fob_seeker_t *seeker = fob_seeker_new(fetch);
    if (!seeker)
        return FOB_NO_MEMORY;
    fob_line_add(&self->seekers, &seeker->waiter);
    fob_line_turn(&self->seekers, &seeker->waiter, 0); /* what it wants is seen in its turn */
    self->news = true;
    return FOB_OK;
}

fob_status_t fob_fetches_add_whole(fob_fetches_t *self, const fob_whole_t *whole) {
    fob_status_t status = may_wait(&self->askers, &self->wholenesses, whole->conn, whole->route);
    if (status != FOB_OK)
        return status;
    asker_t *asker = calloc(1, sizeof *asker + whole->pattern.size);
    if (!asker)
        return FOB_NO_MEMORY;
    asker->waiter.conn = whole->conn;
    asker->whole = *whole;
    memcpy(asker->pattern, whole->pattern.data, whole->pattern.size);
    asker->whole.pattern.data = asker->pattern;
    fob_line_add(&self->askers, &asker->waiter);
    fob_line_turn(&self->askers, &asker->waiter, 0);
    return FOB_OK;
}

void fob_fetches_forget(fob_fetches_t *self, uint64_t conn) {
    fob_waiter_t *seeker = fob_line_of(&self->seekers, conn);
    fob_waiter_t *asker = fob_line_of(&self->askers, conn);
    if (seeker)
        end(self, seeker_of(seeker));
    if (asker) {
        fob_line_remove(&self->askers, asker);
        free(asker);
    }
}

static void end_all(fob_line_t *line) {
    fob_waiter_t *waiter;
    while ((waiter = line->turns.first ? line->turns.first : line->aside.first)) {
        fob_line_remove(line, waiter);
        free(waiter);
    }
    fob_line_free(line);
}

void fob_fetches_destroy(fob_fetches_t **self_p) {
    fob_fetches_t *self = *self_p;
    if (!self)
        return;
    end_all(&self->seekers);
    end_all(&self->askers);
    fob_unsent_free(&self->fetched);
    fob_unsent_free(&self->wholenesses);
    free(self->asker);
    fob_latest_free(&self->latest);
    fob_past_free(&self->past);
    fob_gather_free(&self->gather);
    fob_buf_free(&self->runs);
    fob_buf_free(&self->gone);
    free(self);
    *self_p = NULL;
}

/* --- reading --- */

static void pay(fob_fetches_t *self, uint64_t cost) {
    fob_bucket_take(&self->bucket, cost);
    self->of_round += cost;
}

/* There may be done what costs. */
static bool may_go_on(const fob_fetches_t *self) {
    return self->bucket.left > 0 && self->now_ns >= self->again_ns && self->answer_bytes > 0;
}

static bool ready(const fob_fetches_t *self, uint64_t offset) {
    return offset == 0 || (offset != NOTHING && fob_past_holds(&self->past, offset));
}

/* The first in line, where something can be done for it; while it waits for the disk, one for whom
 * what is there will do. `*offset`: what is to be read where there is nobody, or 0. It may turn out
 * that one who was just put in line waits as well. */
static fob_seeker_t *pick(fob_fetches_t *self, uint64_t *offset) {
    fob_waiter_t *first = self->seekers.turns.first;
    *offset = 0;
    if (!first || ready(self, first->node.key))
        return first ? seeker_of(first) : NULL;
    if (!self->asked) {
        *offset = first->node.key; /* before all else, or those who are ready keep it waiting for
                                      ever */
        return NULL;
    }
    fob_waiter_t *other = fob_line_within(&self->seekers, 0, 1);
    if (!other)
        other = fob_line_within(&self->seekers, self->past.first, self->past.end);
    return other ? seeker_of(other) : NULL;
}

/* How much is to be read for the first in line: where it wants single events which lie far from
 * each other, not all that lies between them. */
static uint32_t page_bytes(const fob_fetches_t *self) {
    const fob_seeker_t *seeker = seeker_of(self->seekers.turns.first);
    uint64_t events = self->past.end - self->past.first;
    uint64_t each = events ? self->past.records / events + RECORD_COST : EVENT_BYTES;
    if (!is_latest(seeker))
        return FOB_FETCH_PAGE;
    uint64_t span = fob_latest_span(&self->latest, FOB_FETCH_PAGE / each);
    return span < FOB_FETCH_PAGE / each ? (uint32_t)(span * each + 1) : FOB_FETCH_PAGE;
}

uint64_t fob_fetches_wants(fob_fetches_t *self, uint32_t *bytes) {
    uint64_t offset = 0;
    if (!self->asked && may_go_on(self))
        pick(self, &offset);
    if (offset)
        *bytes = page_bytes(self);
    return offset;
}

void fob_fetches_asked(fob_fetches_t *self, bool under_way) {
    uint32_t bytes;
    if (under_way)
        self->asked = fob_fetches_wants(self, &bytes);
    else
        self->again_ns = self->now_ns + BUSY_AFTER;
}

void fob_fetches_page(fob_fetches_t *self, const fob_page_t *page) {
    uint64_t asked = self->asked;
    assert(asked);
    self->asked = 0;
    self->stats.reads++;
    self->stats.read_bytes += page->memory_size;
    fob_bucket_take(&self->bucket, page->memory_size);
    bool refused = page->code == FOB_JOURNAL_SYSTEM || page->code == FOB_JOURNAL_MEMORY;
    if (refused)
        free(page->memory);
    if (refused || !fob_past_take(&self->past, page, asked, self->head))
        self->again_ns = self->now_ns + AGAIN_AFTER;
    self->used_ns = self->now_ns;
}

/* --- answers --- */

/* Where its answer is made. */
static fob_gather_t *gather_of(fob_fetches_t *self, const fob_seeker_t *seeker) {
    return is_latest(seeker) ? &self->latest.gather : &self->gather;
}

/* Looks at what was read. True: it is to be answered; else it waits for more of the past. */
static bool look(fob_fetches_t *self, fob_seeker_t *seeker) {
    fob_gather_t *gather = gather_of(self, seeker);
    if (gather == &self->gather)
        fob_gather_begin(gather);
    if (gather != &self->gather && !self->latest.listed) {
        pay(self, LIST_COST * fob_latest_list(&self->latest, &self->topics));
        return false;
    }
    if (wants(self, seeker) == 0)
        return true;
    uint64_t looked = gather->looked;
    bool done =
        gather == &self->gather
            ? fob_seeker_look(seeker, &self->past, self->head, self->answer_bytes, gather)
            : fob_latest_look(&self->latest, &self->past, self->answer_bytes, &self->topics);
    pay(self, LOOK_COST * (gather->looked - looked));
    return done;
}

static bool write_answer(fob_fetches_t *self, const fob_seeker_t *seeker, fob_fetched_t *out) {
    const fob_gather_t *gather = gather_of(self, seeker);
    fob_buf_clear(&self->runs);
    fob_buf_clear(&self->gone);
    fob_gather_write(gather, &self->runs);
    if (seeker->gone.count)
        fob_gone_write(&seeker->gone, &self->gone);
    *out = (fob_fetched_t){.conn = seeker->fetch.conn,
                           .req = seeker->fetch.req,
                           .next = seeker->next,
                           .head = self->head,
                           .runs = fob_buf_slice(&self->runs),
                           .gone = fob_buf_slice(&self->gone)};
    if (FOB_PLANTED(PAGE_SKIPS_ONE) && gather->events && out->next <= self->head)
        out->next++;
    if (is_latest(seeker)) {
        out->head = fob_latest_head(&self->latest, self->head);
        out->floor = self->latest.floor;
    }
    if (!self->runs.failed && !self->gone.failed && !gather->body.failed)
        out->body =
            fob_unsent_wrap(&self->fetched, seeker->fetch.route, fob_buf_slice(&gather->body));
    return out->body != NULL;
}

/* Answers one. False: no memory. */
static bool answer(fob_fetches_t *self, fob_seeker_t *seeker, fob_fetched_t *out) {
    const fob_gather_t *gather = gather_of(self, seeker);
    if (!write_answer(self, seeker, out))
        return false;
    self->stats.served++;
    self->stats.events += gather->events;
    self->stats.bytes += gather->body.size;
    pay(self, ANSWER_COST + gather->body.size);
    end(self, seeker);
    return true;
}

/* There was no memory for its answer: it begins anew, a little later. */
static void begin_again(fob_fetches_t *self, fob_seeker_t *seeker) {
    yield(self, seeker);
    seeker->next = seeker->began;
    seeker->gone.count = 0;
    self->again_ns = self->now_ns + AGAIN_AFTER;
    place(self, seeker);
}

/* What it waits for is known now: it keeps its turn. */
static void keep_waiting(fob_fetches_t *self, fob_seeker_t *seeker, uint64_t wanted) {
    if (wanted == NOTHING)
        fob_line_set_aside(&self->seekers, &seeker->waiter);
    else
        fob_line_want(&self->seekers, &seeker->waiter, wanted);
}

/* True: it is answered, or cannot be for want of memory (then *out has no body). */
static bool serve(fob_fetches_t *self, fob_seeker_t *seeker, fob_fetched_t *out) {
    uint64_t wanted = wants(self, seeker);
    if (!ready(self, wanted)) {
        keep_waiting(self, seeker, wanted);
        return false;
    }
    self->used_ns = self->now_ns;
    self->owed = false;
    if (!look(self, seeker)) {
        place(self, seeker);
        return false;
    }
    if (!answer(self, seeker, out))
        begin_again(self, seeker);
    return true;
}

bool fob_fetches_next(fob_fetches_t *self, fob_fetched_t *out) {
    fob_seeker_t *seeker;
    uint64_t offset;
    out->body = NULL;
    while (self->of_round < FOB_FETCH_PAGE && may_go_on(self) && (seeker = pick(self, &offset)))
        if (serve(self, seeker, out))
            return out->body != NULL;
    return false;
}

/* Whether a FETCH is to be served, or read for, before the next WHOLE. */
static bool owes(fob_fetches_t *self) {
    uint64_t offset;
    return self->owed && may_go_on(self) && (pick(self, &offset) || offset);
}

bool fob_fetches_whole(fob_fetches_t *self, fob_whole_t *out) {
    free(self->asker);
    self->asker = NULL;
    if (!self->askers.turns.first || self->bucket.left <= 0 || self->answer_bytes == 0 ||
        self->of_round >= FOB_FETCH_PAGE || owes(self))
        return false;
    self->asker = (asker_t *)(void *)self->askers.turns.first;
    fob_line_remove(&self->askers, &self->asker->waiter);
    *out = self->asker->whole;
    return true;
}

fob_blob_t *fob_fetches_answer(fob_fetches_t *self, const fob_whole_t *whole, fob_slice_t rows,
                               size_t looked) {
    pay(self, ANSWER_COST + LOOK_COST * looked);
    self->owed = self->bucket.left <= 0 || self->of_round >= FOB_FETCH_PAGE;
    return fob_unsent_wrap(&self->wholenesses, whole->route, rows);
}

/* --- rounds --- */

static bool idle(const fob_fetches_t *self) {
    return !self->seekers.count && !self->asked;
}

/* What is not needed any more is given back. */
static void rest(fob_fetches_t *self) {
    fob_past_free(&self->past);
    fob_gather_free(&self->gather);
    fob_gather_free(&self->latest.gather);
}

/* Bytes of answers that their clients did not take. */
static size_t unsent(const fob_fetches_t *self) {
    return fob_unsent_bytes(&self->fetched) + fob_unsent_bytes(&self->wholenesses);
}

static size_t answer_bytes(const fob_fetches_t *self) {
    size_t held = unsent(self);
    if (held >= FOB_FETCH_HELD)
        return 0;
    return held >= FOB_FETCH_CROWDED ? FOB_FETCH_SMALL : FOB_GATHER_BYTES;
}

/* More is durable: what is listed can be read. */
static void take_up(fob_fetches_t *self) {
    fob_seeker_t *owner = self->latest.owner;
    if (owner && owner->waiter.aside && self->head >= self->latest.head)
        place(self, owner);
}

void fob_fetches_round(fob_fetches_t *self, fob_now_t now, uint64_t head) {
    uint64_t stored = head > self->head ? head - self->head : 0;
    self->now_ns = now.mono_ns;
    self->head = head;
    self->of_round = 0;
    self->news = false;
    self->answer_bytes = answer_bytes(self);
    take_up(self);
    fob_bucket_fill(&self->bucket, now.mono_ns,
                    (int64_t)(stored < STORED_MOST ? stored : STORED_MOST) * STORED_COST);
    if (idle(self) && self->past.memory && now.mono_ns - self->used_ns > IDLE_AFTER)
        rest(self);
}

int64_t fob_fetches_deadline(fob_fetches_t *self) {
    int64_t paid = fob_bucket_ready(&self->bucket), at = FOB_NEVER;
    uint64_t offset;
    if (idle(self) && self->past.memory)
        at = self->used_ns + IDLE_AFTER + FOB_MS;
    if (self->news)
        return self->now_ns;
    if (self->answer_bytes == 0 && paid < self->now_ns + FULL_AFTER)
        paid = self->now_ns + FULL_AFTER;
    if (pick(self, &offset) || offset)
        at = paid > self->again_ns ? paid : self->again_ns;
    return self->askers.count && paid < at ? paid : at;
}

void fob_fetches_stats(const fob_fetches_t *self, fob_fetches_stats_t *out) {
    *out = self->stats;
    out->waiting = self->seekers.count;
    out->unsent = unsent(self);
}
