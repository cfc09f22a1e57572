#include "subscribers/sequencer.h"

#include "proto/envelope.h"
#include "proto/planted.h"
#include "proto/topic.h"
#include "subscribers/decode.h"
#include "subscribers/gaps.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CAPACITY 64
/* A fire-and-forget publisher is a stranger: a hole beyond this is nonsense, not a loss. */
#define FIRE_HOLE_MOST ((uint64_t)1 << 32)

struct fob_sequencer {
    uint8_t pattern[FOB_TOPIC_MAX];
    size_t pattern_size;
    uint64_t queue; /* events at the most */
    fob_gaps_t *gaps;
    fob_queued_t *ring;
    size_t capacity, head, messages; /* capacity: a power of two, or 0 */
    uint64_t events, bytes;          /* in the ring */
    uint64_t lost, pauses, malformed;
};

static fob_queued_t *message_at(const fob_sequencer_t *self, size_t index) {
    return &self->ring[(self->head + index) & (self->capacity - 1)];
}

fob_sequencer_t *fob_sequencer_new(fob_slice_t pattern, uint64_t queue) {
    assert(pattern.size <= FOB_TOPIC_MAX && queue > 0);
    fob_sequencer_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    memcpy(self->pattern, pattern.data, pattern.size);
    self->pattern_size = pattern.size;
    self->queue = queue;
    self->gaps = fob_gaps_new();
    if (!self->gaps)
        fob_sequencer_destroy(&self);
    return self;
}

void fob_sequencer_destroy(fob_sequencer_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_sequencer_t *self = *self_p;
    for (size_t i = 0; i < self->messages; i++)
        fob_blob_unref(&message_at(self, i)->blob);
    free(self->ring);
    fob_gaps_destroy(&self->gaps);
    free(self);
    *self_p = NULL;
}

static bool reserve(fob_sequencer_t *self) {
    if (self->messages < self->capacity)
        return true;
    size_t capacity = self->capacity ? 2 * self->capacity : FIRST_CAPACITY;
    fob_queued_t *ring = malloc(capacity * sizeof *ring);
    if (!ring)
        return false;
    for (size_t i = 0; i < self->messages; i++)
        ring[i] = *message_at(self, i);
    free(self->ring);
    self->ring = ring;
    self->capacity = capacity;
    self->head = 0;
    return true;
}

static bool wanted(const fob_sequencer_t *self, const fob_cast_t *cast) {
    if (cast->kind != FOB_CAST_STORED && cast->kind != FOB_CAST_FIRE)
        return false;
    if (!fob_topic_valid(cast->topic) && !fob_topic_is_sys(cast->topic))
        return false;
    return fob_pattern_match(fob_slice(self->pattern, self->pattern_size), cast->topic);
}

/* Whether the body is `count` events of the topic and nothing else. */
static bool whole(const fob_cast_t *cast, fob_slice_t body) {
    fob_cursor_t cursor = fob_cursor(body);
    fob_slice_t topic, bytes;
    for (uint64_t i = 0; i < cast->count; i++)
        if (!fob_envelope_skim(&cursor, &topic, &bytes) || !fob_slice_eq(topic, cast->topic))
            return false;
    return fob_cursor_end(&cursor);
}

static void push(fob_sequencer_t *self, const fob_cast_t *cast, fob_blob_t *body, uint64_t count) {
    *message_at(self, self->messages++) = (fob_queued_t){
        .blob = fob_blob_ref(body),
        .bytes = fob_blob_slice(body),
        .offset = cast->kind == FOB_CAST_STORED ? cast->offset : 0,
        .count = count,
        .time_ms = cast->time_ms,
        .shard = cast->shard,
    };
    self->events += count;
    self->bytes += fob_blob_slice(body).size;
}

/* How many are lost at once at the most. */
static uint64_t most_lost(const fob_cast_t *cast) {
    return cast->kind == FOB_CAST_FIRE ? FIRE_HOLE_MOST : UINT64_MAX;
}

