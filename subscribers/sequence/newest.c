#include "subscribers/sequence/newest.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_ROOM 16

void fob_newest_clear(fob_newest_t *self) {
    uint32_t max = self->topics.max;
    for (uint32_t i = self->given; i < self->count; i++)
        fob_blob_unref(&self->held[i].blob);
    free(self->held);
    fob_marks_free(&self->topics);
    *self = (fob_newest_t){.topics.max = max};
}

static bool grow(fob_newest_t *self) {
    if (self->count < self->room)
        return true;
    uint32_t room = self->room ? 2 * self->room : FIRST_ROOM;
    fob_queued_t *held = realloc(self->held, room * sizeof *held);
    if (!held)
        return false;
    self->held = held;
    self->room = room;
    return true;
}

/* The place of a topic that has none yet, with nothing in it; NULL: no memory. */
static fob_queued_t *add(fob_newest_t *self, fob_slice_t topic) {
    if (!grow(self) || !fob_marks_add(&self->topics, topic, self->count))
        return NULL;
    self->held[self->count] = (fob_queued_t){0};
    return &self->held[self->count++];
}

fob_newest_fate_t fob_newest_hold(fob_newest_t *self, fob_slice_t topic, const fob_queued_t *event,
                                  uint64_t bytes) {
    assert(!self->sorted);
    const fob_topic_mark_t *mark = fob_marks_find(&self->topics, topic);
    bool full = !fob_marks_have_place(&self->topics, topic.size) || self->bytes >= bytes;
    if (!mark && full)
        return FOB_NEWEST_FULL;
    fob_blob_t *blob = fob_blob_copy(event->bytes);
    fob_queued_t *place = !blob ? NULL : mark ? &self->held[mark->upto] : add(self, topic);
    if (!place) {
        fob_blob_unref(&blob);
        return FOB_NEWEST_NO_MEMORY;
    }
    self->bytes += event->bytes.size - place->bytes.size;
    fob_blob_unref(&place->blob);
    *place = *event;
    place->blob = blob;
    place->bytes = fob_blob_slice(blob);
    return FOB_NEWEST_HELD;
}

bool fob_newest_has(fob_newest_t *self, fob_slice_t topic) {
    return fob_marks_find(&self->topics, topic) != NULL;
}

static int by_offset(const void *a, const void *b) {
    const fob_queued_t *one = a, *other = b;
    return one->offset < other->offset ? -1 : one->offset > other->offset;
}

fob_queued_t fob_newest_give(fob_newest_t *self) {
    assert(fob_newest_any(self));
    if (!self->sorted)
        qsort(self->held, self->count, sizeof *self->held, by_offset);
    self->sorted = true;
    fob_queued_t event = self->held[self->given++];
    if (!fob_newest_any(self))
        fob_newest_clear(self);
    return event;
}

uint64_t fob_newest_high(const fob_newest_t *self) {
    uint64_t high = 0;
    for (uint32_t i = self->given; i < self->count; i++)
        if (self->held[i].offset > high)
            high = self->held[i].offset;
    return high;
}
