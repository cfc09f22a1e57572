/* checkpointer: takes a checkpoint of the core into the journal, a slice between two turns. It may
 * hold what is decided and not durable yet, so it is finished once that is. Broker thread. */
#ifndef FOB_LEDGER_CHECKPOINTER_H
#define FOB_LEDGER_CHECKPOINTER_H

#include "bus/core/core.h"
#include "bus/journal/journal.h"

typedef enum {
    FOB_CHECKPOINTER_NONE,
    FOB_CHECKPOINTER_SLICES,
    FOB_CHECKPOINTER_WAITS
} fob_checkpointer_state_t;

/* Begins as zeros. */
typedef struct {
    fob_checkpointer_state_t state;
    uint64_t needs;     /* the position that its last slice rests on */
    int64_t not_before; /* mono_ns: one that failed is tried again then */
    fob_buf_t slice;
} fob_checkpointer_t;

/* Takes a step, if one is due: begins one, writes a slice, or finishes. `last`: the position of the
 * last turn; no turn is open. */
void fob_checkpointer_step(fob_checkpointer_t *self, fob_journal_t *journal, fob_core_t *core,
                           uint64_t last, fob_now_t now);
/* All of one at once, where all up to `last` is durable. False: it failed, or no memory. */
bool fob_checkpointer_whole(fob_checkpointer_t *self, fob_journal_t *journal, fob_core_t *core,
                            uint64_t last);
/* More slices are to be written: do not sleep. */
bool fob_checkpointer_busy(const fob_checkpointer_t *self);
void fob_checkpointer_free(fob_checkpointer_t *self);

#endif
