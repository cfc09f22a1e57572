#include "bus/core/table/intervals.h"

#include "bus/core/table/room.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void fob_intervals_free(fob_intervals_t *self) {
    free(self->items);
    *self = (fob_intervals_t){0};
}

bool fob_intervals_reserve(fob_intervals_t *self, size_t more) {
    if (self->begin + self->count + more <= self->capacity)
        return true;
    /* Enough slack in front: close it up. A quarter, so that this is paid by as many removals. */
    if (self->count + more <= self->capacity && self->begin >= self->capacity / 4) {
        memmove(self->items, self->items + self->begin, self->count * sizeof *self->items);
        self->begin = 0;
        return true;
    }
    size_t capacity = self->capacity ? self->capacity * 2 : 16;
    while (capacity < self->count + more)
        capacity *= 2;
    return fob_room_closed_up(&self->items, &self->begin, self->count, &self->capacity, capacity,
                              sizeof *self->items);
}

size_t fob_intervals_find(const fob_intervals_t *self, uint64_t offset) {
    if (self->count == 0)
        return 0;
    const fob_interval_t *items = self->items + self->begin;
    if (items[self->count - 1].to < offset)
        return self->count;
    size_t low = 0, high = self->count - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (items[middle].to < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void fob_intervals_insert(fob_intervals_t *self, size_t at, fob_interval_t item) {
    fob_interval_t *items = self->items + self->begin;
    if (at < self->count / 2 && self->begin > 0) {
        memmove(items - 1, items, at * sizeof *items);
        self->begin--;
        items--;
    } else {
        assert(self->begin + self->count < self->capacity);
        memmove(items + at + 1, items + at, (self->count - at) * sizeof *items);
    }
    items[at] = item;
    self->count++;
}

void fob_intervals_erase(fob_intervals_t *self, size_t at, size_t count) {
    fob_interval_t *items = self->items + self->begin;
    size_t behind = self->count - at - count;
    if (at < behind) {
        memmove(items + count, items, at * sizeof *items);
        self->begin += count;
    } else {
        memmove(items + at, items + at + count, behind * sizeof *items);
    }
    self->count -= count;
    if (self->count == 0)
        self->begin = 0;
}
