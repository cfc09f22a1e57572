#include "bus/core/prio.h"

#include "bus/core/digest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_CAPACITY 4096u /* an empty list keeps no more than this */

void fob_prio_free(fob_prio_t *self) {
    for (unsigned i = 0; i < FOB_PRIORITIES; i++)
        free(self->lists[i].items);
    *self = (fob_prio_t){0};
}

/* --- room --- */

static bool grow(fob_prio_list_t *list, size_t want) {
    size_t capacity = list->count && list->capacity ? list->capacity * 2 : 16;
    while (capacity < want)
        capacity *= 2;
    fob_stretch_of_t *items = malloc(capacity * sizeof *items);
    if (!items)
        return false;
    if (list->count)
        memcpy(items, list->items + list->begin, list->count * sizeof *items);
    free(list->items);
    list->items = items;
    list->begin = 0;
    list->capacity = capacity;
    return true;
}

static bool reserve_list(fob_prio_list_t *list, size_t more) {
    size_t want = list->count + more;
    if (list->count == 0) {
        list->begin = 0;
        if (list->capacity > IDLE_CAPACITY && want <= IDLE_CAPACITY)
            return grow(list, want); /* a long backlog is over: so is its memory */
    }
    if (list->begin + want <= list->capacity)
        return true;
    /* Enough slack in front: close it up. A quarter, so that this is paid by as many removals. */
    if (want <= list->capacity && list->begin >= list->capacity / 4) {
        memmove(list->items, list->items + list->begin, list->count * sizeof *list->items);
        list->begin = 0;
        return true;
    }
    return grow(list, want);
}

bool fob_prio_reserve_adds(fob_prio_t *self, unsigned priority, size_t more) {
    assert(priority > 0 && priority < FOB_PRIORITIES);
    return reserve_list(&self->lists[priority], more);
}

bool fob_prio_reserve_removes(fob_prio_t *self, size_t more) {
    if (self->events == 0)
        return true;
    for (unsigned i = 1; i < FOB_PRIORITIES; i++) {
        if (self->lists[i].count && !reserve_list(&self->lists[i], more))
            return false;
    }
    return true;
}

bool fob_prio_reserve(fob_prio_t *self, size_t more) {
    for (unsigned i = 1; i < FOB_PRIORITIES; i++) {
        if (!reserve_list(&self->lists[i], more * 2))
            return false;
    }
    return true;
}

/* --- one list --- */