/* Counts what is missing before these events. */
static void count_hole(fob_sequencer_t *self, const fob_cast_t *cast) {
    uint64_t missing;
    if (!fob_gaps_see(self->gaps, cast->source, cast->topic, cast->seq, cast->count,
                      most_lost(cast), &missing))
        self->malformed++;
    fob_sequencer_lose(self, FOB_PLANTED(LOSS_UNTOLD) ? 0 : missing);
}

void fob_sequencer_miss(fob_sequencer_t *self, const fob_cast_t *cast) {
    if (!cast->count || !wanted(self, cast))
        return;
    if (cast->count > most_lost(cast)) {
        self->malformed++;
        return;
    }
    count_hole(self, cast);
    fob_sequencer_lose(self, cast->count);
}

void fob_sequencer_take(fob_sequencer_t *self, const fob_cast_t *cast, fob_blob_t *body,
                        uint64_t elsewhere) {
    if (!cast->count || !wanted(self, cast))
        return;
    fob_slice_t bytes = fob_blob_slice(body);
    if (!whole(cast, bytes)) {
        self->malformed++; /* its numbers are not to be believed, either */
        return;
    }
    count_hole(self, cast);
    uint64_t used = self->events + elsewhere, keep = cast->count;
    uint64_t room = used < self->queue ? self->queue - used : 0;
    if (self->bytes + bytes.size > FOB_SEQUENCER_BYTES && self->messages)
        room = 0;
    if (keep > room)
        keep = room;
    if (keep && !reserve(self))
        keep = 0;
    fob_sequencer_lose(self, cast->count - keep);
    if (keep)
        push(self, cast, body, keep);
}

uint64_t fob_sequencer_move(fob_sequencer_t *self, fob_batch_t *batch) {
    assert(fob_batch_empty(batch));
    uint64_t moved = 0;
    batch->first = batch->end = 0;
    while (self->messages && batch->end < FOB_BATCH_MESSAGES) {
        fob_queued_t *message = message_at(self, 0);
        moved += message->count;
        self->bytes -= fob_blob_slice(message->blob).size;
        batch->messages[batch->end++] = *message;
        self->head = (self->head + 1) & (self->capacity - 1);
        self->messages--;
    }
    self->events -= moved;
    return moved;
}

void fob_sequencer_pause(fob_sequencer_t *self) {
    self->pauses++;
}

uint64_t fob_sequencer_queued(const fob_sequencer_t *self) {
    return self->events;
}

uint64_t fob_sequencer_lost(const fob_sequencer_t *self) {
    return self->lost;
}

uint64_t fob_sequencer_pauses(const fob_sequencer_t *self) {
    return self->pauses;
}

void fob_sequencer_lose(fob_sequencer_t *self, uint64_t count) {
    self->lost = count > UINT64_MAX - self->lost ? UINT64_MAX : self->lost + count;
}

void fob_sequencer_spoilt(fob_sequencer_t *self) {
    self->malformed++;
}

uint64_t fob_sequencer_malformed(const fob_sequencer_t *self) {
    return self->malformed;
}

/* --- a reader's end --- */

fob_status_t fob_batch_next(fob_batch_t *self, fob_event_t **event) {
    *event = NULL;
    if (fob_batch_empty(self))
        return FOB_AGAIN;
    fob_queued_t *message = &self->messages[self->first];
    fob_cursor_t cursor = fob_cursor(message->bytes);
    fob_slice_t topic, bytes;
    bool good = fob_envelope_skim(&cursor, &topic, &bytes);
    assert(good); /* skimmed when it came */
    fob_event_place_t place = {
        .shard = message->shard, .offset = message->offset, .time_ms = message->time_ms};
    fob_status_t status = fob_decode(message->blob, bytes, &place, event);
    if (status == FOB_NO_MEMORY)
        return status;
    message->bytes = fob_slice(cursor.at, (size_t)(cursor.end - cursor.at));
    message->offset += message->offset ? 1 : 0;
    if (--message->count == 0) {
        fob_blob_unref(&message->blob);
        self->first++;
    }
    return status;
}

void fob_batch_clear(fob_batch_t *self) {
    for (; self->first < self->end; self->first++)
        fob_blob_unref(&self->messages[self->first].blob);
    self->first = self->end = 0;
}
