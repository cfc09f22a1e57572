/* delivery: what one worker gets at once: events as spans of the batches they lie in, and a lease
 * of each. */
#ifndef FOB_CORE_DELIVERY_H
#define FOB_CORE_DELIVERY_H

#include "bus/core/work/walk.h"

/* One on its way. */
typedef struct {
    fob_core_t *core;
    fob_group_t *group;
    uint32_t member;
    uint32_t quota, count; /* events it may have; has */
    size_t bytes;
    uint64_t after;
    fob_slice_t
        name; /* of the group, in the turn: the group may be gone when the turn is released */
    fob_span_t *spans; /* in the turn */
    uint32_t span_count;
} fob_delivery_t;

/* A delivery to the next in turn: there is one. False: no memory. */
bool fob_delivery_begin(fob_delivery_t *self, fob_core_t *core, fob_group_t *group);
bool fob_delivery_full(const fob_delivery_t *self);
/* How many of `count` events that lie one after the other still fit: by number, and by bytes (one
 * always does). It is not full. */
uint32_t fob_delivery_fit(const fob_delivery_t *self, const fob_place_t *place, uint32_t count);
/* Adds `count` events, which must fit, joined to the span before where they continue it. */
void fob_delivery_add(fob_delivery_t *self, const fob_place_t *place, uint32_t count,
                      uint64_t token, uint32_t attempt);
/* Writes the leases of `count` events down that lie one after the other: first hand-outs, the first
 * of which has `gap_from`. */
void fob_delivery_grant(fob_delivery_t *self, const fob_place_t *place, uint32_t count,
                        uint64_t token, uint64_t gap_from, bool prio);
/* That of one that is, or is about to be, in the table of what came back. */
void fob_delivery_grant_back(fob_delivery_t *self, const fob_place_t *place, uint64_t token);
/* Sends what was added, and goes on to the next in turn. */
void fob_delivery_end(fob_delivery_t *self);

#endif
