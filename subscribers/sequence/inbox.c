#include "subscribers/sequence/inbox.h"

#include "proto/decode.h"
#include "proto/envelope.h"
#include "proto/ring.h"

#include <assert.h>
#include <stdlib.h>

static fob_queued_t *message_at(const fob_inbox_t *self, size_t index) {
    return &self->ring[(self->head + index) & (self->capacity - 1)];
}

void fob_inbox_free(fob_inbox_t *self) {
    for (size_t i = 0; i < self->messages; i++)
        fob_blob_unref(&message_at(self, i)->blob);
    free(self->ring);
    *self = (fob_inbox_t){0};
}

bool fob_inbox_reserve(fob_inbox_t *self, size_t messages) {
    fob_queued_t *ring = fob_ring_reserve(self->ring, sizeof *ring, &self->capacity, &self->head,
                                          self->messages, messages);
    if (!ring)
        return false;
    self->ring = ring;
    return true;
}

void fob_inbox_put(fob_inbox_t *self, const fob_queued_t *message) {
    assert(self->messages < self->capacity);
    *message_at(self, self->messages++) = *message;
    self->events += message->count;
    self->bytes += message->bytes.size;
}

fob_queued_t *fob_inbox_newest(fob_inbox_t *self) {
    return self->messages ? message_at(self, self->messages - 1) : NULL;
}

uint64_t fob_inbox_move(fob_inbox_t *self, fob_batch_t *batch) {
    assert(fob_batch_empty(batch));
    uint64_t moved = 0;
    batch->first = batch->end = 0;
    while (self->messages && batch->end < FOB_BATCH_MESSAGES) {
        fob_queued_t *message = message_at(self, 0);
        moved += message->count;
        self->bytes -= message->bytes.size;
        batch->messages[batch->end++] = *message;
        self->head = (self->head + 1) & (self->capacity - 1);
        self->messages--;
    }
    self->events -= moved;
    return moved;
}

/* --- a reader's end --- */

static void drop_first(fob_batch_t *self) {
    fob_blob_unref(&self->messages[self->first].blob);
    self->first++;
}

static fob_status_t next_notice(fob_batch_t *self) {
    const fob_queued_t *message = &self->messages[self->first];
    fob_notice_t *notice = &self->notice;
    notice->kind = message->notice;
    notice->shard = message->shard;
    notice->epoch = message->epoch;
    notice->first = message->offset;
    notice->last = message->last;
    assert(message->bytes.size <= FOB_TOPIC_MAX);
    if (message->bytes.size)
        memcpy(notice->topic, message->bytes.data, message->bytes.size);
    notice->topic[message->bytes.size] = 0;
    drop_first(self);
    return FOB_GAP;
}

/* Steps the message over its first event, of so many bytes. */
static void step_over(fob_batch_t *self, fob_queued_t *message, size_t size) {
    message->bytes = fob_slice(message->bytes.data + size, message->bytes.size - size);
    message->offset += message->offset ? 1 : 0;
    if (--message->count == 0)
        drop_first(self);
}

fob_status_t fob_batch_next(fob_batch_t *self, fob_pool_t *pool, fob_event_t **event) {
    *event = NULL;
    if (fob_batch_empty(self))
        return FOB_AGAIN;
    fob_queued_t *message = &self->messages[self->first];
    if (message->notice)
        return next_notice(self);
    fob_event_place_t place = {.shard = message->shard,
                               .offset = message->offset,
                               .time_ms = message->time_ms,
                               .epoch = message->epoch};
    fob_status_t status = fob_decode(pool, message->blob, message->bytes, &place, event);
    if (status == FOB_OK) {
        step_over(self, message, fob_event_envelope(*event)->bytes.size);
    } else if (status == FOB_BAD_EVENT) {
        fob_cursor_t cursor = fob_cursor(message->bytes);
        fob_slice_t topic, bytes;
        bool good = fob_envelope_skim(&cursor, &topic, &bytes);
        assert(good); /* skimmed when it came */
        step_over(self, message, bytes.size);
    }
    return status;
}

void fob_batch_clear(fob_batch_t *self) {
    while (!fob_batch_empty(self))
        drop_first(self);
    self->first = self->end = 0;
}
