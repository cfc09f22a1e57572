/* leases: a worker's state machine: joins and joins again with what it holds, allows deliveries,
 * hands leases out, gathers settles into ranges and sends them until they are answered. Told the
 * time and what comes; says what to send. No socket, clock or thread of its own: the simulator runs
 * this very one. One thread at a time.
 *
 * A worker begins a handler only while its hold is good: the bus has answered what was sent within
 * the last two heartbeats, and a round was run within one, so that its right ends a beat before the
 * bus gives the event to another. Where the process stood still for longer nobody here can know
 * what is still ours: it asks for a fresh connection, claims what it holds there, and hands out
 * again only once the bus has answered. With a bus that does not answer beats, what was heard of it
 * counts instead. */
#ifndef FOB_LEASES_H
#define FOB_LEASES_H

#include "proto/blob.h"
#include "proto/event.h"
#include "proto/now.h"
#include "proto/wire.h"
#include "subscribers/lease/settles.h"
#include <fob/fob_worker.h>

typedef struct {
    fob_slice_t group;
    fob_slice_t pattern; /* empty: the group must exist */
    uint32_t jobs;       /* out at once; at least 1 */
    uint32_t prefetch;   /* held at once; at least jobs, FOB_PREFETCH_MAX at the most */
    uint64_t count;      /* hand out so many in all; 0: no end */
    bool temporary;
    fob_slice_t worker; /* its name, for people; may be empty */
    uint64_t lease_ms;  /* its handlers may take so long; 0: as the group says */
    /* A group that this makes begins there, by the offset or by Unix ms; both 0: with what is
     * stored from then on. */
    uint64_t from_offset, from_ms;
    int64_t give_up_mono; /* without a first contact until then: UNREACHABLE; FOB_NEVER */
} fob_leases_options_t;

typedef struct fob_leases fob_leases_t;

fob_leases_t *fob_leases_new(const fob_leases_options_t *options); /* copies all; NULL: no memory */
/* Events that are out are destroyed too. */
void fob_leases_destroy(fob_leases_t **self_p);

/* --- what comes from the connection --- */

void fob_leases_up(fob_leases_t *self, fob_now_t now, const fob_wire_t *welcome);
void fob_leases_down(fob_leases_t *self, fob_now_t now, fob_status_t why, const char *text);
/* JOINED, DELIVER (with its body), SETTLED, LOST, REPLY, ERROR; others are ignored. Takes its
 * own holds. */
void fob_leases_input(fob_leases_t *self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body);
/* A round was run; `heard` is what fob_link_heard says, and all that had come before is told. */
void fob_leases_round(fob_leases_t *self, fob_now_t now, int64_t heard);

/* The next header to send, borrowed until the next call. False: nothing now. */
bool fob_leases_output(fob_leases_t *self, fob_now_t now, fob_slice_t *header);
/* When (mono_ns) round and output are wanted: INT64_MIN: now. */
int64_t fob_leases_deadline(const fob_leases_t *self);
/* A sentence where the connection must be dropped for a fresh one (no memory for what it brought,
 * or the process stood still), told once; NULL: no. */
const char *fob_leases_restart(fob_leases_t *self);

/* --- what the application does --- */

/* The next event to handle: OK; AGAIN; CLOSED: `count` is reached and all of it settled, or
 * drained; NO_MEMORY: try again; else why it cannot go on (see fob_worker_next). */
fob_status_t fob_leases_next(fob_leases_t *self, fob_now_t now, fob_event_t **event) FOB_MUST_USE;
/* Whether next would say other than AGAIN. */
bool fob_leases_ready(const fob_leases_t *self, fob_now_t now);
/* Ends what next gave. The event itself stays the caller's, to destroy. OK: it will be sent; STALE:
 * the lease was lost (the bus is told that its handler has ended), or is none of this worker's;
 * INVALID: no such kind, taken as a retry; NO_MEMORY: forgotten, and so the event comes again. */
fob_status_t fob_leases_settle(fob_leases_t *self, fob_now_t now, const fob_event_t *event,
                               const fob_settle_how_t *how);
/* Whether the bus is not known to have taken the lease away. */
bool fob_leases_holds(const fob_leases_t *self, const fob_event_t *event);
/* Why it took leases away last, "" if it never did. Told once whether it took one away that is out:
 * then somebody should look. */
const char *fob_leases_lost_text(const fob_leases_t *self);
bool fob_leases_lost_news(fob_leases_t *self);
/* As holds, and it cannot have given the event to another: the hold is good on this connection, on
 * which it knows of the lease. Without one nothing is sure, as no LOST can come. */
bool fob_leases_sure(const fob_leases_t *self, fob_now_t now, const fob_event_t *event);
/* Takes no more; releases what is not begun. */
void fob_leases_drain(fob_leases_t *self, fob_now_t now);
bool fob_leases_draining(const fob_leases_t *self);
/* Sends settles without waiting for company, until none waits. */
void fob_leases_hurry(fob_leases_t *self);
/* Whether every settle was answered. */
bool fob_leases_flushed(const fob_leases_t *self);

/* --- figures --- */

/* OK: nothing ended it; else the status that next keeps giving, CLOSED apart. */
fob_status_t fob_leases_fate(const fob_leases_t *self, fob_now_t now);
bool fob_leases_joined_once(const fob_leases_t *self, bool *created);
uint64_t fob_leases_refused(const fob_leases_t *self);
uint64_t fob_leases_bound(const fob_leases_t *self);   /* ms that a handler may take; 0: no bound */
uint64_t fob_leases_waiting(const fob_leases_t *self); /* delivered and not begun */
const char *fob_leases_trouble(const fob_leases_t *self); /* the last one's sentence, or "" */

#endif
