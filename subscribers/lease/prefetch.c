#include "subscribers/lease/prefetch.h"

#include "proto/envelope.h"
#include "proto/ring.h"
#include "subscribers/lease/overlap.h"

#include <assert.h>
#include <stdlib.h>

static fob_fetched_t *run_at(const fob_prefetch_t *self, size_t index) {
    return &self->ring[(self->head + index) & (self->capacity - 1)];
}

/* Room for one more run. */
static bool reserve(fob_prefetch_t *self) {
    fob_fetched_t *ring =
        fob_ring_reserve(self->ring, sizeof *ring, &self->capacity, &self->head, self->runs, 1);
    if (!ring)
        return false;
    self->ring = ring;
    return true;
}

bool fob_prefetch_push(fob_prefetch_t *self, const fob_fetched_t *run) {
    assert(run->count > 0);
    if (!reserve(self))
        return false;
    fob_fetched_t *last = run_at(self, self->runs++);
    *last = *run;
    fob_blob_ref(last->blob);
    self->count += run->count;
    return true;
}

/* Takes the first run out of the ring, and with it the empty ones behind it, so that the front has
 * a count. */
static void shift(fob_prefetch_t *self) {
    do {
        fob_blob_unref(&run_at(self, 0)->blob);
        self->head = (self->head + 1) & (self->capacity - 1);
        self->runs--;
    } while (self->runs && !run_at(self, 0)->count);
}

const fob_fetched_t *fob_prefetch_front(const fob_prefetch_t *self) {
    return self->runs ? run_at(self, 0) : NULL;
}

bool fob_prefetch_peek(const fob_prefetch_t *self, fob_slice_t *event) {
    assert(self->runs);
    fob_cursor_t cursor = fob_cursor(run_at(self, 0)->bytes);
    fob_slice_t topic;
    return fob_envelope_skim(&cursor, &topic, event);
}

void fob_prefetch_pop(fob_prefetch_t *self, fob_slice_t event) {
    assert(self->runs);
    fob_fetched_t *run = run_at(self, 0);
    assert(event.data == run->bytes.data && event.size <= run->bytes.size);
    self->count--;
    if (--run->count == 0) {
        shift(self);
        return;
    }
    run->offset++;
    run->token++;
    run->bytes = fob_slice(run->bytes.data + event.size, run->bytes.size - event.size);
}

/* Steps the run over its first `count` events. */
static void skip(fob_fetched_t *run, uint64_t count) {
    fob_cursor_t cursor = fob_cursor(run->bytes);
    fob_slice_t topic, bytes;
    for (uint64_t i = 0; i < count; i++)
        if (!fob_envelope_skim(&cursor, &topic, &bytes))
            break; /* seen when the event is peeked at */
    run->bytes = fob_slice(cursor.at, (size_t)(cursor.end - cursor.at));
    run->offset += count;
    run->token += count;
    run->count -= count;
}

/* Puts a run in behind the index-th. False: no memory. */
static bool insert(fob_prefetch_t *self, size_t index, const fob_fetched_t *run) {
    if (!reserve(self))
        return false;
    for (size_t i = self->runs++; i > index + 1; i--)
        *run_at(self, i) = *run_at(self, i - 1);
    *run_at(self, index + 1) = *run;
    fob_blob_ref(run->blob);
    return true;
}

/* Cuts [from, from + gone) of the index-th run's events out. False: no memory, the rest behind went
 * too. */
static bool cut(fob_prefetch_t *self, size_t index, uint64_t from, uint64_t gone) {
    fob_fetched_t *run = run_at(self, index);
    uint64_t rest = run->count - from - gone;
    bool kept = true;
    self->count -= gone;
    if (from == 0) {
        if (rest)
            skip(run, gone);
        else
            run->count = 0;
        return true;
    }
    if (rest) {
        fob_fetched_t tail = *run;
        skip(&tail, from + gone);
        kept = insert(self, index, &tail);
        if (!kept)
            self->count -= rest;
        run = run_at(self, index);
    }
    run->count = from; /* its bytes reach further, which nobody reads */
    return kept;
}

bool fob_prefetch_drop(fob_prefetch_t *self, uint64_t offset, uint64_t count, uint64_t token,
                       uint64_t *dropped) {
    const fob_lease_range_t range = {offset, token, count};
    bool kept = true;
    for (size_t i = 0; i < self->runs; i++) {
        const fob_fetched_t *run = run_at(self, i);
        const fob_lease_range_t of = {run->offset, run->token, run->count};
        uint64_t from, gone;
        if (!fob_lease_overlap(&of, &range, &from, &gone))
            continue;
        *dropped += gone;
        kept = cut(self, i, from, gone) && kept;
    }
    if (self->runs && !run_at(self, 0)->count)
        shift(self);
    return kept;
}

const fob_fetched_t *fob_prefetch_at(const fob_prefetch_t *self, size_t index) {
    return index < self->runs ? run_at(self, index) : NULL;
}

void fob_prefetch_clear(fob_prefetch_t *self) {
    for (size_t i = 0; i < self->runs; i++)
        fob_blob_unref(&run_at(self, i)->blob);
    self->head = self->runs = 0;
    self->count = 0;
}

void fob_prefetch_free(fob_prefetch_t *self) {
    fob_prefetch_clear(self);
    free(self->ring);
    *self = (fob_prefetch_t){0};
}
