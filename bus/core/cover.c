#include "bus/core/cover.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void fob_cover_free(fob_cover_t *self) {
    free(self->items);
    *self = (fob_cover_t){0};
}

bool fob_cover_reserve(fob_cover_t *self, size_t more) {
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
    fob_interval_t *items = malloc(capacity * sizeof *items);
    if (!items)
        return false;
    if (self->count)
        memcpy(items, self->items + self->begin, self->count * sizeof *items);
    free(self->items);
    self->items = items;
    self->begin = 0;
    self->capacity = capacity;
    return true;
}

/* Index (from begin) of the first interval that ends at or behind `offset`. */
static size_t first_ending_at(const fob_cover_t *self, uint64_t offset) {
    const fob_interval_t *items = self->items + self->begin;
    if (self->count == 0 || items[self->count - 1].to < offset)
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

static void swallow_front(fob_cover_t *self) {
    while (self->count && self->items[self->begin].from <= self->floor) {
        if (self->items[self->begin].to >= self->floor)
            self->floor = self->items[self->begin].to + 1;
        self->begin++;
        self->count--;
    }
    if (self->count == 0)
        self->begin = 0;
}

static void insert_at(fob_cover_t *self, size_t at, fob_interval_t item) {
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

static void remove_range(fob_cover_t *self, size_t at, size_t count) {
    fob_interval_t *items = self->items + self->begin;
    size_t behind = self->count - at - count;
    if (at < behind) {
        memmove(items + count, items, at * sizeof *items);
        self->begin += count;
    } else {
        memmove(items + at, items + at + count, behind * sizeof *items);
    }
    self->count -= count;
}

void fob_cover_add(fob_cover_t *self, uint64_t from, uint64_t to) {
    assert(from <= to);
    if (to < self->floor)
        return;
    if (from <= self->floor) {
        self->floor = to + 1;
        swallow_front(self);
        return;
    }
    size_t at = first_ending_at(self, from - 1);
    fob_interval_t *items = self->items + self->begin;
    if (at == self->count || items[at].from > to + 1) {
        insert_at(self, at, (fob_interval_t){from, to});
        return;
    }
    if (from < items[at].from)
        items[at].from = from;
    size_t last = at;
    while (last + 1 < self->count && items[last + 1].from <= to + 1)
        last++;
    if (items[last].to > to)
        to = items[last].to;
    items[at].to = to;
    if (last > at)
        remove_range(self, at + 1, last - at);
}

bool fob_cover_has(const fob_cover_t *self, uint64_t offset) {
    if (offset < self->floor)
        return true;
    size_t at = first_ending_at(self, offset);
    return at < self->count && self->items[self->begin + at].from <= offset;
}

uint64_t fob_cover_next_open(const fob_cover_t *self, uint64_t offset) {
    if (offset < self->floor)
        return self->floor;
    size_t at = first_ending_at(self, offset);
    if (at < self->count && self->items[self->begin + at].from <= offset)
        return self->items[self->begin + at].to + 1;
    return offset;
}

uint64_t fob_cover_next(const fob_cover_t *self, uint64_t offset) {
    if (offset < self->floor)
        return offset;
    size_t at = first_ending_at(self, offset);
    if (at == self->count)
        return UINT64_MAX;
    uint64_t from = self->items[self->begin + at].from;
    return from > offset ? from : offset;
}
