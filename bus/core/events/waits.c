#include "bus/core/events/waits.h"

#include "proto/now.h"

#include <assert.h>
#include <stdlib.h>

void fob_waits_free(fob_waits_t *self) {
    free(self->due);
    free(self->blocked);
    *self = (fob_waits_t){0};
}

bool fob_waits_reserve(fob_waits_t *self, size_t groups) {
    if (groups <= self->capacity)
        return true;
    size_t capacity = self->capacity ? self->capacity : 16;
    while (capacity < groups)
        capacity *= 2;
    fob_group_t **due = realloc(self->due, capacity * sizeof(fob_group_t *));
    if (due)
        self->due = due;
    fob_group_t **blocked = realloc(self->blocked, capacity * sizeof(fob_group_t *));
    if (blocked)
        self->blocked = blocked;
    if (!due || !blocked)
        return false;
    self->capacity = capacity;
    return true;
}

/* --- for a time --- */

static void place(fob_waits_t *self, size_t at, fob_group_t *group) {
    self->due[at] = group;
    group->due_at = (uint32_t)at + 1;
}

static void sift_up(fob_waits_t *self, size_t at, fob_group_t *group) {
    for (; at > 0 && self->due[(at - 1) / 2]->due_ns > group->due_ns; at = (at - 1) / 2)
        place(self, at, self->due[(at - 1) / 2]);
    place(self, at, group);
}

static void sift_down(fob_waits_t *self, size_t at, fob_group_t *group) {
    for (size_t child; (child = at * 2 + 1) < self->due_count; at = child) {
        if (child + 1 < self->due_count && self->due[child + 1]->due_ns < self->due[child]->due_ns)
            child++;
        if (self->due[child]->due_ns >= group->due_ns)
            break;
        place(self, at, self->due[child]);
    }
    place(self, at, group);
}

static void remove_due(fob_waits_t *self, fob_group_t *group) {
    size_t at = group->due_at - 1;
    fob_group_t *last = self->due[--self->due_count];
    group->due_at = 0;
    if (last == group)
        return;
    sift_up(self, at, last);
    sift_down(self, last->due_at - 1, last);
}

void fob_waits_due(fob_waits_t *self, fob_group_t *group, int64_t due_ns) {
    if (group->due_at && group->due_ns <= due_ns)
        return;
    group->due_ns = due_ns;
    assert(group->due_at || self->due_count < self->capacity);
    sift_up(self, group->due_at ? group->due_at - 1 : self->due_count++, group);
}

void fob_waits_next(fob_waits_t *self, fob_group_t *group, int64_t due_ns) {
    if (group->due_at)
        remove_due(self, group);
    if (due_ns != FOB_NEVER)
        fob_waits_due(self, group, due_ns);
}

fob_group_t *fob_waits_first(const fob_waits_t *self) {
    return self->due_count ? self->due[0] : NULL;
}

/* --- for a page --- */

static void add_blocked(fob_waits_t *self, fob_group_t *group) {
    if (group->blocked || group->census_blocked)
        return;
    assert(self->blocked_count < self->capacity);
    self->blocked[self->blocked_count++] = group;
}

void fob_waits_block(fob_waits_t *self, fob_group_t *group, uint64_t offset, uint8_t priority) {
    add_blocked(self, group);
    group->blocked = true;
    group->blocked_at = offset;
    group->blocked_priority = priority;
}

void fob_waits_block_census(fob_waits_t *self, fob_group_t *group) {
    add_blocked(self, group);
    group->census_blocked = true;
}

fob_group_t *fob_waits_unblock(fob_waits_t *self) {
    if (self->blocked_count == 0)
        return NULL;
    fob_group_t *group = self->blocked[--self->blocked_count];
    group->blocked = group->census_blocked = false;
    return group;
}

void fob_waits_forget(fob_waits_t *self, fob_group_t *group) {
    if (group->due_at)
        remove_due(self, group);
    bool listed = group->blocked || group->census_blocked;
    for (size_t i = 0; listed && i < self->blocked_count; i++) {
        if (self->blocked[i] == group)
            self->blocked[i] = self->blocked[--self->blocked_count];
    }
    group->blocked = group->census_blocked = false;
}
