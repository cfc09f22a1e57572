#include "bus/journal/index.h"

#include <stdlib.h>

void fob_index_clear(fob_index_t *self) {
    free(self->points);
    *self = (fob_index_t){0};
}

void fob_index_add(fob_index_t *self, uint64_t offset, uint64_t at) {
    if (self->count > 0 && at < self->points[self->count - 1].at + FOB_INDEX_STEP)
        return;
    if (self->count == self->capacity) {
        size_t capacity = self->capacity == 0 ? 64 : self->capacity * 2;
        fob_point_t *points = realloc(self->points, capacity * sizeof *points);
        if (points == NULL)
            return;
        self->points = points;
        self->capacity = capacity;
    }
    self->points[self->count++] = (fob_point_t){offset, at};
}

uint64_t fob_index_find(const fob_index_t *self, uint64_t offset, uint64_t otherwise) {
    size_t low = 0, high = self->count; /* points below `low` are at or below the offset */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (self->points[mid].offset <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low == 0 ? otherwise : self->points[low - 1].at;
}
