#include "bus/core/group/dead.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE        UINT32_MAX
#define STALE_LEAST 1024u

void fob_deads_free(fob_deads_t *self) {
    free(self->slab);
    free(self->places);
    fob_map64_free(&self->by_offset);
    free(self->order);
    free(self->sorted);
    free(self->unknown);
    fob_lows_free(&self->lows);
    *self = (fob_deads_t){0};
}

static bool there(const void *owner, const fob_low_t *low) {
    const fob_deads_t *self = owner;
    return fob_map64_get(&self->by_offset, low->offset) != FOB_MAP64_NONE &&
           !(self->moved && fob_moved_has(self->moved, low->offset));
}

/* --- room --- */

static bool reserve_slab(fob_deads_t *self, size_t want) {
    if (want <= self->capacity)
        return true;
    size_t capacity = self->capacity ? self->capacity : 16;
    while (capacity < want)
        capacity *= 2;
    fob_dead_t *slab = realloc(self->slab, capacity * sizeof *slab);
    if (slab)
        self->slab = slab;
    size_t *places = realloc(self->places, capacity * sizeof *places);
    if (places)
        self->places = places;
    if (!slab || !places)
        return false;
    self->capacity = (uint32_t)capacity;
    return true;
}

/* Closes the holes of the order, where there are many, or makes room behind it. */
static bool reserve_order(fob_deads_t *self, size_t more) {
    if (self->order_end + more <= self->order_capacity)
        return true;
    size_t end = 0, copy_at = 0;
    for (size_t i = self->order_begin; i < self->order_end; i++) {
        uint32_t index = self->order[i];
        copy_at = i < self->copy_at ? end + (index != NONE) : copy_at;
        if (index == NONE)
            continue;
        self->places[index] = end;
        self->order[end++] = index;
    }
    self->order_begin = 0;
    self->order_end = end;
    self->copy_at = copy_at;
    /* Half is left free at the least, so that this is paid by as many adds. */
    size_t capacity = self->order_capacity ? self->order_capacity : 16;
    while (capacity < (end + more) * 2)
        capacity *= 2;
    if (capacity == self->order_capacity)
        return true;
    uint32_t *order = realloc(self->order, capacity * sizeof *order);
    if (!order)
        return self->order_end + more <= self->order_capacity;
    self->order = order;
    self->order_capacity = capacity;
    return true;
}

/* --- the order of offsets --- */

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t unique(uint64_t *offsets, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || offsets[kept - 1] != offsets[i])
            offsets[kept++] = offsets[i];
    }
    return kept;
}

/* Puts the sorted tail, which stands at `tail` too, into its places from behind: what lies below
 * all of it is not touched. */
static void merge(fob_deads_t *self, const uint64_t *tail) {
    uint64_t *at = self->sorted;
    size_t left = self->sorted_count, more = self->tail_count, to = left + more;
    while (more > 0)
        at[--to] = left > 0 && at[left - 1] > tail[more - 1] ? at[--left] : tail[--more];
    size_t from = left ? left - 1 : 0;
    size_t all = self->sorted_count + self->tail_count;
    self->sorted_count = from + unique(at + from, all - from);
    self->tail_count = 0;
}

/* Mostly they are in order: a look is cheaper than a sort. */
static void sort_offsets(uint64_t *offsets, size_t count) {
    for (size_t i = 1; i < count; i++) {
        if (offsets[i - 1] > offsets[i]) {
            qsort(offsets, count, sizeof *offsets, ascending);
            return;
        }
    }
}

/* Events die in the order of offsets more or less, so what came since belongs near the end; an
 * offset that was redriven and died again stands there twice. */
static void sort(fob_deads_t *self) {
    if (self->tail_count == 0)
        return; /* perhaps there is no table yet */
    size_t all = self->sorted_count + self->tail_count;
    uint64_t *tail = self->sorted + self->sorted_count;
    sort_offsets(tail, self->tail_count);
    if (self->sorted_count == 0 || tail[0] > tail[-1]) {
        self->sorted_count += unique(tail, self->tail_count);
        self->tail_count = 0;
    } else if (all + self->tail_count <= self->sorted_capacity) {
        memcpy(self->sorted + all, tail, self->tail_count * sizeof *tail);
        merge(self, self->sorted + all);
    } else { /* no room to merge in */
        sort_offsets(self->sorted, all);
        self->sorted_count = unique(self->sorted, all);
        self->tail_count = 0;
    }
}

static size_t keep_those_there(fob_deads_t *self, size_t from, size_t to, size_t at) {
    for (; from < to; from++) {
        if (fob_map64_get(&self->by_offset, self->sorted[from]) != FOB_MAP64_NONE)
            self->sorted[at++] = self->sorted[from];
    }
    return at;
}

/* Drops the offsets of letters that are gone, and those that stand there twice. */
static void tidy(fob_deads_t *self) {
    size_t used = self->sorted_count + self->tail_count;
    size_t sorted = keep_those_there(self, 0, self->sorted_count, 0);
    self->tail_count = keep_those_there(self, self->sorted_count, used, sorted) - sorted;
    self->sorted_count = sorted;
    sort(self);
}

static bool reserve_sorted(fob_deads_t *self, size_t more) {
    if (self->sorted_count + self->tail_count + more <= self->sorted_capacity)
        return true;
    tidy(self);
    size_t capacity = self->sorted_capacity ? self->sorted_capacity : 16;
    while (capacity < (self->sorted_count + more) * 2)
        capacity *= 2;
    if (capacity == self->sorted_capacity)
        return true;
    uint64_t *grown = realloc(self->sorted, capacity * sizeof *grown);
    if (!grown)
        return self->sorted_count + more <= self->sorted_capacity;
    self->sorted = grown;
    self->sorted_capacity = capacity;
    return true;
}

