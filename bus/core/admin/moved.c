#include "bus/core/admin/moved.h"

#include "bus/core/table/room.h"
#include "proto/planted.h"

#include <assert.h>
#include <stdlib.h>

void fob_moved_free(fob_moved_t *self) {
    fob_map64_free(&self->map);
    free(self->items);
    *self = (fob_moved_t){0};
}

bool fob_moved_reserve(fob_moved_t *self, size_t more) {
    if (!fob_map64_reserve(&self->map, more))
        return false;
    if (self->begin + self->count + more <= self->capacity)
        return true;
    size_t capacity = self->capacity ? self->capacity : 64;
    while (capacity < self->count + more)
        capacity *= 2;
    if (self->begin < self->capacity / 2) /* closing the front up would not pay */
        capacity = capacity > self->capacity ? capacity : self->capacity * 2;
    return fob_room_closed_up(&self->items, &self->begin, self->count, &self->capacity, capacity,
                              sizeof *self->items);
}

void fob_moved_add(fob_moved_t *self, uint64_t origin, uint64_t place) {
    assert(self->begin + self->count < self->capacity);
    assert(self->count == 0 || self->items[self->begin + self->count - 1].place < place);
    fob_map64_put(&self->map, origin, self->number + (uint32_t)self->count);
    self->items[self->begin + self->count++] = (fob_moved_item_t){origin, place};
}

/* The newest item of an event, or NULL. */
static const fob_moved_item_t *find(const fob_moved_t *self, uint64_t origin) {
    uint32_t number = fob_map64_get(&self->map, origin);
    return number == FOB_MAP64_NONE ? NULL : &self->items[self->begin + (number - self->number)];
}

bool fob_moved_has(const fob_moved_t *self, uint64_t origin) {
    return self->count && find(self, origin) != NULL;
}

uint64_t fob_moved_place(const fob_moved_t *self, uint64_t offset) {
    const fob_moved_item_t *item = self->count ? find(self, offset) : NULL;
    return item && !FOB_PLANTED(PLACE_FORGOTTEN) ? item->place : offset;
}

uint64_t fob_moved_lowest(fob_moved_t *self, fob_moved_needed_fn *needed, const void *arg,
                          uint64_t *origin) {
    for (; self->count; self->begin++, self->count--, self->number++) {
        const fob_moved_item_t *item = &self->items[self->begin];
        if (find(self, item->origin) != item)
            continue; /* it was moved again */
        if (needed(arg, item->origin)) {
            *origin = item->origin;
            return item->place;
        }
        fob_map64_remove(&self->map, item->origin);
    }
    return UINT64_MAX;
}

void fob_moved_sweep(fob_moved_t *self, fob_moved_needed_fn *needed, const void *arg) {
    size_t at = 0;
    for (const fob_moved_item_t *item; (item = fob_moved_next(self, &at)) != NULL;)
        if (!needed(arg, item->origin))
            fob_map64_remove(&self->map, item->origin);
}

const fob_moved_item_t *fob_moved_next(const fob_moved_t *self, size_t *at) {
    while (*at < self->count) {
        const fob_moved_item_t *item = &self->items[self->begin + (*at)++];
        if (find(self, item->origin) == item)
            return item;
    }
    return NULL;
}
