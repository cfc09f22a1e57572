/* session: the publisher's state machine, pure: events are offered, PUBLISH messages come out,
 * answers go in, receipts come out. No socket, thread or clock.
 *
 * An event has two numbers: its own (for the application, in the order offered) and its number on
 * the wire, given when it is sent first. A wire number once sent keeps its event for ever; where
 * the event is taken out later (its deadline passed), the number is used up by a void event, which
 * every bus refuses for good: never by another event. */
#ifndef FOB_SESSION_H
#define FOB_SESSION_H

#include "proto/blob.h"
#include "proto/envelope.h"
#include "proto/now.h"
#include "proto/wire.h"
#include "publishers/receipts.h"

typedef struct fob_session fob_session_t;

typedef struct {
    /* Events without receipt at the most; 1 to FOB_WINDOW_MAX. What waits as its topic was refused
     * for now counts apart: there are places for three windows of it in all, and one topic that
     * waits takes no more once it has half a window. */
    uint32_t window;
    uint64_t seed;            /* of the jitter: any number, another one for each publisher */
    int64_t connect_at;       /* mono_ns: without contact until then, events fail; FOB_NEVER */
    fob_receipts_t *receipts; /* where receipts go; outlives the session */
    bool stop_on_failure;     /* the first event that is not stored closes the session */
} fob_session_options_t;

fob_session_t *fob_session_new(const fob_session_options_t *options); /* NULL: no memory */
void fob_session_destroy(fob_session_t **self_p);

/* Takes an event (copied) with its deadline (mono_ns) and gives its number. FOB_OK; AGAIN: the
 * window is full, for this topic at least; BAD_TOPIC, INVALID, TOO_LARGE, NO_MEMORY, CLOSED: not
 * taken. */
fob_status_t fob_session_offer(fob_session_t *self, const fob_envelope_t *event, int64_t deadline,
                               void *tag, uint64_t *number) FOB_MUST_USE;

/* Whether an event offered now can be sent at once: the shell wakes its thread for it. */
bool fob_session_eager(const fob_session_t *self);
/* Whether so few are under way that a message for a single event is no waste. */
bool fob_session_light(const fob_session_t *self);

/* From the link. */
void fob_session_up(fob_session_t *self, fob_now_t now, const fob_wire_t *welcome);
void fob_session_down(fob_session_t *self, fob_now_t now, fob_status_t why, const char *text);
void fob_session_input(fob_session_t *self, fob_now_t now, const fob_wire_t *msg);
bool fob_session_output(fob_session_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body);
void fob_session_tick(fob_session_t *self, fob_now_t now);
int64_t fob_session_deadline(const fob_session_t *self);

/* True once after the bus turned out to have forgotten the session: the shell makes a new secret
 * and a new connection. Until the next `up` nothing is sent. */
bool fob_session_renewal(fob_session_t *self);

/* Whether every event with a number below has its receipt. */
bool fob_session_done_below(const fob_session_t *self, uint64_t number);
/* The number that the next event gets. */
uint64_t fob_session_next(const fob_session_t *self);
/* Whether there is an event without a deadline that has no receipt. */
bool fob_session_endless(const fob_session_t *self);
/* Bytes of an event's data at the most; known once contacted. */
uint64_t fob_session_max_event(const fob_session_t *self);
bool fob_session_contacted(const fob_session_t *self);

/* Every event without a receipt gets one: UNKNOWN_OUTCOME where it was sent, else CLOSED. None is
 * taken any more. */
void fob_session_close(fob_session_t *self);

#endif
