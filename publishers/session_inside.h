/* session, inside: what the files of the session share: session.c (offers, connections), sending.c
 * (which events go into the next message), answers.c (what the bus says), waiting.c (what it
 * refused for now), ending.c (receipts, deadlines). */
#ifndef FOB_SESSION_INSIDE_H
#define FOB_SESSION_INSIDE_H

#include "publishers/batch.h"
#include "publishers/hold.h"
#include "publishers/session.h"
#include "publishers/slots.h"

#include <assert.h>

#define FOB_SESSION_TROUBLE 512

/* What a wire number stands for: 0: it has its answer; 1 + the index of its event's slot; or one
 * of these: its event is not to be stored under it any more, the number must be used up. */
#define FOB_WIRE_VOID      UINT32_MAX       /* to be sent */
#define FOB_WIRE_VOID_SENT (UINT32_MAX - 1) /* on this connection, unanswered */

struct fob_session {
    fob_session_options_t options;
    fob_slots_t slots; /* the events that something is to be done for */
    fob_slot_t *fresh; /* look from this one on for what was never sent; NULL: none behind */
    uint64_t next;     /* the number of the next event */
    uint32_t sent;     /* events that are SENT */
    uint32_t parked;   /* events that wait, or waited, under a topic's hold */

    uint32_t *wires;    /* by wire number & (FOB_WINDOW_MAX - 1) */
    uint64_t next_wire; /* the next one to give */
    uint64_t low;       /* the lowest without an answer */
    uint64_t resend;    /* look from this wire number on for what is to be sent again */
    uint64_t stored;    /* the highest wire number that the bus said was stored */

    fob_batches_t batches;
    fob_batch_t *filling; /* the batch that events are added to, or NULL */
    fob_holds_t holds;

    bool up, contacted, closed;
    bool failing; /* with stop_on_failure: an event was not stored, nothing more is sent */
    bool renew, renew_told; /* a new secret is wanted; the shell knows */
    unsigned gaps;          /* GAP answers since something was stored */
    uint64_t wire_window;   /* as WELCOME said; the same for the next two */
    uint64_t max_event, max_batch;
    fob_level_t level;
    fob_status_t trouble;
    char trouble_text[FOB_SESSION_TROUBLE];
    char doubt_text[FOB_RECEIPT_TEXT + 1]; /* of the receipt that is being given */
    int64_t next_deadline;                 /* no event's deadline is earlier */
    int64_t retry_at; /* FOB_NEVER, or when to try what failed for want of memory */
    fob_buf_t header;
};

/* What became of an event, as its receipt says it. */
typedef struct {
    fob_status_t status;
    fob_slice_t text;
    uint64_t offset;
    uint32_t groups;
    bool duplicate, differs;
} fob_fate_t;

static inline uint32_t *fob_wire_at(const fob_session_t *self, uint64_t wire) {
    return &self->wires[wire & (FOB_WINDOW_MAX - 1)];
}

/* The event that a wire number stands for; NULL: none. */
static inline fob_slot_t *fob_slot_by_wire(const fob_session_t *self, uint64_t wire) {
    uint32_t place = wire >= self->low && wire < self->next_wire ? *fob_wire_at(self, wire) : 0;
    return place && place < FOB_WIRE_VOID_SENT ? &self->slots.all[place - 1] : NULL;
}

/* --- session.c --- */

fob_slice_t fob_slot_topic(const fob_slot_t *slot);
fob_slice_t fob_slot_bytes(const fob_slot_t *slot);
void fob_slot_stage(fob_session_t *self, fob_slot_t *slot, fob_stage_t stage);
/* Takes an event out; its wire number, if it has one, stands for `place` from now on. */
void fob_slot_free(fob_session_t *self, fob_slot_t *slot, uint32_t place);
/* A void has its answer, or `low` may grow for another reason. */
void fob_session_low(fob_session_t *self);
/* Everything that was sent or held is to be sent again: `doubt` marks what has no answer. */
void fob_session_rewind(fob_session_t *self, bool doubt);
/* The bus has forgotten the session: what may be stored and has no id ends as UNKNOWN_OUTCOME, all
 * else is sent anew. */
void fob_session_renew(fob_session_t *self);

/* --- ending.c --- */

/* Ends an event for good, with a receipt where it had none. */
void fob_slot_finish(fob_session_t *self, fob_slot_t *slot, const fob_fate_t *fate);
/* The application gives the event up: it gets its receipt, and a number that was used stays used.
 */
void fob_slot_take_out(fob_session_t *self, fob_slot_t *slot, const fob_fate_t *fate);
/* Takes out what is past its deadline (`all`: everything), and finds the next deadline. */
void fob_session_expire(fob_session_t *self, fob_now_t now, bool all);
/* With stop_on_failure, once an event was not stored: closes. For the end of a step. */
void fob_session_stop_if_failing(fob_session_t *self);

/* --- waiting.c --- */

/* Whether the window has room for an event of this topic. */
bool fob_session_room(fob_session_t *self, fob_slice_t topic);
/* An event offered while its topic waits. */
void fob_session_park(fob_session_t *self, fob_slot_t *slot, fob_slice_t topic);
/* BUSY was answered to an event that is SENT: its topic waits. */
void fob_session_hold(fob_session_t *self, fob_now_t now, fob_slot_t *slot, fob_slice_t text,
                      int64_t retry_ns);
/* Offers again what was refused and whose time has come. */
void fob_session_open_due(fob_session_t *self, fob_now_t now);

#endif
