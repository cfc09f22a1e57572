/* fire: fire-and-forget events until they are handed to the socket: queued, batched by topic,
 * numbered per topic so that subscribers can count what is lost. Pure. */
#ifndef FOB_FIRE_H
#define FOB_FIRE_H

#include "proto/blob.h"
#include "proto/envelope.h"
#include "proto/now.h"
#include "publishers/receipts.h"

typedef struct fob_fire fob_fire_t;

/* `window`: events queued at the most. `source`: a random number. NULL: no memory. */
fob_fire_t *fob_fire_new(uint32_t window, uint64_t source, fob_receipts_t *receipts);
void fob_fire_destroy(fob_fire_t **self_p);

/* Takes an event (copied). FOB_OK; AGAIN: the queue is full; as fob_session_offer. */
fob_status_t fob_fire_offer(fob_fire_t *self, const fob_envelope_t *event, int64_t deadline,
                            void *tag) FOB_MUST_USE;

/* The message to send next: *head is borrowed until the next call, *body gets a reference of the
 * caller's. The same until fob_fire_sent. False: none, or no memory for it now. */
bool fob_fire_next(fob_fire_t *self, fob_now_t now, fob_slice_t *head, fob_blob_t **body);
/* The message was handed to the socket: its events get their receipts, level none. */
void fob_fire_sent(fob_fire_t *self);

/* Events past their deadline end with this status. */
void fob_fire_expire(fob_fire_t *self, fob_now_t now, fob_status_t status, fob_slice_t text);
/* All end with this status. */
void fob_fire_fail(fob_fire_t *self, fob_status_t status, fob_slice_t text);

bool fob_fire_empty(const fob_fire_t *self);
int64_t fob_fire_deadline(const fob_fire_t *self); /* mono_ns; FOB_NEVER */
/* For a flush: a mark after all that is queued, and whether all before a mark is done. */
uint64_t fob_fire_mark(const fob_fire_t *self);
bool fob_fire_done_below(const fob_fire_t *self, uint64_t mark);

#endif
