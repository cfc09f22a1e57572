/* seeker: one FETCH, from when it is asked until it can be answered: what must be read for it, and
 * what it makes of what was read. Pure. Not thread-safe. */
#ifndef FOB_FETCH_SEEKER_H
#define FOB_FETCH_SEEKER_H

#include "bus/fetch/gather.h"
#include "bus/fetch/line.h"
#include "bus/fetch/search.h"

#define FOB_FETCH_PAGES 64 /* without an event that matches: then it is answered all the same */

/* What a client asks for. */
typedef struct {
    uint64_t conn, req;
    uint32_t route;      /* the number of its routing id */
    fob_slice_t pattern; /* a valid one; it is copied */
    uint64_t from;       /* the first offset wanted; 0: see time_ms */
    uint64_t upto;       /* the last; 0: the highest durable */
    uint64_t limit;      /* events; 0: as many as fit */
    int64_t time_ms;     /* with from 0: the first stored then or later; 0: the first there is */
    bool dry;            /* only runs */
    bool latest;         /* of each topic only its last event; upto does not count */
} fob_fetch_t;

typedef struct {
    fob_waiter_t waiter; /* first: it stands in a line */
    fob_fetch_t fetch;
    uint64_t next;  /* all before is in `gone`, or does not match; 0: not known yet */
    uint64_t began; /* where that began */
    fob_search_t search;
    uint32_t pages; /* that had nothing */
    fob_gone_t gone;
    uint8_t pattern[];
} fob_seeker_t;

/* The caller frees it by free (). NULL: no memory. */
fob_seeker_t *fob_seeker_new(const fob_fetch_t *fetch);

/* The offset that is to be read for it now; 0: none, it can be answered. `head` is the highest
 * durable one. */
uint64_t fob_seeker_wants(fob_seeker_t *self, uint64_t head);
/* Looks at the past, which holds what it wants; fills `gather` with so many bytes at the most.
 * True: it is to be answered. */
bool fob_seeker_look(fob_seeker_t *self, const fob_past_t *past, uint64_t head, size_t bytes,
                     fob_gather_t *gather);
/* What it wants of events up to `last`. */
fob_wanted_t fob_seeker_wanted(const fob_seeker_t *self, uint64_t last, size_t bytes);

#endif
