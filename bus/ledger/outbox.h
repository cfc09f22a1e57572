/* outbox: what the bus has decided but may not yet say. Pure; no socket, no journal.
 *
 * It holds the core's turns: an effect comes out once the position it rests on is durable, and a
 * turn once all its effects came out and its own commit is durable (the journal reads its bytes
 * until then). Effects come out as soon as they may, so a receipt that waits for its sync holds
 * back no delivery to another; but for one connection the order holds within each of three lanes:
 * receipts; joins, deliveries and losses; settlements. */
#ifndef FOB_LEDGER_OUTBOX_H
#define FOB_LEDGER_OUTBOX_H

#include "bus/core/core.h"

typedef struct fob_outbox fob_outbox_t;

/* `durable` is the journal's position at the start, `head` its highest offset. NULL: no memory. */
fob_outbox_t *fob_outbox_new(uint64_t durable, uint64_t head);

/* Frees it; the owner has emptied it by fob_outbox_drain before. Null-safe. */
void fob_outbox_destroy(fob_outbox_t **self_p);

/* Takes a turn whose records were appended; it comes back by fob_outbox_done. False: no memory, and
 * the caller still owns it. */
bool fob_outbox_put(fob_outbox_t *self, fob_turn_t *turn) FOB_MUST_USE;

/* All up to `position` is durable now. Never goes back. */
void fob_outbox_durable(fob_outbox_t *self, uint64_t position);

/* The next effect that may be performed; good until the next call of this or fob_outbox_done. NULL:
 * none now. */
const fob_effect_t *fob_outbox_next(fob_outbox_t *self);

/* The next turn that nobody needs any more, for the caller to release. NULL: none now. */
fob_turn_t *fob_outbox_done(fob_outbox_t *self);

/* Gives back the turns one by one whatever they still wait for (at the end). NULL: none left. */
fob_turn_t *fob_outbox_drain(fob_outbox_t *self);

/* The highest durable offset. */
uint64_t fob_outbox_head(const fob_outbox_t *self);
/* Bytes of records that are not durable yet. */
size_t fob_outbox_bytes(const fob_outbox_t *self);
/* The highest position put in; what is durable of them. */
uint64_t fob_outbox_last(const fob_outbox_t *self);

#endif
