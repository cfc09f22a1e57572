#include "bus/core/table/room.h"

#include <stdlib.h>
#include <string.h>

/* The pointer's bytes are copied in and out, as its type is not known. */
bool fob_room(void *items_p, size_t *capacity, size_t want, size_t size) {
    void *items;
    if (want <= *capacity)
        return true;
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
