#include "bus/core/group/group.h"

#include "bus/core/durable/digest.h"

#include <stdlib.h>
#include <string.h>

fob_group_t *fob_group_new(uint32_t id, fob_slice_t name, fob_slice_t pattern, uint64_t start,
                           int64_t since_ms) {
    fob_group_t *self = calloc(1, sizeof *self);
    char *text = malloc(name.size + pattern.size + 1);
    if (!self || !text) {
        free(self);
        free(text);
        return NULL;
    }
    memcpy(text, name.data, name.size);
    memcpy(text + name.size, pattern.data, pattern.size);
    self->id = id;
    self->text = text;
    self->name = fob_slice(text, name.size);
    self->pattern = fob_slice(text + name.size, pattern.size);
    self->generation = 1;
    self->since_ms = since_ms;
    self->start = start;
    self->cover.floor = start;
    self->census_at = 1; /* above census_to: none */
    self->caught_up = true;
    self->gap_from = start;
    self->next_token = 1;
    self->ring = FOB_MEMBER_NONE;
    return self;
}

void fob_group_free(fob_group_t *self) {
    fob_cover_free(&self->cover);
    fob_back_free(&self->back);
    fob_grants_free(&self->grants);
    fob_grants_free(&self->overdue);
    fob_deads_free(&self->deads);
    fob_prio_free(&self->prio);
    free(self->members);
    free(self->text);
    free(self);
}

uint64_t fob_group_gone(const fob_group_t *self) {
    return self->acked + self->dead + self->expired + self->shed + self->removed + self->back.count;
}

uint64_t fob_group_pristine(const fob_group_t *self) {
    uint64_t gone = fob_group_gone(self);
    return self->accepted > gone ? self->accepted - gone : 0;
}

uint64_t fob_group_ready(const fob_group_t *self) {
    uint64_t pristine = fob_group_pristine(self);
    uint64_t out = self->grants.count - self->grants.back;
    return (pristine > out ? pristine - out : 0) + self->back.in_state[FOB_BACK_READY] +
           self->back.in_state[FOB_BACK_IDLE];
}

uint64_t fob_group_ready_plain(const fob_group_t *self) {
    const fob_grants_t *grants = &self->grants;
    uint64_t pristine = fob_group_pristine(self);
    uint64_t others = self->prio.events + (grants->count - grants->back - grants->prio);
    return pristine > others ? pristine - others : 0;
}

uint64_t fob_group_depth(const fob_group_t *self) {
    return fob_group_pristine(self) + self->back.count;
}

void fob_group_lighten(fob_group_t *self, uint64_t count, uint64_t bytes, uint64_t depth) {
    if (count >= depth) {
        self->bytes = 0;
        return;
    }
    if (bytes == 0)
        bytes = self->bytes / depth * count + self->bytes % depth * count / depth;
    self->bytes -= bytes < self->bytes ? bytes : self->bytes;
}

uint64_t fob_group_leased(const fob_group_t *self) {
    return self->grants.count;
}

uint64_t fob_group_delayed(const fob_group_t *self) {
    return self->back.in_state[FOB_BACK_DELAYED];
}

uint64_t fob_group_floor(fob_group_t *self) {
    uint64_t floor = self->cover.floor, back = fob_back_lowest(&self->back);
    floor = back < floor ? back : floor;
    uint64_t dead = fob_deads_lowest(&self->deads);
    return dead < floor ? dead : floor;
}

/* --- the hash --- */

static uint64_t back_hash(const fob_back_t *back, const fob_history_t *history) {
    uint64_t sum = 0;
    uint32_t at = 0;
    for (const fob_back_entry_t *e; (e = fob_back_next(back, &at)) != NULL;) {
        uint64_t fields[] = {
            e->offset,   e->token,    (uint64_t)e->due_ms,
            e->attempts, e->releases, e->reason,
            e->out,      e->priority, e->history ? fob_history_hash(history, e->history) : 0};
        sum += fob_digest(fields, sizeof fields);
    }
    return sum;
}

static uint64_t dead_hash(const fob_deads_t *deads, const fob_history_t *history) {
    uint64_t sum = deads->last_serial;
    size_t at = 0;
    for (const fob_dead_t *d; (d = fob_deads_next(deads, &at)) != NULL;) {
        uint64_t fields[] = {
            d->offset,   d->serial,   d->count,
            d->attempts, d->size,     (uint64_t)d->time_ms,
            d->reason,   d->priority, d->history ? fob_history_hash(history, d->history) : 0};
        sum += fob_digest(fields, sizeof fields);
    }
    return sum;
}

