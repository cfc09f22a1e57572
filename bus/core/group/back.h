/* back: a group's events that were out and are not done: returned, waiting for a time, or out
 * again.
 *
 * Each is found by its offset. Those that may go out stand in a heap by priority (highest first),
 * then offset (lowest first); those that wait for a time in a heap by when. Which heap is volatile;
 * the rest is durable and changes by records only. */
#ifndef FOB_CORE_BACK_H
#define FOB_CORE_BACK_H

#include "bus/core/admin/moved.h"
#include "bus/core/table/lows.h"
#include "bus/core/table/map64.h"

typedef enum {
    FOB_BACK_IDLE = 0, /* in no heap yet: replay, or out before the start and not claimed yet */
    FOB_BACK_READY,
    FOB_BACK_DELAYED,
    FOB_BACK_LEASED,
    FOB_BACK_STATES
} fob_back_state_t;

typedef struct {
    uint64_t offset;
    uint64_t token;    /* of the last hand-out */
    int64_t due_ms;    /* journal time from which it may go out; 0: at once */
    uint32_t attempts; /* counted ones that ended without an ack */
    uint16_t releases; /* returns by `release` */
    uint32_t history;  /* chain in the core's history */
    uint8_t reason;    /* fob_reason_t of the last return */
    uint8_t priority;
    bool out; /* handed out and not returned, as far as records tell */
    /* volatile */
    uint8_t state;
    uint32_t heap_at, go_at;
    uint32_t size;   /* of the event's encoding; 0: not known */
    uint32_t copied; /* the number of the copy that has it, or that began before it: see copy.h */
    int64_t due_ns;  /* by the monotonic clock, while DELAYED */
} fob_back_entry_t;

typedef struct {
    uint32_t *items; /* indexes into the slab */
    uint32_t count;
} fob_back_heap_t;

/* In which order ready ones are dropped where there are too many. */
typedef enum {
    FOB_BACK_UNORDERED, /* nobody asked yet */
    FOB_BACK_OLDEST,    /* the lowest offset first */
    FOB_BACK_LOWEST     /* the lowest priority first, and of it the lowest offset */
} fob_back_order_t;

/* All zeros: empty. */
typedef struct {
    fob_back_entry_t *slab; /* offset 0: free, chained by heap_at */
    uint32_t capacity, used, free;
    uint32_t count;
    uint32_t in_state[FOB_BACK_STATES];
    fob_map64_t map;
    fob_back_heap_t ready, delayed;
    fob_back_heap_t go;       /* as ready, in `order`; not kept before that is asked for */
    uint8_t order;            /* fob_back_order_t, of `go` */
    uint32_t ready_by[10];    /* ready ones by priority */
    fob_lows_t lows;          /* of all */
    const fob_moved_t *moved; /* volatile: which events lie somewhere else; NULL: none */
} fob_back_t;

void fob_back_free(fob_back_t *self);
/* Room for `more` entries; false: no memory, nothing changed. */
bool fob_back_reserve(fob_back_t *self, size_t more);
/* A new entry, IDLE, all else zero; there must be room and no such offset. */
fob_back_entry_t *fob_back_add(fob_back_t *self, uint64_t offset);
fob_back_entry_t *fob_back_find(const fob_back_t *self, uint64_t offset);
void fob_back_remove(fob_back_t *self, fob_back_entry_t *entry);
/* Moves it to a state and its heap; due_ns counts for DELAYED. */
void fob_back_set(fob_back_t *self, fob_back_entry_t *entry, fob_back_state_t state,
                  int64_t due_ns);
/* The first of a heap, or NULL. */
fob_back_entry_t *fob_back_ready(const fob_back_t *self);
fob_back_entry_t *fob_back_delayed(const fob_back_t *self);
/* From now on it can be told which ready one is to go first, in this order. Costs a walk over the
 * ready ones where they are of several priorities and the order is a new one. False: no memory. */
bool fob_back_order(fob_back_t *self, fob_back_order_t order);
/* That one, or NULL; good only as long as what is ready has one priority, or fob_back_order was
 * called since it had. */
fob_back_entry_t *fob_back_first_to_go(const fob_back_t *self);
/* The lowest offset at which the journal is needed: moved ones do not count. UINT64_MAX: none. */
uint64_t fob_back_lowest(fob_back_t *self);
/* The next used entry at or behind index *at, stepping it; NULL at the end. */
fob_back_entry_t *fob_back_next(const fob_back_t *self, uint32_t *at);

#endif
