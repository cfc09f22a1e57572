#include "bus/core/table/lows.h"

#include "bus/core/table/room.h"

#include <assert.h>
#include <stdlib.h>

void fob_lows_free(fob_lows_t *self) {
    free(self->items);
    *self = (fob_lows_t){0};
}

static void sift_down(fob_lows_t *self, size_t at) {
    fob_low_t low = self->items[at];
    for (size_t child; (child = at * 2 + 1) < self->count; at = child) {
        if (child + 1 < self->count && self->items[child + 1].offset < self->items[child].offset)
            child++;
        if (self->items[child].offset >= low.offset)
            break;
        self->items[at] = self->items[child];
    }
    self->items[at] = low;
}

static void drop_stale(fob_lows_t *self, fob_low_fn *there, const void *owner) {
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (there(owner, &self->items[i]))
            self->items[kept++] = self->items[i];
    }
    self->count = kept;
    for (size_t i = kept / 2; i-- > 0;)
        sift_down(self, i);
}

bool fob_lows_reserve(fob_lows_t *self, size_t more, size_t live, fob_low_fn *there,
                      const void *owner) {
    if (self->count + more <= self->capacity)
        return true;
    if (self->count / 2 > live)
        drop_stale(self, there, owner);
    return fob_room(&self->items, &self->capacity, self->count + more, sizeof *self->items);
}

void fob_lows_push(fob_lows_t *self, fob_low_t low) {
    assert(self->count < self->capacity);
    size_t at = self->count++;
    for (; at > 0 && self->items[(at - 1) / 2].offset > low.offset; at = (at - 1) / 2)
        self->items[at] = self->items[(at - 1) / 2];
    self->items[at] = low;
}

uint64_t fob_lows_first(fob_lows_t *self, fob_low_fn *there, const void *owner) {
    while (self->count && !there(owner, &self->items[0])) {
        self->items[0] = self->items[--self->count];
        if (self->count)
            sift_down(self, 0);
    }
    return self->count ? self->items[0].offset : UINT64_MAX;
}
