#include "bus/core/group/cover.h"

#include <assert.h>

void fob_cover_free(fob_cover_t *self) {
    fob_intervals_free(&self->above);
    *self = (fob_cover_t){0};
}

bool fob_cover_reserve(fob_cover_t *self, size_t more) {
    return fob_intervals_reserve(&self->above, more);
}

/* The floor takes up what it has come to. */
static void swallow_front(fob_cover_t *self) {
    const fob_interval_t *items = fob_intervals_first(&self->above);
    size_t count = 0;
    for (; count < self->above.count && items[count].from <= self->floor; count++) {
        if (items[count].to >= self->floor)
            self->floor = items[count].to + 1;
    }
    if (count)
        fob_intervals_erase(&self->above, 0, count);
}

void fob_cover_add(fob_cover_t *self, uint64_t from, uint64_t to) {
    fob_intervals_t *above = &self->above;
    assert(from <= to);
    if (to < self->floor)
        return;
    if (from <= self->floor) {
        self->floor = to + 1;
        swallow_front(self);
        return;
    }
    size_t at = fob_intervals_find(above, from - 1);
    fob_interval_t *items = fob_intervals_first(above);
    if (at == above->count || items[at].from > to + 1) {
        fob_intervals_insert(above, at, (fob_interval_t){from, to});
        return;
    }
    if (from < items[at].from)
        items[at].from = from;
    size_t last = at;
    while (last + 1 < above->count && items[last + 1].from <= to + 1)
        last++;
    if (items[last].to > to)
        to = items[last].to;
    items[at].to = to;
    if (last > at)
        fob_intervals_erase(above, at + 1, last - at);
}

bool fob_cover_has(const fob_cover_t *self, uint64_t offset) {
    return fob_cover_next_open(self, offset) != offset;
}

uint64_t fob_cover_next_open(const fob_cover_t *self, uint64_t offset) {
    if (offset < self->floor)
        return self->floor;
    const fob_interval_t *items = fob_intervals_first(&self->above);
    size_t at = fob_intervals_find(&self->above, offset);
    return at < self->above.count && items[at].from <= offset ? items[at].to + 1 : offset;
}

uint64_t fob_cover_next(const fob_cover_t *self, uint64_t offset) {
    if (offset < self->floor)
        return offset;
    size_t at = fob_intervals_find(&self->above, offset);
    if (at == self->above.count)
        return UINT64_MAX;
    uint64_t from = fob_intervals_first(&self->above)[at].from;
    return from > offset ? from : offset;
}

uint64_t fob_cover_end(const fob_cover_t *self) {
    const fob_intervals_t *above = &self->above;
    return above->count ? fob_intervals_first(above)[above->count - 1].to + 1 : self->floor;
}
