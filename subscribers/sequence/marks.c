#include "subscribers/sequence/marks.h"

#include "proto/planted.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#define FIRST_MARKS 16
#define FIRST_NAMES 512

typedef fob_marks_part_t part_t;

void fob_marks_free(fob_marks_t *self) {
    for (part_t *part = self->parts; part < self->parts + FOB_MARKS_PARTS; part++) {
        free(part->marks);
        free(part->index);
        free(part->names);
    }
    *self = (fob_marks_t){0};
}

/* --- a part --- */

static fob_slice_t name_of(const part_t *part, const fob_topic_mark_t *mark) {
    return fob_slice(part->names + mark->name, mark->size);
}

/* Within a part all hashes end in the same bits. */
static uint32_t place_of(const part_t *part, uint64_t hash) {
    return (uint32_t)(hash / FOB_MARKS_PARTS) & part->mask;
}

static void index_put(part_t *part, uint32_t number) {
    uint32_t at = place_of(part, part->marks[number].hash);
    while (part->index[at])
        at = (at + 1) & part->mask;
    part->index[at] = number + 1;
}

static void index_anew(part_t *part) {
    memset(part->index, 0, ((size_t)part->mask + 1) * sizeof *part->index);
    for (uint32_t i = 0; i < part->count; i++)
        index_put(part, i);
}

/* Room for one mark more: the index has twice as many places. */
static bool grow(part_t *part) {
    if (part->count < part->capacity)
        return true;
    uint32_t capacity = part->capacity ? 2 * part->capacity : FIRST_MARKS;
    uint32_t *index = malloc((size_t)capacity * 2 * sizeof *index);
    fob_topic_mark_t *marks = realloc(part->marks, capacity * sizeof *marks);
    if (marks)
        part->marks = marks;
    if (!marks || !index) {
        free(index);
        return false;
    }
    free(part->index);
    part->index = index;
    part->capacity = capacity;
    part->mask = 2 * capacity - 1;
    index_anew(part);
    return true;
}

static bool grow_names(part_t *part, size_t more) {
    if (part->names_capacity - part->names_size >= more)
        return true;
    size_t capacity = part->names_capacity ? 2 * part->names_capacity : FIRST_NAMES;
    uint8_t *names = realloc(part->names, capacity);
    if (!names)
        return false;
    part->names = names;
    part->names_capacity = capacity;
    return true;
}

/* The names of those that stay close up as they do. */
static void stay(part_t *part, fob_topic_mark_t mark) {
    memmove(part->names + part->names_size, part->names + mark.name, mark.size);
    mark.name = (uint32_t)part->names_size;
    mark.kept = false;
    part->names_size += mark.size;
    part->marks[part->count++] = mark;
    if (mark.upto > part->high)
        part->high = mark.upto;
}

static void sweep(part_t *part, uint64_t upto) {
    uint32_t count = part->count;
    part->count = 0;
    part->names_size = 0;
    part->high = 0;
    for (uint32_t i = 0; i < count; i++)
        if (part->marks[i].kept || part->marks[i].upto > upto)
            stay(part, part->marks[i]);
    if (count)
        index_anew(part);
}

/* --- all parts --- */

/* What is said of all of them, anew. */
static void sum_up(fob_marks_t *self) {
    self->count = 0;
    self->names_size = 0;
    self->high = self->base_high = 0;
    self->base_low = UINT64_MAX;
    for (const part_t *part = self->parts; part < self->parts + FOB_MARKS_PARTS; part++) {
        self->count += part->count;
        self->names_size += part->names_size;
        if (part->high > self->high)
            self->high = part->high;
        if (part->base > self->base_high)
            self->base_high = part->base;
        if (part->base < self->base_low)
            self->base_low = part->base;
    }
}

static uint64_t hash_of(fob_slice_t topic) {
    return XXH3_64bits(topic.data, topic.size);
}

static fob_topic_mark_t *latest(fob_marks_t *self, fob_slice_t topic) {
    part_t *part = &self->parts[self->latest_part];
    if (self->latest >= part->count)
        return NULL;
    fob_topic_mark_t *mark = &part->marks[self->latest];
    return fob_slice_eq(name_of(part, mark), topic) ? mark : NULL;
}

static fob_topic_mark_t *find(fob_marks_t *self, fob_slice_t topic, uint64_t hash) {
    part_t *part = &self->parts[hash % FOB_MARKS_PARTS];
    if (!part->count)
        return NULL;
    for (uint32_t at = place_of(part, hash); part->index[at]; at = (at + 1) & part->mask) {
        fob_topic_mark_t *mark = &part->marks[part->index[at] - 1];
        if (mark->hash == hash && fob_slice_eq(name_of(part, mark), topic)) {
            self->latest = part->index[at] - 1;
            self->latest_part = hash % FOB_MARKS_PARTS;
            return mark;
        }
    }
    return NULL;
}

