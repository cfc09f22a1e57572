/* settles: what the application settled and the bus has not confirmed yet, as ranges. The ring
 * holds first the rows under way (in numbered SETTLEs), then those not sent; a lost connection
 * makes all of them unsent again. Pure; one thread at a time. */
#ifndef FOB_LEASE_SETTLES_H
#define FOB_LEASE_SETTLES_H

#include "proto/buf.h"
#include "proto/wire.h"
#include "subscribers/lease/reason.h"

#define FOB_SETTLES_ROWS  2000  /* rows of one SETTLE */
#define FOB_SETTLES_BYTES 60000 /* and bytes, so that its header stays within its limit */

/* How an event was settled. */
typedef struct {
    fob_settle_kind_t kind;
    uint64_t after;     /* of a retry: ms until it comes again; 0: the group's back-off */
    fob_slice_t reason; /* of what is not acked; may be empty */
    bool ended;         /* its lease was lost on this connection: this only tells the bus that its
                           handler has ended, and is refused */
} fob_settle_how_t;

typedef struct {
    uint64_t offset, token, count; /* count 0: dropped */
    uint64_t after;
    fob_words_t *reason; /* or NULL */
    uint8_t kind;        /* fob_settle_kind_t */
    /* Was under way on an earlier connection: it may have taken effect. */
    bool again;
    bool ended; /* see fob_settle_how_t; of one event */
} fob_settle_row_t;

typedef struct {
    uint64_t rows, events;
    uint64_t ended; /* of the events: only told to have ended */
    bool answered;
} fob_settle_batch_t;

/* All zeros is empty. */
typedef struct {
    fob_settle_row_t *ring;
    size_t capacity, head, rows; /* capacity: a power of two, or 0 */
    size_t sent;                 /* the first so many rows are under way */
    uint64_t unsent_events;
    uint64_t sent_events;        /* under way, without an answer */
    fob_settle_batch_t *batches; /* under way, a ring too */
    size_t batch_capacity, batch_head, batch_count;
    uint64_t seq; /* of the last SETTLE on this connection */
} fob_settles_t;

/* Adds a range, joined to a neighbour that was settled alike where there is one (not what has only
 * ended: as each is refused, a row of its own makes sure that the answer has room). False: no
 * memory, nothing changed. Where only the reason has no room it is left away. */
bool fob_settles_add(fob_settles_t *self, const fob_settle_how_t *how, uint64_t offset,
                     uint64_t token, uint64_t count) FOB_MUST_USE;
/* Numbers the next SETTLE and packs its runs: what is unsent, in order, as much of it as has one
 * reason (acks have none and go with any) and fits into a header. It may be empty. *reason gets the
 * words, good until the settle is answered. Returns its seq; 0: no memory, nothing changed but
 * `runs`. */
uint64_t fob_settles_send(fob_settles_t *self, fob_buf_t *runs, fob_slice_t *reason);
/* SETTLED came for `seq`. Returns how many events it refused, less those that only had ended. */
uint64_t fob_settles_answer(fob_settles_t *self, uint64_t seq, fob_slice_t refused);
/* The connection is gone: everything is unsent again, numbers start at 1. What had only ended is
 * forgotten: on a new connection all jobs are free. */
void fob_settles_requeue(fob_settles_t *self);
/* The bus refused, with `code`, to let these leases be claimed: settles of them (all unsent now)
 * need no answer any more and are taken out. Returns how many of them count as refused: not those
 * that were under way before and may be the very reason. What cannot be taken out for want of
 * memory stays, and is refused when it is sent. */
uint64_t fob_settles_drop(fob_settles_t *self, fob_status_t code, uint64_t offset, uint64_t count,
                          uint64_t token);
/* The index-th row (it may be empty); NULL: no more. */
const fob_settle_row_t *fob_settles_at(const fob_settles_t *self, size_t index);
/* True where nothing is without an answer. */
bool fob_settles_idle(const fob_settles_t *self);
/* Forgets all; returns how many events were without an answer. */
uint64_t fob_settles_clear(fob_settles_t *self);
void fob_settles_free(fob_settles_t *self);

static inline size_t fob_settles_unsent(const fob_settles_t *self) {
    return self->rows - self->sent;
}

#endif
