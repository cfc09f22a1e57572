#include "bus/journal/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fob_segment_name(uint64_t sequence, char *out) {
    snprintf(out, FOB_SEGMENT_NAME_SIZE, "%020" PRIu64 ".seg", sequence);
}

bool fob_segment_parse(const char *name, const char *suffix, uint64_t *out) {
    if (strspn(name, "0123456789") != 20 || strcmp(name + 20, suffix) != 0)
        return false;
    *out = strtoull(name, NULL, 10);
    return *out > 0;
}

fob_segment_t *fob_segment_new(uint64_t sequence, uint64_t seed, uint64_t bytes) {
    fob_segment_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->sequence = sequence;
    self->seed = seed;
    self->bytes = bytes;
    self->zeroed = FOB_SEGMENT_HEADER_BYTES;
    self->fd = -1;
    self->end = FOB_SEGMENT_HEADER_BYTES;
    self->walked = true;
    return self;
}

void fob_segment_destroy(fob_segment_t **self_p) {
    if (self_p == NULL || *self_p == NULL)
        return;
    fob_index_clear(&(*self_p)->index);
    free(*self_p);
    *self_p = NULL;
}

void fob_segment_note(fob_segment_t *self, uint64_t position, uint64_t first_offset,
                      uint64_t next_offset, int64_t wall_ms, uint64_t at, size_t total) {
    if (self->first_position == 0) {
        self->first_position = position;
        self->first_offset = first_offset;
        self->first_ms = wall_ms;
    }
    self->last_position = position;
    self->next_offset = next_offset;
    self->last_ms = wall_ms;
    self->end = at + total;
    fob_index_add(&self->index, first_offset, at);
}

bool fob_segments_add(fob_segments_t *self, fob_segment_t *segment) {
    if (self->count == self->capacity) {
        size_t capacity = self->capacity == 0 ? 16 : self->capacity * 2;
        fob_segment_t **all = realloc(self->all, capacity * sizeof(fob_segment_t *));
        if (all == NULL)
            return false;
        self->all = all;
        self->capacity = capacity;
    }
    self->all[self->count++] = segment;
    self->bytes += segment->bytes;
    return true;
}

fob_segment_t *fob_segments_find(const fob_segments_t *self, uint64_t sequence) {
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (self->all[mid]->sequence == sequence)
            return self->all[mid];
        if (self->all[mid]->sequence < sequence)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

bool fob_segments_of_offset(const fob_segments_t *self, uint64_t offset, size_t *index) {
    /* Those without commits are at the end only. */
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const fob_segment_t *segment = self->all[mid];
        if (segment->first_position != 0 && segment->first_offset <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    *index = low - 1;
    return low > 0;
}

fob_segment_t *fob_segments_shift(fob_segments_t *self) {
    if (self->count == 0)
        return NULL;
    fob_segment_t *first = self->all[0];
    self->bytes -= first->bytes;
    memmove(self->all, self->all + 1, --self->count * sizeof(fob_segment_t *));
    return first;
}

void fob_segments_grow(fob_segments_t *self, fob_segment_t *segment, uint64_t bytes) {
    self->bytes += bytes - segment->bytes;
    segment->bytes = bytes;
}

void fob_segments_clear(fob_segments_t *self) {
    for (size_t i = 0; i < self->count; i++)
        fob_segment_destroy(&self->all[i]);
    free(self->all);
    *self = (fob_segments_t){0};
}
