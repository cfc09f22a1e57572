#include "bus/core/work/grant.h"

#include <assert.h>
#include <stdlib.h>

void fob_grants_free(fob_grants_t *self) {
    free(self->slab);
    fob_map64_free(&self->map);
    *self = (fob_grants_t){0};
}

bool fob_grants_reserve(fob_grants_t *self, size_t more) {
    if (!fob_map64_reserve(&self->map, more))
        return false;
    size_t want = (size_t)self->count + more;
    if (want <= self->capacity)
        return true;
    size_t capacity = self->capacity ? self->capacity : 64;
    while (capacity < want)
        capacity *= 2;
    fob_grant_t *slab = realloc(self->slab, capacity * sizeof *slab);
    if (!slab)
        return false;
    self->slab = slab;
    self->capacity = (uint32_t)capacity;
    return true;
}

static void link_last(fob_grants_t *self, fob_grant_list_t *list, uint32_t at) {
    self->slab[at].prev = list->last;
    self->slab[at].next = FOB_GRANT_NONE;
    if (list->last == FOB_GRANT_NONE)
        list->first = at;
    else
        self->slab[list->last].next = at;
    list->last = at;
    list->count++;
}

static void unlink_one(fob_grants_t *self, fob_grant_list_t *list, fob_grant_t *lease) {
    if (lease->begun) { /* begun ones stand before all others */
        list->begun--;
        if (&self->slab[list->begun_last] == lease)
            list->begun_last = lease->prev;
        lease->begun = false;
    }
    if (lease->prev == FOB_GRANT_NONE)
        list->first = lease->next;
    else
        self->slab[lease->prev].next = lease->next;
    if (lease->next == FOB_GRANT_NONE)
        list->last = lease->prev;
    else
        self->slab[lease->next].prev = lease->prev;
    list->count--;
}

/* A free place. The last one of the chain has FOB_GRANT_NONE behind it, which makes 0. */
static uint32_t place(fob_grants_t *self) {
    if (self->free) {
        uint32_t at = self->free - 1;
        self->free = self->slab[at].next + 1;
        return at;
    }
    assert(self->used < self->capacity);
    return self->used++;
}

void fob_grants_add(fob_grants_t *self, fob_grant_list_t *list, const fob_grant_t *lease) {
    uint32_t at = place(self);
    self->slab[at] = *lease;
    fob_map64_put(&self->map, lease->token, at);
    link_last(self, list, at);
    self->count++;
    self->back += lease->back;
    self->prio += lease->prio;
}

/* One that is larger than can be said is of unknown size. */
static inline uint32_t size_of(const uint32_t *begin) {
    uint32_t size = begin[1] - begin[0];
    return size <= FOB_GRANT_SIZE ? size : 0;
}

void fob_grants_add_run(fob_grants_t *self, fob_grant_list_t *list, const fob_grant_t *first,
                        const uint32_t *begin, uint32_t count) {
    uint32_t before = list->last;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = place(self);
        fob_grant_t *lease = &self->slab[at];
        *lease = *first;
        lease->token += i;
        lease->offset += i;
        if (i > 0)
            lease->gap_from = lease->offset;
        lease->size = size_of(begin + i) & FOB_GRANT_SIZE;
        lease->prev = before;
        *(before == FOB_GRANT_NONE ? &list->first : &self->slab[before].next) = at;
        fob_map64_put(&self->map, lease->token, at);
        before = at;
    }
    if (count > 0)
        self->slab[before].next = FOB_GRANT_NONE;
    list->last = before;
    list->count += count;
    self->count += count;
    self->back += first->back ? count : 0;
    self->prio += first->prio ? count : 0;
}

void fob_grants_set_back(fob_grants_t *self, fob_grant_t *lease) {
    self->back += lease->back ? 0 : 1;
    self->prio -= lease->prio;
    lease->back = true;
    lease->prio = false;
    lease->gap_from = lease->offset;
}

fob_grant_t *fob_grants_find(fob_grants_t *self, uint64_t token) {
    uint32_t at = fob_map64_get(&self->map, token);
    return at == FOB_MAP64_NONE ? NULL : &self->slab[at];
}

void fob_grants_remove(fob_grants_t *self, fob_grant_list_t *list, fob_grant_t *lease) {
    unlink_one(self, list, lease);
    fob_map64_remove(&self->map, lease->token);
    self->count--;
    self->back -= lease->back;
    self->prio -= lease->prio;
    lease->next = self->free - 1;
    self->free = (uint32_t)(lease - self->slab) + 1;
}

void fob_grants_remove_run(fob_grants_t *self, fob_grant_list_t *list, fob_grant_t *first,
                           uint32_t count) {
    uint32_t from = (uint32_t)(first - self->slab), before = first->prev, at = from, last = from;
    bool begun_last = false;
    for (uint32_t i = 0; i < count; i++) {
        fob_grant_t *lease = &self->slab[at];
        list->begun -= lease->begun;
        begun_last |= at == list->begun_last;
        lease->begun = false;
        fob_map64_remove(&self->map, lease->token);
        self->back -= lease->back;
        self->prio -= lease->prio;
        last = at;
        at = lease->next;
    }
    if (begun_last) /* begun ones stand before all others: what is before the first of them, too */
        list->begun_last = before;
    *(before == FOB_GRANT_NONE ? &list->first : &self->slab[before].next) = at;
    *(at == FOB_GRANT_NONE ? &list->last : &self->slab[at].prev) = before;
    list->count -= count;
    self->count -= count;
    self->slab[last].next = self->free - 1;
    self->free = from + 1;
}

void fob_grants_move(fob_grants_t *self, fob_grant_list_t *from, fob_grant_list_t *to,
                     fob_grant_t *lease, uint32_t member) {
    unlink_one(self, from, lease);
    lease->member = member;
    link_last(self, to, (uint32_t)(lease - self->slab));
}
