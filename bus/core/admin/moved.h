/* moved: the events that lie somewhere else in the journal than at their own offset: old ones that
 * a group still needs were copied to the head, so that they do not keep all that lies behind them.
 *
 * An event keeps its offset for everybody; its `place` is the offset at which the journal has it
 * now. Places ascend in the order of copying. What no group needs any more is dropped when it comes
 * to the front. Durable: changes by records, but for what is dropped. One thread. */
#ifndef FOB_CORE_MOVED_H
#define FOB_CORE_MOVED_H

#include "bus/core/table/map64.h"

typedef struct {
    uint64_t origin, place;
} fob_moved_item_t;

/* All zeros: none. */
typedef struct {
    fob_map64_t map; /* origin -> number of its newest item */
    fob_moved_item_t *items;
    size_t begin, count, capacity;
    uint32_t number; /* of items[begin]; they are numbered on */
} fob_moved_t;

void fob_moved_free(fob_moved_t *self);
/* Room for `more`; false: no memory, nothing changed. */
bool fob_moved_reserve(fob_moved_t *self, size_t more);
/* The event is at `place` now, which is above all places before. There must be room. */
void fob_moved_add(fob_moved_t *self, uint64_t origin, uint64_t place);
bool fob_moved_has(const fob_moved_t *self, uint64_t origin);
/* Where the journal has an event: at its own offset, unless it was moved. */
uint64_t fob_moved_place(const fob_moved_t *self, uint64_t offset);

/* Whether anybody needs an event. */
typedef bool fob_moved_needed_fn(const void *arg, uint64_t origin);
/* The lowest place that is needed, and whose it is; UINT64_MAX: none. Drops what is not needed on
 * the way. */
uint64_t fob_moved_lowest(fob_moved_t *self, fob_moved_needed_fn *needed, const void *arg,
                          uint64_t *origin);
/* Drops all that is not needed. */
void fob_moved_sweep(fob_moved_t *self, fob_moved_needed_fn *needed, const void *arg);
/* Steps through those that hold, places ascending; *at begins with 0. NULL: the end. */
const fob_moved_item_t *fob_moved_next(const fob_moved_t *self, size_t *at);

#endif