/* Index (from begin) of the first interval that ends at or behind `offset`. */
static size_t first_ending_at(const fob_prio_list_t *list, uint64_t offset) {
    const fob_stretch_of_t *items = list->items + list->begin;
    if (list->count == 0 || items[list->count - 1].to < offset)
        return list->count;
    size_t low = 0, high = list->count - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (items[middle].to < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert_at(fob_prio_list_t *list, size_t at, fob_stretch_of_t item) {
    fob_stretch_of_t *items = list->items + list->begin;
    if (at < list->count / 2 && list->begin > 0) {
        memmove(items - 1, items, at * sizeof *items);
        list->begin--;
        items--;
    } else {
        assert(list->begin + list->count < list->capacity);
        memmove(items + at + 1, items + at, (list->count - at) * sizeof *items);
    }
    items[at] = item;
    list->count++;
}

static void erase(fob_prio_list_t *list, size_t at, size_t count) {
    fob_stretch_of_t *items = list->items + list->begin;
    size_t behind = list->count - at - count;
    if (at < behind) {
        memmove(items + count, items, at * sizeof *items);
        list->begin += count;
    } else {
        memmove(items + at, items + at + count, behind * sizeof *items);
    }
    list->count -= count;
}

static void list_add(fob_prio_list_t *list, uint64_t from, uint64_t to) {
    size_t at = first_ending_at(list, from - 1);
    fob_stretch_of_t *items = list->items + list->begin;
    bool joins = at < list->count && items[at].to == from - 1;
    size_t next = joins ? at + 1 : at;
    bool meets = next < list->count && items[next].from == to + 1;
    assert(next == list->count || items[next].from > to);
    list->events += to - from + 1;
    if (joins) {
        items[at].to = meets ? items[next].to : to;
        if (meets)
            erase(list, next, 1);
    } else if (meets) {
        items[next].from = from;
    } else {
        insert_at(list, at, (fob_stretch_of_t){from, to});
    }
}

/* Takes from..to out; gives how many that were. */
static uint64_t list_remove(fob_prio_list_t *list, uint64_t from, uint64_t to) {
    size_t at = first_ending_at(list, from), count = 0;
    fob_stretch_of_t *items = list->items + list->begin;
    uint64_t removed = 0;
    if (at == list->count || items[at].from > to)
        return 0;
    if (items[at].from < from && items[at].to > to) {
        fob_stretch_of_t rest = {to + 1, items[at].to};
        items[at].to = from - 1;
        list->events -= to - from + 1;
        insert_at(list, at + 1, rest);
        return to - from + 1;
    }
    if (items[at].from < from) {
        removed += items[at].to - from + 1;
        items[at++].to = from - 1;
    }
    for (; at + count < list->count && items[at + count].to <= to; count++)
        removed += items[at + count].to - items[at + count].from + 1;
    if (at + count < list->count && items[at + count].from <= to) {
        removed += to - items[at + count].from + 1;
        items[at + count].from = to + 1;
    }
    if (count)
        erase(list, at, count);
    list->events -= removed;
    return removed;
}

/* --- all --- */

void fob_prio_add_run(fob_prio_t *self, unsigned priority, uint64_t from, uint64_t to) {
    assert(priority > 0 && priority < FOB_PRIORITIES && from > 0 && from <= to);
    list_add(&self->lists[priority], from, to);
    self->events += to - from + 1;
}

void fob_prio_add(fob_prio_t *self, unsigned priority, uint64_t offset) {
    fob_prio_add_run(self, priority, offset, offset);
}

void fob_prio_remove(fob_prio_t *self, uint64_t from, uint64_t to) {
    for (unsigned i = 1; self->events && i < FOB_PRIORITIES; i++) {
        if (self->lists[i].count)
            self->events -= list_remove(&self->lists[i], from, to);
    }
}

unsigned fob_prio_of(const fob_prio_t *self, uint64_t offset) {
    for (unsigned i = 1; self->events && i < FOB_PRIORITIES; i++) {
        if (fob_prio_next(self, i, offset) == offset)
            return i;
    }
    return 0;
}

uint64_t fob_prio_next(const fob_prio_t *self, unsigned priority, uint64_t offset) {
    const fob_prio_list_t *list = &self->lists[priority];
    size_t at = first_ending_at(list, offset);
    if (at == list->count)
        return 0;
    uint64_t from = list->items[list->begin + at].from;
    return from > offset ? from : offset;
}

uint64_t fob_prio_stretch(const fob_prio_t *self, unsigned priority, uint64_t offset) {
    const fob_prio_list_t *list = &self->lists[priority];
    size_t at = first_ending_at(list, offset);
    if (at == list->count || list->items[list->begin + at].from > offset)
        return 0;
    return list->items[list->begin + at].to;
}

uint64_t fob_prio_first(const fob_prio_t *self, uint64_t offset) {
    uint64_t first = 0;
    for (unsigned i = 1; self->events && i < FOB_PRIORITIES; i++) {
        uint64_t next = fob_prio_next(self, i, offset);
        if (next && (!first || next < first))
            first = next;
    }
    return first;
}

uint64_t fob_prio_hash(const fob_prio_t *self) {
    uint64_t sum = 0;
    for (uint64_t i = 1; self->events && i < FOB_PRIORITIES; i++) {
        const fob_prio_list_t *list = &self->lists[i];
        if (list->count == 0)
            continue;
        uint64_t fields[] = {
            i, list->events,
            fob_digest(list->items + list->begin, list->count * sizeof *list->items)};
        sum += fob_digest(fields, sizeof fields);
    }
    return sum;
}
