/* fire: fire-and-forget events until they are handed to the socket: queued, batched by topic,
 * numbered per topic so that subscribers can count what is lost. Pure.
 *
 * A lone event goes at once. In a flood, what comes waits for its batch to be full, but no longer
 * than FOB_FIRE_GATHER: what a message costs the bus and each subscriber is the same for one event
 * and for 256 KiB of them. A flood begins when FOB_FIRE_FLOOD_BYTES or FOB_FIRE_FLOOD_EVENTS came
 * within FOB_FIRE_GATHER, and is over when FOB_FIRE_CALM times in a row that was not so: not at
 * once, as who floods may have to wait for a processor now and then. */
#ifndef FOB_FIRE_H
#define FOB_FIRE_H

#include "proto/blob.h"
#include "proto/envelope.h"
#include "proto/now.h"
#include "publishers/receipts.h"

#define FOB_FIRE_GATHER       FOB_MS
#define FOB_FIRE_FLOOD_BYTES  65536
#define FOB_FIRE_FLOOD_EVENTS 512
#define FOB_FIRE_CALM         16

typedef struct fob_fire fob_fire_t;

/* `window`: events queued at the most. `source`: a random number. NULL: no memory. */
fob_fire_t *fob_fire_new(uint32_t window, uint64_t source, fob_receipts_t *receipts);
void fob_fire_destroy(fob_fire_t **self_p);

/* Takes an event (copied). FOB_OK; AGAIN: the queue is full; as fob_session_offer. */
fob_status_t fob_fire_offer(fob_fire_t *self, int64_t mono_ns, const fob_envelope_t *event,
                            int64_t deadline, void *tag) FOB_MUST_USE;

/* Whether there is something to send now: fob_fire_next would give it. */
bool fob_fire_eager(const fob_fire_t *self);
/* What is queued waits for no more events: somebody waits for it. */
void fob_fire_hurry(fob_fire_t *self);

/* The message to send next: *head is borrowed until the next call, *body gets a reference of the
 * caller's. Given again until fob_fire_sent. False: none that is to go now, so much is with libzmq
 * already that it had better wait here (32 large batches: 8 MiB, or more where single events are
 * larger than 256 KiB), or no memory for it. */
bool fob_fire_next(fob_fire_t *self, fob_now_t now, fob_slice_t *head, fob_blob_t **body);
/* The message was handed to the socket: its events get their receipts, level none. */
void fob_fire_sent(fob_fire_t *self);

/* The socket was closed: what it has still is in nobody's way. */
void fob_fire_socket_gone(fob_fire_t *self);

/* Time passed. Events past their deadline end with this status. */
void fob_fire_expire(fob_fire_t *self, fob_now_t now, fob_status_t status, fob_slice_t text);
/* All end with this status. */
void fob_fire_fail(fob_fire_t *self, fob_status_t status, fob_slice_t text);

bool fob_fire_empty(const fob_fire_t *self);
/* When to try fob_fire_next again, and to expire (mono_ns); FOB_NEVER. */
int64_t fob_fire_deadline(const fob_fire_t *self);
/* For a flush: a mark after all that is queued, and whether all before a mark is done. */
uint64_t fob_fire_mark(const fob_fire_t *self);
bool fob_fire_done_below(const fob_fire_t *self, uint64_t mark);

#endif
