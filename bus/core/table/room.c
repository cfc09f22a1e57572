#include "bus/core/table/room.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The pointer's bytes are copied in and out, as its type is not known. */
bool fob_room_grow(void *items_p, size_t *capacity, size_t want, size_t size) {
    void *items;
    size_t bigger = *capacity ? *capacity : 16;
    while (bigger < want)
        bigger *= 2;
    memcpy(&items, items_p, sizeof items);
    items = realloc(items, bigger * size);
    if (!items)
        return false;
    memcpy(items_p, &items, sizeof items);
    *capacity = bigger;
    return true;
}

bool fob_room_closed_up(void *items_p, size_t *begin, size_t count, size_t *capacity,
                        size_t capacity_new, size_t size) {
    void *old, *items = malloc(capacity_new * size);
    if (!items)
        return false;
    memcpy(&old, items_p, sizeof old);
    if (count)
        memcpy(items, (uint8_t *)old + *begin * size, count * size);
    free(old);
    memcpy(items_p, &items, sizeof items);
    *begin = 0;
    *capacity = capacity_new;
    return true;
}
