/* publisher, inside: what the files of the shell share: publisher.c (the conduit's side, life),
 * offering.c (events in), dispatching.c (receipts out). All of it with the conduit's lock held. */
#ifndef FOB_PUBLISHER_INSIDE_H
#define FOB_PUBLISHER_INSIDE_H

#include <fob/fob_publisher.h>

#include "proto/link/conduit.h"
#include "proto/topic.h"
#include "publishers/fire.h"
#include "publishers/outlet.h"
#include "publishers/session.h"

#include <time.h>

struct fob_publisher {
    fob_conduit_t *conduit;
    fob_session_t *session;
    fob_fire_t *fire;
    fob_receipts_t receipts;
    fob_outlet_t outlet;
    char outlet_endpoint[300]; /* empty: not up */
    int64_t fire_retry;        /* FOB_NEVER, or when to try a full outlet again */
    fob_receipt_fn *on_receipt;
    void *on_receipt_arg;
    int64_t deadline_ns; /* FOB_NEVER: none */
    int64_t connect_at;
    int64_t announced;            /* when the conduit's thread wakes by itself */
    uint64_t owed;                /* receipts owed at the end of the round before */
    size_t backlog;               /* receipts that may wait for dispatch */
    bool dispatching;             /* on_receipt runs on some thread: on one at a time */
    fob_buf_t headers;            /* encoded, of the event being sent */
    uint8_t topic[FOB_TOPIC_MAX]; /* of the event taken last: it is known to be valid */
    size_t topic_size;
    bool took_stored, took_fired; /* since the conduit's thread was woken last, if need be */
    char trouble[512];
    fob_status_t trouble_status;
};

/* When the conduit's thread has something to do (mono_ns). */
int64_t fob_publisher_due(const fob_publisher_t *self);
/* Why an event that waited in vain did so: DEADLINE where the bus is there; *text is good until the
 * lock is given up. */
fob_status_t fob_publisher_why(const fob_publisher_t *self, fob_slice_t *text);

/* Too many receipts wait for somebody to dispatch them. */
bool fob_publisher_pile(const fob_publisher_t *self);
/* Another thread runs on_receipt: it tells when it is done. */
bool fob_publisher_elsewhere(const fob_publisher_t *self);
/* Hands out what receipts wait now, unless another thread does; gives the lock up meanwhile.
 * Returns how many. */
size_t fob_publisher_drain(fob_publisher_t *self);

/* --- time --- */

static inline int64_t fob_publisher_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * FOB_SEC + now.tv_nsec;
}

/* A time from now on in ns, `usual` where it is 0; FOB_NEVER: without end. */
static inline int64_t fob_publisher_span(int64_t ms, int64_t usual) {
    if (ms < 0 || ms > FOB_NEVER / FOB_MS)
        return FOB_NEVER;
    return (ms ? ms : usual) * FOB_MS;
}

static inline int64_t fob_publisher_after(int64_t now, int64_t wait) {
    return wait >= FOB_NEVER - now ? FOB_NEVER : now + wait;
}

static inline int64_t fob_publisher_until(int64_t timeout_ms) {
    return fob_publisher_after(fob_publisher_now(), fob_publisher_span(timeout_ms, 0));
}

#endif
