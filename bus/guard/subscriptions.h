/* subscriptions: what one connection to XPUB holds, as hashes, so that its number can be bounded.
 * libzmq keeps a prefix once for a connection however often it is subscribed to, lets go of it at
 * the first unsubscribe, and says nothing of an unsubscribe of what was never there: so do we.
 *
 * Pure; one thread. */
#ifndef FOB_GUARD_SUBSCRIPTIONS_H
#define FOB_GUARD_SUBSCRIPTIONS_H

#include "proto/slice.h"

#include <fob/fob_status.h>
#include <stdint.h>

/* Of one connection at the most, those it holds and those that were refused. */
#define FOB_SUBSCRIPTIONS_MAX 1024

/* Begins as zeros. */
typedef struct {
    uint64_t *hashes; /* sorted; NULL while none is held */
    uint32_t count, room;
    uint32_t refused; /* ever: libzmq keeps these too, and they are never given back */
} fob_subscriptions_t;

/* It holds this prefix from now on. `seed` of the hash: the same for all calls, and not to be
 * guessed by who subscribes (two prefixes of one hash would count as one). FOB_OK, also if it held
 * it before; FOB_TOO_LARGE: that is more than it may hold; FOB_NO_MEMORY. On failure it is as it
 * was. */
fob_status_t fob_subscriptions_add(fob_subscriptions_t *self, fob_slice_t prefix,
                                   uint64_t seed) FOB_MUST_USE;

/* It does not hold this prefix any more; nothing if it did not. Memory is given back with the last
 * one. */
void fob_subscriptions_remove(fob_subscriptions_t *self, fob_slice_t prefix, uint64_t seed);

/* One was refused. FOB_OK, or FOB_TOO_LARGE: one too many. */
fob_status_t fob_subscriptions_refuse(fob_subscriptions_t *self) FOB_MUST_USE;

/* Gives all memory back; zeros again. */
void fob_subscriptions_clear(fob_subscriptions_t *self);

#endif
