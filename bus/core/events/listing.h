/* listing: of the topics that match a pattern the offsets of their last events, a few topics at a
 * time, so that nobody waits for long. It is of the moment it began: a topic that has a later event
 * when it would be looked at is left out, as who asks is told of that event as well. One at a time.
 */
#ifndef FOB_CORE_LISTING_H
#define FOB_CORE_LISTING_H

#include "bus/core/events/chain.h"

#define FOB_LISTING_LOOKED 2048u /* topics looked at in one step, at the most */

typedef struct {
    uint64_t from, upto; /* of the last events that are wanted */
    uint64_t floor;      /* as of the last step: up to it there may be others */
    size_t looked;       /* topics, in it */
} fob_listing_t;

/* Begins one from an offset on; `head` is the highest that is given, durable or not. Where the one
 * before came to an event that is not above `from`, it goes on there. */
void fob_listing_begin(fob_listing_t *self, fob_chain_t *chain, uint64_t from, uint64_t head);
/* A step: adds offsets, ascending, `room` of them at the most, to *count. True: those were all, or
 * there is no room for more. */
bool fob_listing_step(fob_listing_t *self, fob_chain_t *chain, fob_slice_t pattern,
                      uint64_t *offsets, size_t room, size_t *count);

#endif
