/* prefetch: leases that came and are not begun, in the order delivered: a ring of runs, each a
 * stretch of one delivery's body, so that a batch costs no more than a row. Pure; one thread at a
 * time. */
#ifndef FOB_LEASE_PREFETCH_H
#define FOB_LEASE_PREFETCH_H

#include "proto/blob.h"
#include "proto/event.h"

/* Consecutive leases and the bytes of their events, which lie in `blob` and are whole. */
typedef struct {
    uint64_t offset; /* of the first; 0 count: dropped */
    uint64_t token;
    uint64_t count;
    uint32_t attempt;
    int64_t time_ms;
    fob_blob_t *blob; /* one hold, the run's own */
    fob_slice_t bytes;
} fob_fetched_t;

/* All zeros is an empty ring. */
typedef struct {
    fob_fetched_t *ring;
    size_t capacity; /* a power of two, or 0 */
    size_t head;     /* index of the first, taken modulo the capacity */
    size_t runs;
    uint64_t count; /* events in it */
} fob_prefetch_t;

/* Appends a run and takes a hold on its blob. False: no memory, nothing changed. */
bool fob_prefetch_push(fob_prefetch_t *self, const fob_fetched_t *run);
/* The run that is next, never empty; NULL: none. Good until the next call that changes the ring. */
const fob_fetched_t *fob_prefetch_front(const fob_prefetch_t *self);
/* The bytes of the front run's first event. False: not an event (the bytes were not whole). */
bool fob_prefetch_peek(const fob_prefetch_t *self, fob_slice_t *event);
/* Steps over the front run's first event, of which peek gave the bytes. */
void fob_prefetch_pop(fob_prefetch_t *self, fob_slice_t event);
/* Drops what lies in a range of leases and adds how many to *dropped. False: there was no memory to
 * split a run, of which all from the range on went: leases that the bus still counts as ours are
 * forgotten here. */
bool fob_prefetch_drop(fob_prefetch_t *self, uint64_t offset, uint64_t count, uint64_t token,
                       uint64_t *dropped) FOB_MUST_USE;
/* The index-th run (it may be empty: count 0); NULL: no more. */
const fob_fetched_t *fob_prefetch_at(const fob_prefetch_t *self, size_t index);
void fob_prefetch_clear(fob_prefetch_t *self);
void fob_prefetch_free(fob_prefetch_t *self);

#endif
