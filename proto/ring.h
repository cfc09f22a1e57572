/* ring: room in a ring buffer that grows, whatever its items are. Pure.
 *
 *     fob_hole_t *ring = fob_ring_reserve (self->ring, sizeof *ring, &self->capacity,
 *                                          &self->head, self->count, 1);
 *     if (ring)
 *         self->ring = ring;
 *
 * The index-th item lies at (head + index) & (capacity - 1). Inline, so that the allocations of
 * each part are its own, and a test can refuse them. */
#ifndef FOB_RING_H
#define FOB_RING_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FOB_RING_FIRST 64 /* items, unless more are asked for */

/* The ring, with room for `more` items of `item` bytes behind the `count` that begin at *head.
 * Where it must grow, to twice as many or as often that as it takes, they are moved, *head is 0,
 * and the old one is freed. *capacity is a power of two, or 0 where there is no ring yet (NULL).
 * NULL: no memory; nothing has changed. */
static inline void *fob_ring_reserve(void *ring, size_t item, size_t *capacity, size_t *head,
                                     size_t count, size_t more) {
    size_t room = *capacity ? *capacity : FOB_RING_FIRST;
    if (more > SIZE_MAX / item / 4 - count)
        return NULL;
    while (room - count < more)
        room *= 2;
    if (room == *capacity)
        return ring;
    uint8_t *grown = malloc(room * item);
    if (!grown)
        return NULL;
    if (count) {
        size_t at_end = *capacity - *head < count ? *capacity - *head : count;
        memcpy(grown, (const uint8_t *)ring + *head * item, at_end * item);
        memcpy(grown + at_end * item, ring, (count - at_end) * item);
    }
    free(ring);
    *capacity = room;
    *head = 0;
    return grown;
}

#endif
