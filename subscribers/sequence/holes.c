#include "subscribers/sequence/holes.h"

#include "proto/ring.h"

#include <assert.h>
#include <stdlib.h>

static fob_hole_t *at(const fob_holes_t *self, size_t index) {
    return &self->ring[(self->head + index) & (self->capacity - 1)];
}

void fob_holes_free(fob_holes_t *self) {
    free(self->ring);
    *self = (fob_holes_t){0};
}

bool fob_holes_reserve(fob_holes_t *self) {
    if (self->count >= (self->max ? self->max : FOB_HOLES_MAX))
        return false;
    fob_hole_t *ring =
        fob_ring_reserve(self->ring, sizeof *ring, &self->capacity, &self->head, self->count, 1);
    if (!ring)
        return false;
    self->ring = ring;
    return true;
}

void fob_holes_put(fob_holes_t *self, fob_slice_t topic, uint64_t after, uint64_t upto) {
    assert(self->count < self->capacity && topic.size <= FOB_TOPIC_MAX && after < upto);
    fob_hole_t *hole = at(self, self->count++);
    hole->after = after;
    hole->upto = upto;
    hole->size = (uint8_t)topic.size;
    memcpy(hole->bytes, topic.data, topic.size);
}

fob_hole_t *fob_holes_first(const fob_holes_t *self) {
    return self->count ? at(self, 0) : NULL;
}

uint64_t fob_holes_lowest(const fob_holes_t *self) {
    uint64_t lowest = UINT64_MAX;
    for (size_t i = 0; i < self->count; i++)
        if (at(self, i)->after < lowest)
            lowest = at(self, i)->after;
    return lowest;
}

void fob_holes_drop(fob_holes_t *self) {
    assert(self->count);
    self->head = (self->head + 1) & (self->capacity - 1);
    self->count--;
}

void fob_holes_cap(fob_holes_t *self, uint64_t upto) {
    for (size_t left = self->count; left > 0; left--) {
        fob_hole_t hole = *fob_holes_first(self);
        fob_holes_drop(self);
        if (hole.upto > upto)
            hole.upto = upto;
        if (hole.after < hole.upto)
            fob_holes_put(self, fob_hole_topic(&hole), hole.after, hole.upto);
    }
}