static uint64_t cover_hash(const fob_cover_t *cover) {
    const fob_intervals_t *above = &cover->above;
    uint64_t fields[] = {cover->floor, above->count,
                         fob_digest(above->count ? fob_intervals_first(above) : NULL,
                                    above->count * sizeof(fob_interval_t))};
    return fob_digest(fields, sizeof fields);
}

/* The books, and why they are so. */
static uint64_t books_hash(const fob_group_t *self) {
    uint64_t fields[] = {self->accepted,
                         self->acked,
                         self->dead,
                         self->expired,
                         self->shed,
                         self->removed,
                         self->bytes,
                         self->debt,
                         self->damaged,
                         fob_digest(self->shed_by, sizeof self->shed_by),
                         fob_digest(self->removed_by, sizeof self->removed_by)};
    return fob_digest(fields, sizeof fields);
}

uint64_t fob_group_hash(const fob_group_t *self, const fob_history_t *history) {
    uint64_t fields[] = {self->id,
                         self->temporary,
                         self->generation,
                         (uint64_t)self->since_ms,
                         self->start,
                         books_hash(self),
                         fob_digest(&self->policy, sizeof self->policy),
                         (uint64_t)self->paused_ms,
                         fob_prio_hash(&self->prio),
                         self->census_at,
                         self->census_to,
                         self->skip_to,
                         self->mark_offset,
                         self->mark_token,
                         self->void_token,
                         cover_hash(&self->cover),
                         self->back.count,
                         back_hash(&self->back, history),
                         dead_hash(&self->deads, history),
                         fob_digest(self->text, self->name.size + self->pattern.size),
                         self->name.size};
    return fob_digest(fields, sizeof fields);
}

/* --- all groups --- */

void fob_groups_free(fob_groups_t *self) {
    for (size_t i = 0; i < self->count; i++)
        fob_group_free(self->by_name[i]);
    free(self->by_name);
    free(self->by_id);
    *self = (fob_groups_t){0};
}

bool fob_groups_reserve(fob_groups_t *self) {
    if (self->count < self->capacity)
        return true;
    size_t capacity = self->capacity ? self->capacity * 2 : 16;
    fob_group_t **by_name = realloc(self->by_name, capacity * sizeof *by_name);
    if (by_name)
        self->by_name = by_name;
    fob_group_t **by_id = realloc(self->by_id, capacity * sizeof *by_id);
    if (by_id)
        self->by_id = by_id;
    if (!by_name || !by_id)
        return false;
    self->capacity = capacity;
    return true;
}

static int compare_names(fob_slice_t a, fob_slice_t b) {
    size_t least = a.size < b.size ? a.size : b.size;
    int order = least ? memcmp(a.data, b.data, least) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* The place of the first group whose name is not below. */
static size_t place_of(const fob_groups_t *self, fob_slice_t name) {
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(self->by_name[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

fob_group_t *fob_groups_find(const fob_groups_t *self, fob_slice_t name) {
    size_t at = place_of(self, name);
    if (at < self->count && fob_slice_eq(self->by_name[at]->name, name))
        return self->by_name[at];
    return NULL;
}

static size_t place_of_id(const fob_groups_t *self, uint32_t id) {
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->by_id[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

fob_group_t *fob_groups_by_id(const fob_groups_t *self, uint32_t id) {
    size_t at = place_of_id(self, id);
    return at < self->count && self->by_id[at]->id == id ? self->by_id[at] : NULL;
}

fob_group_t *fob_groups_from_id(const fob_groups_t *self, uint32_t id) {
    size_t at = place_of_id(self, id);
    return at < self->count ? self->by_id[at] : NULL;
}

static void insert(fob_group_t **items, size_t count, size_t at, fob_group_t *group) {
    memmove(items + at + 1, items + at, (count - at) * sizeof *items);
    items[at] = group;
}

void fob_groups_add(fob_groups_t *self, fob_group_t *group) {
    insert(self->by_name, self->count, place_of(self, group->name), group);
    insert(self->by_id, self->count, place_of_id(self, group->id), group);
    self->count++;
}

void fob_groups_remove(fob_groups_t *self, fob_group_t *group) {
    size_t name_at = place_of(self, group->name), id_at = place_of_id(self, group->id);
    self->count--;
    memmove(self->by_name + name_at, self->by_name + name_at + 1,
            (self->count - name_at) * sizeof *self->by_name);
    memmove(self->by_id + id_at, self->by_id + id_at + 1,
            (self->count - id_at) * sizeof *self->by_id);
}
