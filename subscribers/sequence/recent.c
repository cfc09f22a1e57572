#include "subscribers/sequence/recent.h"

#include "proto/envelope.h"
#include "proto/ring.h"

#include <assert.h>
#include <stdlib.h>

static fob_heard_t *at(const fob_recent_t *self, size_t index) {
    return &self->ring[(self->head + index) & (self->capacity - 1)];
}

void fob_recent_free(fob_recent_t *self) {
    fob_recent_clear(self);
    free(self->ring);
    *self = (fob_recent_t){0};
}

static size_t max_of(const fob_recent_t *self) {
    return self->max ? self->max : FOB_RECENT_MESSAGES;
}

static bool grow(fob_recent_t *self) {
    fob_heard_t *ring =
        fob_ring_reserve(self->ring, sizeof *ring, &self->capacity, &self->head, self->count, 1);
    if (!ring)
        return false;
    self->ring = ring;
    return true;
}

const fob_heard_t *fob_recent_first(const fob_recent_t *self) {
    return self->count ? at(self, 0) : NULL;
}

void fob_recent_drop(fob_recent_t *self) {
    assert(self->count);
    fob_heard_t *heard = at(self, 0);
    self->bytes -= fob_blob_slice(heard->body).size;
    fob_blob_unref(&heard->body);
    self->head = (self->head + 1) & (self->capacity - 1);
    self->count--;
}

void fob_recent_clear(fob_recent_t *self) {
    while (self->count)
        fob_recent_drop(self);
}

bool fob_recent_much(const fob_recent_t *self) {
    return self->count > max_of(self) / 16 || self->bytes > FOB_RECENT_BYTES / 16;
}

/* The topic as the body has it: what a message's head points at does not last. */
static fob_slice_t topic_in(fob_blob_t *body) {
    fob_cursor_t cursor = fob_cursor(fob_blob_slice(body));
    fob_slice_t topic, bytes;
    bool good = fob_envelope_skim(&cursor, &topic, &bytes);
    assert(good); /* skimmed when it came */
    return topic;
}

void fob_recent_put(fob_recent_t *self, const fob_heard_t *heard) {
    size_t size = fob_blob_slice(heard->body).size;
    while (self->count && (self->count >= max_of(self) || self->bytes + size > FOB_RECENT_BYTES)) {
        fob_recent_drop(self);
        self->holed = true;
    }
    if (!grow(self)) {
        self->holed = true;
        return;
    }
    fob_heard_t *kept = at(self, self->count++);
    *kept = *heard;
    fob_blob_ref(kept->body);
    kept->topic = topic_in(kept->body);
    self->bytes += size;
}
