#include "subscribers/sequence/marks.h"

#include "proto/planted.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#define FIRST_MARKS 64
#define FIRST_NAMES 4096

void fob_marks_free(fob_marks_t *self) {
    free(self->marks);
    free(self->index);
    free(self->names);
    *self = (fob_marks_t){0};
}

static fob_slice_t name_of(const fob_marks_t *self, const fob_topic_mark_t *mark) {
    return fob_slice(self->names + mark->name, mark->size);
}

static void index_put(fob_marks_t *self, uint32_t number) {
    uint32_t at = (uint32_t)self->marks[number].hash & self->mask;
    while (self->index[at])
        at = (at + 1) & self->mask;
    self->index[at] = number + 1;
}

static void index_anew(fob_marks_t *self) {
    memset(self->index, 0, ((size_t)self->mask + 1) * sizeof *self->index);
    for (uint32_t i = 0; i < self->count; i++)
        index_put(self, i);
}

fob_topic_mark_t *fob_marks_find(fob_marks_t *self, fob_slice_t topic) {
    if (!self->count)
        return NULL;
    if (fob_slice_eq(name_of(self, &self->marks[self->latest]), topic))
        return &self->marks[self->latest];
    uint64_t hash = XXH3_64bits(topic.data, topic.size);
    for (uint32_t at = (uint32_t)hash & self->mask; self->index[at]; at = (at + 1) & self->mask) {
        fob_topic_mark_t *mark = &self->marks[self->index[at] - 1];
        if (mark->hash == hash && fob_slice_eq(name_of(self, mark), topic)) {
            self->latest = self->index[at] - 1;
            return mark;
        }
    }
    return NULL;
}

/* Room for one mark more: the index has twice as many places. */
static bool grow(fob_marks_t *self) {
    if (FOB_PLANTED(MARK_FORGOTTEN) && self->count >= fob_marks_max(self))
        fob_marks_sweep(self, self->marks[0].upto);
    if (self->count >= fob_marks_max(self))
        return false;
    if (self->count < self->capacity)
        return true;
    uint32_t capacity = self->capacity ? 2 * self->capacity : FIRST_MARKS;
    uint32_t *index = malloc((size_t)capacity * 2 * sizeof *index);
    fob_topic_mark_t *marks = realloc(self->marks, capacity * sizeof *marks);
    if (marks)
        self->marks = marks;
    if (!marks || !index) {
        free(index);
        return false;
    }
    free(self->index);
    self->index = index;
    self->capacity = capacity;
    self->mask = 2 * capacity - 1;
    index_anew(self);
    return true;
}

static bool grow_names(fob_marks_t *self, size_t more) {
    if (self->names_capacity - self->names_size >= more)
        return true;
    size_t capacity = self->names_capacity ? 2 * self->names_capacity : FIRST_NAMES;
    uint8_t *names = realloc(self->names, capacity);
    if (!names)
        return false;
    self->names = names;
    self->names_capacity = capacity;
    return true;
}

fob_topic_mark_t *fob_marks_add(fob_marks_t *self, fob_slice_t topic, uint64_t upto) {
    assert(topic.size > 0 && topic.size <= UINT8_MAX);
    if (!grow(self) || !grow_names(self, topic.size))
        return NULL;
    fob_topic_mark_t *mark = &self->marks[self->count];
    *mark = (fob_topic_mark_t){.hash = XXH3_64bits(topic.data, topic.size),
                               .name = (uint32_t)self->names_size,
                               .size = (uint8_t)topic.size};
    memcpy(self->names + self->names_size, topic.data, topic.size);
    self->names_size += topic.size;
    fob_marks_raise(self, mark, upto);
    index_put(self, self->count);
    self->latest = self->count++;
    return mark;
}

/* The names of those that stay close up as they do. */
static void stay(fob_marks_t *self, fob_topic_mark_t mark) {
    memmove(self->names + self->names_size, self->names + mark.name, mark.size);
    mark.name = (uint32_t)self->names_size;
    mark.kept = false;
    self->names_size += mark.size;
    self->marks[self->count++] = mark;
    if (mark.upto > self->high)
        self->high = mark.upto;
}

void fob_marks_sweep(fob_marks_t *self, uint64_t upto) {
    uint32_t count = self->count;
    self->count = self->latest = 0;
    self->names_size = 0;
    self->high = 0;
    for (uint32_t i = 0; i < count; i++)
        if (self->marks[i].kept || self->marks[i].upto > upto)
            stay(self, self->marks[i]);
    if (count)
        index_anew(self);
}

void fob_marks_unkeep(fob_marks_t *self) {
    for (uint32_t i = 0; i < self->count; i++)
        self->marks[i].kept = false;
}

void fob_marks_cap(fob_marks_t *self, uint64_t upto) {
    for (uint32_t i = 0; i < self->count; i++)
        if (self->marks[i].upto > upto)
            self->marks[i].upto = upto;
    if (self->high > upto)
        self->high = upto;
}

uint64_t fob_marks_lowest(const fob_marks_t *self) {
    uint64_t lowest = UINT64_MAX;
    for (uint32_t i = 0; i < self->count; i++)
        if (self->marks[i].upto < lowest)
            lowest = self->marks[i].upto;
    return lowest;
}
