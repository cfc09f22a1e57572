/* sequencer: a broadcast subscriber's state machine: checks what arrives against the pattern,
 * counts what is missing, holds a bounded queue, hands events out in order. Pure: the simulator
 * runs this very one.
 *
 * Its two ends may be on two threads: `take` fills the queue under the shell's lock, `move` gives a
 * batch of messages (under that lock too) to a fob_batch_t, which one reader at a time empties
 * without it. */
#ifndef FOB_SEQUENCER_H
#define FOB_SEQUENCER_H

#include "proto/event.h"
#include "proto/wire.h"

/* Bytes of messages held; what comes beyond is lost, and counted. */
#define FOB_SEQUENCER_BYTES ((uint64_t)256 << 20)
#define FOB_BATCH_MESSAGES  64

/* One message's events: those not handed out yet. */
typedef struct {
    fob_blob_t *blob; /* one hold */
    fob_slice_t bytes;
    uint64_t offset; /* of the first; stays 0 for fire-and-forget */
    uint64_t count;
    int64_t time_ms;
    uint32_t shard;
} fob_queued_t;

/* Messages that a reader has taken over. All zeros is empty. */
typedef struct {
    fob_queued_t messages[FOB_BATCH_MESSAGES];
    size_t first, end;
} fob_batch_t;

typedef struct fob_sequencer fob_sequencer_t;

/* `queue`: events held at the most, at least 1. NULL: no memory. */
fob_sequencer_t *fob_sequencer_new(fob_slice_t pattern, uint64_t queue);
void fob_sequencer_destroy(fob_sequencer_t **self_p);

/* A broadcast message came. Takes its own hold on the body. One whose body is not what its head
 * says is malformed: dropped whole, and not lost. So is the head of one whose number cannot be, but
 * its events are good. `elsewhere`: events that readers have
 * taken over and not handed out: they count as held. */
void fob_sequencer_take(fob_sequencer_t *self, const fob_cast_t *cast, fob_blob_t *body,
                        uint64_t elsewhere);
/* One came whose body could not be kept, as there is no memory: its events are lost. */
void fob_sequencer_miss(fob_sequencer_t *self, const fob_cast_t *cast);
/* Moves the oldest messages to an empty batch. Returns how many events these are; 0: none there. */
uint64_t fob_sequencer_move(fob_sequencer_t *self, fob_batch_t *batch);
/* The connection was away: an unknown number may have passed. */
void fob_sequencer_pause(fob_sequencer_t *self);

uint64_t fob_sequencer_queued(const fob_sequencer_t *self); /* events */
uint64_t fob_sequencer_lost(const fob_sequencer_t *self);
uint64_t fob_sequencer_pauses(const fob_sequencer_t *self);
/* An event that was handed over turned out to be damaged. */
void fob_sequencer_lose(fob_sequencer_t *self, uint64_t count);
/* A message came that no head could be read of. */
void fob_sequencer_spoilt(fob_sequencer_t *self);
uint64_t fob_sequencer_malformed(const fob_sequencer_t *self); /* messages */

/* The batch's next event, to be destroyed by the caller. OK; AGAIN: empty; BAD_EVENT: one was
 * stepped over that cannot be decoded; NO_MEMORY: try again. */
fob_status_t fob_batch_next(fob_batch_t *self, fob_event_t **event) FOB_MUST_USE;
static inline bool fob_batch_empty(const fob_batch_t *self) {
    return self->first == self->end;
}
void fob_batch_clear(fob_batch_t *self);

#endif
