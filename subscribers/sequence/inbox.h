/* inbox: what a subscriber is to be told, in order: messages with events, and notices of what it
 * lacks. Bounded by who puts into it; one message may be many events.
 *
 * Its two ends may be on two threads: who puts and `fob_inbox_move` hold the shell's lock; a batch
 * of messages is then one reader's, who empties it without. Pure. */
#ifndef FOB_SEQUENCE_INBOX_H
#define FOB_SEQUENCE_INBOX_H

#include "proto/event.h"
#include "proto/topic.h"
#include "proto/wire.h"

#define FOB_BATCH_MESSAGES 64

/* Why a subscriber lacks something. */
typedef enum {
    FOB_NOTICE_NONE,      /* no notice: events */
    FOB_NOTICE_RETENTION, /* no longer kept */
    FOB_NOTICE_DAMAGED,   /* the journal is damaged there */
    FOB_NOTICE_EPOCH,     /* the bus numbers anew */
    FOB_NOTICE_LOST       /* mode notify: these were not handed out, and are not going to be */
} fob_notice_kind_t;

/* RETENTION, DAMAGED: of the offsets first..last nothing can be had any more that was not handed
 * out or told before (the bus does not know which of them were of the pattern).
 * LOST: exactly the events first..last, each of them of the pattern.
 * EPOCH: `epoch` is the new one; its own events begin at `first`. Events at first..last that were
 * handed out before are not these: the bus has lost them (last < first: there were none). */
typedef struct {
    fob_notice_kind_t kind;
    uint32_t shard;
    uint64_t epoch, first, last;
    char topic[FOB_TOPIC_MAX + 1]; /* "": not of one topic */
} fob_notice_t;

/* One message's events, those not handed out yet; or a notice. */
typedef struct {
    fob_blob_t *blob;  /* one hold; NULL: a notice of no one topic */
    fob_slice_t bytes; /* the events, or a notice's topic */
    uint64_t offset;   /* of the first; stays 0 for fire-and-forget; a notice's first */
    uint64_t count;    /* a notice's is 1 */
    int64_t time_ms;
    uint32_t shard;
    fob_notice_kind_t notice;
    uint64_t last;  /* of a notice */
    uint64_t epoch; /* of the offsets; of a notice that it begins, the new one */
} fob_queued_t;

/* Messages that a reader has taken over. All zeros is empty. */
typedef struct {
    fob_queued_t messages[FOB_BATCH_MESSAGES];
    size_t first, end;
    fob_notice_t notice; /* after fob_batch_next said GAP */
} fob_batch_t;

/* All zeros is empty. */
typedef struct {
    fob_queued_t *ring;
    size_t capacity, head, messages; /* capacity: a power of two, or 0 */
    uint64_t events, bytes;          /* a notice counts as one event */
} fob_inbox_t;

void fob_inbox_free(fob_inbox_t *self);
/* Room for so many more messages, so that as many puts cannot fail; false: no memory. */
bool fob_inbox_reserve(fob_inbox_t *self, size_t messages);
/* Puts a message, for which room is reserved; its hold on the blob passes to the inbox. */
void fob_inbox_put(fob_inbox_t *self, const fob_queued_t *message);
/* The newest message, if there is one that was not moved; NULL. */
fob_queued_t *fob_inbox_newest(fob_inbox_t *self);
/* Moves the oldest messages to an empty batch. Returns how many events and notices these are. */
uint64_t fob_inbox_move(fob_inbox_t *self, fob_batch_t *batch);

/* The batch's next event, in memory of the pool, to be destroyed by the caller. OK; GAP: no event
 * but a notice, in batch->notice until the next call; AGAIN: empty; BAD_EVENT: one was stepped over
 * that cannot be decoded; NO_MEMORY: try again. */
fob_status_t fob_batch_next(fob_batch_t *self, fob_pool_t *pool, fob_event_t **event) FOB_MUST_USE;
static inline bool fob_batch_empty(const fob_batch_t *self) {
    return self->first == self->end;
}
/* Whether a notice is next. */
static inline bool fob_batch_notice(const fob_batch_t *self) {
    return !fob_batch_empty(self) && self->messages[self->first].notice != FOB_NOTICE_NONE;
}
void fob_batch_clear(fob_batch_t *self);

#endif
