/* room: an array that grows by doubling. */
#ifndef FOB_CORE_ROOM_H
#define FOB_CORE_ROOM_H

#include <stdbool.h>
#include <stddef.h>

/* Sees to room for `want` items of `size` bytes. `items_p` points to the pointer to the array,
 * whatever it points to; NULL: there is none yet. False: no memory, nothing changed. */
bool fob_room(void *items_p, size_t *capacity, size_t want, size_t size);

#endif
