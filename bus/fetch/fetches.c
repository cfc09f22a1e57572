#include "bus/fetch/fetches.h"

#include "bus/fetch/bucket.h"

#include <assert.h>
#include <stdlib.h>

#define AGAIN_AFTER (100 * FOB_MS) /* what the system refused */
#define BUSY_AFTER  FOB_MS         /* what others are to be read for first */
#define IDLE_AFTER  FOB_SEC        /* the page is given back */

/* What is done beside reading and sending, as bytes that would take as long. */
#define LOOK_COST   8 /* an event */
#define ANSWER_COST 512

/* One in line. */
typedef struct waiter {
    struct waiter *before, *behind;
    fob_fetch_t fetch;
    uint64_t next;  /* all before is in `gone`, or does not match */
    uint32_t pages; /* that had nothing */
    fob_gone_t gone;
    uint8_t pattern[];
} waiter_t;

struct fob_fetches {
    waiter_t *first, *last;
    waiter_t **slots; /* by slot of the connection (the low half of its number) */
    size_t slot_count;
    fob_past_t past;
    fob_gather_t gather;
    fob_buf_t runs, gone;
    fob_bucket_t bucket;
    int64_t now_ns, again_ns, used_ns;
    uint64_t head;
    uint64_t asked;    /* the offset of the read under way; 0: none */
    uint64_t of_round; /* bytes served */
    fob_fetches_stats_t stats;
};

fob_fetches_t *fob_fetches_new(int64_t rate) {
    fob_fetches_t *self = calloc(1, sizeof *self);
    if (self)
        self->bucket = fob_bucket(rate ? rate : FOB_FETCH_RATE, FOB_FETCH_BURST);
    return self;
}

/* --- the line --- */

static waiter_t *of_conn(const fob_fetches_t *self, uint64_t conn) {
    uint32_t slot = (uint32_t)conn;
    waiter_t *waiter = slot < self->slot_count ? self->slots[slot] : NULL;
    return waiter && waiter->fetch.conn == conn ? waiter : NULL;
}

static void enqueue(fob_fetches_t *self, waiter_t *waiter) {
    waiter->before = self->last;
    waiter->behind = NULL;
    if (self->last)
        self->last->behind = waiter;
    else
        self->first = waiter;
    self->last = waiter;
}

static void dequeue(fob_fetches_t *self, waiter_t *waiter) {
    if (waiter->before)
        waiter->before->behind = waiter->behind;
    else
        self->first = waiter->behind;
    if (waiter->behind)
        waiter->behind->before = waiter->before;
    else
        self->last = waiter->before;
}

static void end(fob_fetches_t *self, waiter_t *waiter) {
    dequeue(self, waiter);
    self->slots[(uint32_t)waiter->fetch.conn] = NULL;
    self->stats.waiting--;
    free(waiter);
}

static bool slot_room(fob_fetches_t *self, uint32_t slot) {
    size_t count = self->slot_count ? self->slot_count : 64;
    if (slot < self->slot_count)
        return true;
    while (count <= slot)
        count *= 2;
    waiter_t **slots = realloc(self->slots, count * sizeof *slots);
    if (!slots)
        return false;
    memset(slots + self->slot_count, 0, (count - self->slot_count) * sizeof *slots);
    self->slots = slots;
    self->slot_count = count;
    return true;
}

fob_status_t fob_fetches_add(fob_fetches_t *self, const fob_fetch_t *fetch) {
    uint32_t slot = (uint32_t)fetch->conn;
    if (of_conn(self, fetch->conn))
        return FOB_LIMIT;
    waiter_t *waiter = calloc(1, sizeof *waiter + fetch->pattern.size);
    if (!waiter || !slot_room(self, slot)) {
        free(waiter);
        return FOB_NO_MEMORY;
    }
    assert(!self->slots[slot]); /* of a connection that is over */
    waiter->fetch = *fetch;
    memcpy(waiter->pattern, fetch->pattern.data, fetch->pattern.size);
    waiter->fetch.pattern.data = waiter->pattern;
    waiter->next = fetch->from ? fetch->from : 1;
    self->slots[slot] = waiter;
    enqueue(self, waiter);
    self->stats.waiting++;
    return FOB_OK;
}

void fob_fetches_forget(fob_fetches_t *self, uint64_t conn) {
    waiter_t *waiter = of_conn(self, conn);
    if (waiter)
        end(self, waiter);
}

void fob_fetches_destroy(fob_fetches_t **self_p) {
    fob_fetches_t *self = *self_p;
    if (!self)
        return;
    while (self->first)
        end(self, self->first);
    free(self->slots);
    fob_past_free(&self->past);
    fob_buf_free(&self->runs);
    fob_buf_free(&self->gone);
    free(self);
    *self_p = NULL;
}

/* --- reading --- */

/* The last offset that it gets. */
static uint64_t last_of(const fob_fetches_t *self, const waiter_t *waiter) {
    uint64_t upto = waiter->fetch.upto;
    return upto && upto < self->head ? upto : self->head;
}

