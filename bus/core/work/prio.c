#include "bus/core/work/prio.h"

#include "bus/core/durable/digest.h"

#include <assert.h>

#define IDLE_CAPACITY 4096u /* an empty list keeps no more than this */

void fob_prio_free(fob_prio_t *self) {
    for (unsigned i = 0; i < FOB_PRIORITIES; i++)
        fob_intervals_free(&self->lists[i].stretches);
    *self = (fob_prio_t){0};
}

/* --- room --- */

static bool reserve_list(fob_prio_list_t *list, size_t more) {
    fob_intervals_t *stretches = &list->stretches;
    if (stretches->count == 0 && stretches->capacity > IDLE_CAPACITY && more <= IDLE_CAPACITY)
        fob_intervals_free(stretches); /* a long backlog is over: so is its memory */
    return fob_intervals_reserve(stretches, more);
}

bool fob_prio_reserve_adds(fob_prio_t *self, unsigned priority, size_t more) {
    assert(priority > 0 && priority < FOB_PRIORITIES);
    return reserve_list(&self->lists[priority], more);
}

bool fob_prio_reserve_removes(fob_prio_t *self, size_t more) {
    if (self->events == 0)
        return true;
    for (unsigned i = 1; i < FOB_PRIORITIES; i++) {
        if (self->lists[i].stretches.count && !reserve_list(&self->lists[i], more))
            return false;
    }
    return true;
}

/* --- one list --- */

static void list_add(fob_prio_list_t *list, uint64_t from, uint64_t to) {
    fob_intervals_t *stretches = &list->stretches;
    size_t at = fob_intervals_find(stretches, from - 1);
    fob_interval_t *items = fob_intervals_first(stretches);
    bool joins = at < stretches->count && items[at].to == from - 1;
    size_t next = joins ? at + 1 : at;
    bool meets = next < stretches->count && items[next].from == to + 1;
    assert(next == stretches->count || items[next].from > to);
    list->events += to - from + 1;
    if (joins) {
        items[at].to = meets ? items[next].to : to;
        if (meets)
            fob_intervals_erase(stretches, next, 1);
    } else if (meets) {
        items[next].from = from;
    } else {
        fob_intervals_insert(stretches, at, (fob_interval_t){from, to});
    }
}

/* Takes from..to out; gives how many that were. */
static uint64_t list_remove(fob_prio_list_t *list, uint64_t from, uint64_t to) {
    fob_intervals_t *stretches = &list->stretches;
    size_t at = fob_intervals_find(stretches, from), count = 0;
    fob_interval_t *items = fob_intervals_first(stretches);
    uint64_t removed = 0;
    if (at == stretches->count || items[at].from > to)
        return 0;
    if (items[at].from < from && items[at].to > to) {
        fob_interval_t rest = {to + 1, items[at].to};
        items[at].to = from - 1;
        list->events -= to - from + 1;
        fob_intervals_insert(stretches, at + 1, rest);
        return to - from + 1;
    }
    if (items[at].from < from) {
        removed += items[at].to - from + 1;
        items[at++].to = from - 1;
    }
    for (; at + count < stretches->count && items[at + count].to <= to; count++)
        removed += items[at + count].to - items[at + count].from + 1;
    if (at + count < stretches->count && items[at + count].from <= to) {
        removed += to - items[at + count].from + 1;
        items[at + count].from = to + 1;
    }
    if (count)
        fob_intervals_erase(stretches, at, count);
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
        if (self->lists[i].stretches.count)
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
    const fob_intervals_t *stretches = &self->lists[priority].stretches;
    size_t at = fob_intervals_find(stretches, offset);
    if (at == stretches->count)
        return 0;
    uint64_t from = fob_intervals_first(stretches)[at].from;
    return from > offset ? from : offset;
}

uint64_t fob_prio_stretch(const fob_prio_t *self, unsigned priority, uint64_t offset) {
    const fob_intervals_t *stretches = &self->lists[priority].stretches;
    const fob_interval_t *items = fob_intervals_first(stretches);
    size_t at = fob_intervals_find(stretches, offset);
    return at < stretches->count && items[at].from <= offset ? items[at].to : 0;
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
        const fob_intervals_t *stretches = &list->stretches;
        if (stretches->count == 0)
            continue;
        uint64_t fields[] = {
            i, list->events,
            fob_digest(fob_intervals_first(stretches), stretches->count * sizeof(fob_interval_t))};
        sum += fob_digest(fields, sizeof fields);
    }
    return sum;
}
