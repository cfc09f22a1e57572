/* session, inside: what session.c, sending.c and answers.c share. */
#ifndef FOB_SESSION_INSIDE_H
#define FOB_SESSION_INSIDE_H

#include "publishers/batch.h"
#include "publishers/hold.h"
#include "publishers/session.h"

#include <assert.h>

#define FOB_SESSION_TROUBLE 512

typedef enum {
    FOB_STAGE_READY, /* to be sent: for the first time (wire 0), or again */
    FOB_STAGE_SENT,  /* on this connection, unanswered */
    FOB_STAGE_HELD,  /* refused for now */
    FOB_STAGE_DONE   /* nothing is to be done for it any more */
} fob_stage_t;

typedef struct {
    uint64_t wire; /* its number on the wire; 0: never sent in this session */
    int64_t deadline;
    void *tag;
    fob_batch_t *batch; /* its bytes; NULL once they are not needed */
    uint32_t at, size;
    uint8_t stage;
    bool is_void; /* the application has its receipt; only the number must be used up */
    bool doubt;   /* sent on an earlier connection, and not refused since: it may be stored */
    bool has_id;
} fob_slot_t;

struct fob_session {
    fob_session_options_t options;
    fob_slot_t *slots; /* by number & mask */
    uint64_t mask;
    uint64_t head, tail; /* numbers in the ring: head .. tail - 1 */
    uint64_t done;       /* every number below has its receipt */
    uint32_t open;       /* slots that are not DONE */
    uint32_t sent;       /* slots that are SENT */
    uint64_t *wires;     /* by wire number & wire_mask: the event's number */
    uint64_t wire_mask;
    uint64_t next_wire; /* the next one to give */
    uint64_t low;       /* the lowest without an answer */
    uint64_t resend;    /* look from this wire number on for what is to be sent again */
    uint64_t fresh;     /* look from this event on for what was never sent */
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

static inline fob_slot_t *fob_slot(const fob_session_t *self, uint64_t number) {
    return &self->slots[number & self->mask];
}

/* The slot that has this wire number and is not DONE, or NULL. */
fob_slot_t *fob_slot_by_wire(const fob_session_t *self, uint64_t wire, uint64_t *number);
fob_slice_t fob_slot_topic(const fob_slot_t *slot);
void fob_slot_stage(fob_session_t *self, fob_slot_t *slot, fob_stage_t stage);

/* Ends a slot for good, with a receipt where it had none. */
void fob_slot_finish(fob_session_t *self, uint64_t number, fob_status_t status, fob_slice_t text,
                     uint64_t offset, uint32_t groups);

/* With stop_on_failure, once an event was not stored: closes. For the end of a step. */
void fob_session_stop_if_failing(fob_session_t *self);

/* Everything that was sent or held is to be sent again: `doubt` marks what has no answer. */
void fob_session_rewind(fob_session_t *self, bool doubt);

/* The bus has forgotten the session: what may be stored and has no id ends as UNKNOWN_OUTCOME, all
 * else is sent anew. */
void fob_session_renew(fob_session_t *self);

#endif