/* Nothing needs to be read for it. */
static bool ready(const fob_fetches_t *self, const waiter_t *waiter) {
    return waiter->next > last_of(self, waiter) || fob_past_holds(&self->past, waiter->next);
}

/* The first in line; while it waits for the disk, who can do with what is there. */
static waiter_t *pick(const fob_fetches_t *self) {
    waiter_t *waiter = self->first;
    if (waiter && !ready(self, waiter) && !self->asked)
        return NULL; /* its read comes first, or those there keep it waiting for ever */
    while (waiter && !ready(self, waiter))
        waiter = waiter->behind;
    return waiter;
}

/* There is something to do that costs. */
static bool may_go_on(const fob_fetches_t *self) {
    return self->bucket.left > 0 && self->now_ns >= self->again_ns;
}

uint64_t fob_fetches_wants(const fob_fetches_t *self) {
    const waiter_t *first = self->first;
    if (!first || self->asked || !may_go_on(self) || ready(self, first))
        return 0;
    return first->next;
}

void fob_fetches_asked(fob_fetches_t *self, bool under_way) {
    if (under_way)
        self->asked = fob_fetches_wants(self);
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

/* Looks at what was read. True: it is to be answered; else it waits for more of the past. */
static bool look(fob_fetches_t *self, waiter_t *waiter) {
    fob_wanted_t wanted = {.pattern = waiter->fetch.pattern,
                           .last = last_of(self, waiter),
                           .limit = waiter->fetch.limit ? waiter->fetch.limit : UINT64_MAX,
                           .dry = waiter->fetch.dry};
    fob_gather_begin(&self->gather);
    if (waiter->next > wanted.last)
        return true;
    bool full = fob_gather_from(&self->gather, &self->past, &wanted, &waiter->next, &waiter->gone);
    return full || self->gather.events > 0 || waiter->next > wanted.last ||
           ++waiter->pages >= FOB_FETCH_PAGES;
}

static bool write_answer(fob_fetches_t *self, const waiter_t *waiter, fob_fetched_t *out) {
    fob_buf_clear(&self->runs);
    fob_buf_clear(&self->gone);
    fob_gather_write(&self->gather, &self->runs);
    if (waiter->gone.count)
        fob_gone_write(&waiter->gone, &self->gone);
    *out = (fob_fetched_t){.conn = waiter->fetch.conn,
                           .req = waiter->fetch.req,
                           .next = waiter->next,
                           .head = self->head,
                           .runs = fob_buf_slice(&self->runs),
                           .gone = fob_buf_slice(&self->gone)};
    if (!self->runs.failed && !self->gone.failed)
        out->body = fob_gather_body(&self->gather);
    return out->body != NULL;
}

static void pay(fob_fetches_t *self, uint64_t cost) {
    fob_bucket_take(&self->bucket, cost);
    self->of_round += cost;
}

/* Answers one. False: no memory, it stays as it was. */
static bool answer(fob_fetches_t *self, waiter_t *waiter, fob_fetched_t *out) {
    if (!write_answer(self, waiter, out))
        return false;
    self->stats.served++;
    self->stats.events += self->gather.events;
    self->stats.bytes += self->gather.bytes;
    pay(self, ANSWER_COST + self->gather.bytes);
    end(self, waiter);
    return true;
}

bool fob_fetches_next(fob_fetches_t *self, fob_fetched_t *out) {
    waiter_t *waiter;
    while (self->of_round < FOB_FETCH_PAGE && may_go_on(self) && (waiter = pick(self))) {
        uint64_t next = waiter->next;
        fob_gone_t gone = waiter->gone;
        self->used_ns = self->now_ns;
        bool done = look(self, waiter);
        pay(self, self->gather.looked * LOOK_COST);
        if (done && answer(self, waiter, out))
            return true;
        if (done) { /* no memory */
            waiter->next = next;
            waiter->gone = gone;
            self->again_ns = self->now_ns + AGAIN_AFTER;
            return false;
        }
        dequeue(self, waiter);
        enqueue(self, waiter);
    }
    return false;
}

/* --- rounds --- */

void fob_fetches_round(fob_fetches_t *self, fob_now_t now, uint64_t head) {
    self->now_ns = now.mono_ns;
    self->head = head;
    self->of_round = 0;
    fob_bucket_fill(&self->bucket, now.mono_ns);
    if (!self->first && !self->asked && self->past.memory &&
        now.mono_ns - self->used_ns > IDLE_AFTER)
        fob_past_free(&self->past);
}

int64_t fob_fetches_deadline(const fob_fetches_t *self) {
    if (!self->first)
        return self->past.memory ? self->used_ns + IDLE_AFTER + FOB_MS : FOB_NEVER;
    if (self->asked && !pick(self))
        return FOB_NEVER; /* the journal tells when it has read */
    int64_t paid = fob_bucket_ready(&self->bucket);
    return paid > self->again_ns ? paid : self->again_ns;
}

void fob_fetches_stats(const fob_fetches_t *self, fob_fetches_stats_t *out) {
    *out = self->stats;
}
