#include "subscribers/sequencer.h"

#include "proto/envelope.h"
#include "proto/planted.h"
#include "proto/topic.h"

#include <assert.h>
#include <stdlib.h>

/* A fire-and-forget publisher is a stranger: a hole beyond this is nonsense, not a loss. */
#define FIRE_HOLE_MOST ((uint64_t)1 << 32)

struct fob_sequencer {
    uint8_t pattern[FOB_TOPIC_MAX];
    size_t pattern_size;
    uint64_t queue, bytes; /* at the most */
    fob_gaps_t *gaps;
    fob_inbox_t inbox;
    uint64_t lost, pauses, malformed;
};

fob_sequencer_t *fob_sequencer_new(const fob_sequencer_options_t *options) {
    assert(options->pattern.size <= FOB_TOPIC_MAX && options->queue > 0);
    fob_sequencer_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    memcpy(self->pattern, options->pattern.data, options->pattern.size);
    self->pattern_size = options->pattern.size;
    self->queue = options->queue;
    self->bytes = options->bytes ? options->bytes : FOB_SEQUENCER_BYTES;
    self->gaps = fob_gaps_new();
    if (!self->gaps)
        fob_sequencer_destroy(&self);
    return self;
}

void fob_sequencer_destroy(fob_sequencer_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_sequencer_t *self = *self_p;
    fob_inbox_free(&self->inbox);
    fob_gaps_destroy(&self->gaps);
    free(self);
    *self_p = NULL;
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
    const fob_queued_t message = {
        .blob = fob_blob_ref(body),
        .bytes = fob_blob_slice(body),
        .offset = cast->kind == FOB_CAST_STORED ? cast->offset : 0,
        .count = count,
        .time_ms = cast->time_ms,
        .shard = cast->shard,
    };
    fob_inbox_put(&self->inbox, &message);
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
    uint64_t used = self->inbox.events + elsewhere, keep = cast->count;
    uint64_t room = used < self->queue ? self->queue - used : 0;
    if (self->inbox.bytes + bytes.size > self->bytes && self->inbox.messages)
        room = 0;
    if (keep > room)
        keep = room;
    if (keep && !fob_inbox_reserve(&self->inbox, 1))
        keep = 0;
    fob_sequencer_lose(self, cast->count - keep);
    if (keep)
        push(self, cast, body, keep);
}

void fob_sequencer_up(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *welcome) {
    (void)self, (void)now, (void)welcome;
}

void fob_sequencer_beat(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *beat) {
    (void)self, (void)now, (void)beat;
}

void fob_sequencer_input(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *msg,
                         fob_blob_t *body) {
    (void)self, (void)now, (void)msg, (void)body;
}

void fob_sequencer_down(fob_sequencer_t *self) {
    (void)self;
}

void fob_sequencer_round(fob_sequencer_t *self, fob_now_t now, uint64_t elsewhere) {
    (void)self, (void)now, (void)elsewhere;
}

int64_t fob_sequencer_deadline(const fob_sequencer_t *self) {
    (void)self;
    return FOB_NEVER;
}

bool fob_sequencer_ask(fob_sequencer_t *self, fob_wire_t *out) {
    (void)self, (void)out;
    return false;
}

void fob_sequencer_unsent(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *msg) {
    (void)self, (void)now, (void)msg;
}

bool fob_sequencer_has_room(const fob_sequencer_t *self, uint64_t elsewhere) {
    (void)self, (void)elsewhere;
    return false;
}

uint64_t fob_sequencer_move(fob_sequencer_t *self, fob_batch_t *batch) {
    return fob_inbox_move(&self->inbox, batch);
}

void fob_sequencer_pause(fob_sequencer_t *self) {
    self->pauses++;
}

uint64_t fob_sequencer_queued(const fob_sequencer_t *self) {
    return self->inbox.events;
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

const char *fob_sequencer_trouble(const fob_sequencer_t *self) {
    (void)self;
    return "";
}

void fob_sequencer_figures(const fob_sequencer_t *self, fob_sequencer_figures_t *out) {
    *out = (fob_sequencer_figures_t){
        .lost = self->lost, .pauses = self->pauses, .malformed = self->malformed};
}

bool fob_sequencer_losses(const fob_sequencer_t *self, size_t *at, fob_gap_loss_t *out) {
    return fob_gaps_next(self->gaps, at, out);
}
