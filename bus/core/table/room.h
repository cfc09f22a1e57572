/* room: an array that grows by doubling. */
#ifndef FOB_CORE_ROOM_H
#define FOB_CORE_ROOM_H

#include <stdbool.h>
#include <stddef.h>

/* An array at `items_p` (the address of the pointer to it, whatever it points to; NULL: there is
 * none yet) gets room for `want` items of `size` bytes, as there is less. False: no memory, nothing
 * changed. */
bool fob_room_grow(void *items_p, size_t *capacity, size_t want, size_t size);
/* The same where there may be room already. */
static inline bool fob_room(void *items_p, size_t *capacity, size_t want, size_t size) {
    return want <= *capacity || fob_room_grow(items_p, capacity, want, size);
}
/* The same for an array of which items[*begin] to items[*begin + count - 1] are in use, with room
 * for exactly `capacity_new`: they begin at 0 then. */
bool fob_room_closed_up(void *items_p, size_t *begin, size_t count, size_t *capacity,
                        size_t capacity_new, size_t size);

#endif