static bool reserve_unknown(fob_deads_t *self, size_t want) {
    if (want <= self->unknown_capacity)
        return true;
    size_t capacity = self->unknown_capacity ? self->unknown_capacity : 16;
    while (capacity < want)
        capacity *= 2;
    uint32_t *grown = realloc(self->unknown, capacity * sizeof *grown);
    if (!grown)
        return false;
    self->unknown = grown;
    self->unknown_capacity = (uint32_t)capacity;
    return true;
}

bool fob_deads_reserve(fob_deads_t *self, size_t more) {
    return fob_map64_reserve(&self->by_offset, more) &&
           fob_lows_reserve(&self->lows, more, self->count, there, self) &&
           reserve_slab(self, (size_t)self->count + more) && reserve_order(self, more) &&
           reserve_sorted(self, more) && reserve_unknown(self, self->unknown_count + more);
}

/* --- letters --- */

void fob_deads_add(fob_deads_t *self, const fob_dead_t *dead) {
    uint32_t index;
    if (self->free) {
        index = self->free - 1;
        self->free = (uint32_t)self->places[index];
    } else {
        assert(self->used < self->capacity);
        index = self->used++;
    }
    fob_dead_t *letter = &self->slab[index];
    *letter = *dead;
    if (letter->serial == 0)
        letter->serial = self->last_serial + 1;
    assert(letter->serial > self->last_serial);
    self->last_serial = letter->serial;
    assert(self->order_end < self->order_capacity);
    self->places[index] = self->order_end;
    self->order[self->order_end++] = index;
    self->count++;
    if (letter->offset == 0) {
        assert(self->unknown_count < self->unknown_capacity);
        self->unknown[self->unknown_count++] = index;
        return;
    }
    fob_map64_put(&self->by_offset, letter->offset, index);
    fob_lows_push(&self->lows, (fob_low_t){.offset = letter->offset});
    assert(self->sorted_count + self->tail_count < self->sorted_capacity);
    self->sorted[self->sorted_count + self->tail_count++] = letter->offset;
}

const fob_dead_t *fob_deads_find(const fob_deads_t *self, uint64_t offset) {
    uint32_t index = offset ? fob_map64_get(&self->by_offset, offset) : FOB_MAP64_NONE;
    return index == FOB_MAP64_NONE ? NULL : &self->slab[index];
}

const fob_dead_t *fob_deads_next(const fob_deads_t *self, size_t *at) {
    if (*at < self->order_begin)
        *at = self->order_begin;
    while (*at < self->order_end) {
        uint32_t index = self->order[(*at)++];
        if (index != NONE)
            return &self->slab[index];
    }
    return NULL;
}

const fob_dead_t *fob_deads_peek(const fob_deads_t *self, size_t *at) {
    const fob_dead_t *dead = fob_deads_next(self, at);
    *at -= dead != NULL;
    return dead;
}

const fob_dead_t *fob_deads_oldest(fob_deads_t *self) {
    while (self->order_begin < self->order_end && self->order[self->order_begin] == NONE)
        self->order_begin++;
    size_t at = self->order_begin;
    return fob_deads_next(self, &at);
}

const fob_dead_t *fob_deads_above(fob_deads_t *self, uint64_t offset) {
    sort(self);
    if (self->sorted_count > 2 * (size_t)self->count + STALE_LEAST)
        tidy(self); /* many are gone, and each is a step */
    size_t low = 0, high = self->sorted_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->sorted[middle] <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < self->sorted_count; low++) {
        const fob_dead_t *dead = fob_deads_find(self, self->sorted[low]);
        if (dead)
            return dead;
    }
    return NULL;
}

/* Index in `unknown` of the first with a serial above. */
static uint32_t unknown_above(const fob_deads_t *self, uint64_t serial) {
    uint32_t low = 0, high = self->unknown_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->slab[self->unknown[middle]].serial <= serial)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const fob_dead_t *fob_deads_step(fob_deads_t *self, uint64_t place) {
    bool known = place < FOB_DEAD_UNKNOWN_PLACE;
    const fob_dead_t *dead = known ? fob_deads_above(self, place) : NULL;
    if (dead)
        return dead;
    uint32_t at = unknown_above(self, known ? 0 : place - FOB_DEAD_UNKNOWN_PLACE);
    return at < self->unknown_count ? &self->slab[self->unknown[at]] : NULL;
}

const fob_dead_t *fob_deads_unknown(const fob_deads_t *self, uint64_t serial) {
    uint32_t at = serial ? unknown_above(self, serial - 1) : self->unknown_count;
    if (at == self->unknown_count || self->slab[self->unknown[at]].serial != serial)
        return NULL;
    return &self->slab[self->unknown[at]];
}

static void remove_unknown(fob_deads_t *self, const fob_dead_t *dead) {
    uint32_t at = unknown_above(self, dead->serial - 1);
    self->unknown_count--;
    memmove(self->unknown + at, self->unknown + at + 1,
            (self->unknown_count - at) * sizeof *self->unknown);
}

void fob_deads_remove(fob_deads_t *self, const fob_dead_t *dead) {
    uint32_t index = (uint32_t)(dead - self->slab);
    if (dead->offset)
        fob_map64_remove(&self->by_offset, dead->offset);
    else
        remove_unknown(self, dead);
    self->order[self->places[index]] = NONE;
    self->places[index] = self->free;
    self->free = index + 1;
    self->count--;
}

uint64_t fob_deads_lowest(fob_deads_t *self) {
    return fob_lows_first(&self->lows, there, self);
}