fob_topic_mark_t *fob_marks_find(fob_marks_t *self, fob_slice_t topic) {
    if (!self->count)
        return NULL;
    fob_topic_mark_t *mark = latest(self, topic);
    return mark ? mark : find(self, topic, hash_of(topic));
}

uint64_t fob_marks_had(fob_marks_t *self, fob_slice_t topic, fob_topic_mark_t **mark) {
    *mark = fob_marks_find(self, topic);
    if (*mark)
        return (*mark)->upto;
    if (self->base_low == self->base_high)
        return self->base_low;
    return self->parts[hash_of(topic) % FOB_MARKS_PARTS].base;
}

static bool has_place(fob_marks_t *self, size_t name) {
    if (FOB_PLANTED(MARK_FORGOTTEN) && self->count >= fob_marks_max(self))
        for (uint32_t i = 0; i < FOB_MARKS_PARTS && self->count >= fob_marks_max(self); i++)
            if (self->parts[i].count)
                fob_marks_sweep(self, self->parts[i].marks[0].upto);
    return fob_marks_have_place(self, name);
}

fob_topic_mark_t *fob_marks_add(fob_marks_t *self, fob_slice_t topic, uint64_t upto) {
    assert(topic.size > 0 && topic.size <= UINT8_MAX);
    uint64_t hash = hash_of(topic);
    part_t *part = &self->parts[hash % FOB_MARKS_PARTS];
    if (!has_place(self, topic.size) || !grow(part) || !grow_names(part, topic.size))
        return NULL;
    fob_topic_mark_t *mark = &part->marks[part->count];
    *mark = (fob_topic_mark_t){
        .hash = hash, .name = (uint32_t)part->names_size, .size = (uint8_t)topic.size};
    memcpy(part->names + part->names_size, topic.data, topic.size);
    part->names_size += topic.size;
    index_put(part, part->count);
    self->latest = part->count++;
    self->latest_part = hash % FOB_MARKS_PARTS;
    self->count++;
    self->names_size += topic.size;
    fob_marks_raise(self, mark, upto);
    return mark;
}

void fob_marks_raise(fob_marks_t *self, fob_topic_mark_t *mark, uint64_t upto) {
    part_t *part = &self->parts[mark->hash % FOB_MARKS_PARTS];
    mark->upto = upto;
    if (upto > part->high)
        part->high = upto;
    if (upto > self->high)
        self->high = upto;
}

void fob_marks_begin(fob_marks_t *self, uint64_t base) {
    for (part_t *part = self->parts; part < self->parts + FOB_MARKS_PARTS; part++) {
        sweep(part, UINT64_MAX);
        part->base = base;
    }
    sum_up(self);
}

void fob_marks_rise(fob_marks_t *self, uint64_t base) {
    for (part_t *part = self->parts; part < self->parts + FOB_MARKS_PARTS; part++)
        if (part->base < base)
            part->base = base;
    sum_up(self);
}

uint64_t fob_marks_base(const fob_marks_t *self, uint64_t part, uint64_t parts) {
    uint64_t base = UINT64_MAX;
    for (; part < FOB_MARKS_PARTS; part += parts)
        if (self->parts[part].base < base)
            base = self->parts[part].base;
    return base;
}

void fob_marks_settle(fob_marks_t *self, uint64_t part, uint64_t parts, uint64_t upto) {
    for (; part < FOB_MARKS_PARTS; part += parts) {
        part_t *one = &self->parts[part];
        if (one->base < upto)
            one->base = upto;
        sweep(one, upto);
    }
    sum_up(self);
}

void fob_marks_sweep(fob_marks_t *self, uint64_t upto) {
    for (part_t *part = self->parts; part < self->parts + FOB_MARKS_PARTS; part++)
        sweep(part, upto);
    sum_up(self);
}

void fob_marks_unkeep(fob_marks_t *self) {
    for (part_t *part = self->parts; part < self->parts + FOB_MARKS_PARTS; part++)
        for (uint32_t i = 0; i < part->count; i++)
            part->marks[i].kept = false;
}

static void lower(uint64_t *offset, uint64_t upto) {
    if (*offset > upto)
        *offset = upto;
}

void fob_marks_cap(fob_marks_t *self, uint64_t upto) {
    for (part_t *part = self->parts; part < self->parts + FOB_MARKS_PARTS; part++) {
        for (uint32_t i = 0; i < part->count; i++)
            lower(&part->marks[i].upto, upto);
        lower(&part->high, upto);
        lower(&part->base, upto);
    }
    sum_up(self);
}

uint64_t fob_marks_low(const fob_marks_t *self) {
    uint64_t low = self->base_low;
    for (const part_t *part = self->parts; part < self->parts + FOB_MARKS_PARTS; part++)
        for (uint32_t i = 0; i < part->count; i++)
            lower(&low, part->marks[i].upto);
    return low;
}
