/* snapshot: a checkpoint of the core into the journal, a slice between two turns. It may hold what
 * is decided and not durable yet, so it is finished once that is. Broker thread. */
#ifndef FOB_SNAPSHOT_H
#define FOB_SNAPSHOT_H

#include "bus/core/core.h"
#include "bus/journal/journal.h"

typedef enum { FOB_SNAPSHOT_NONE, FOB_SNAPSHOT_SLICES, FOB_SNAPSHOT_WAITS } fob_snapshot_state_t;

/* Begins as zeros. */
typedef struct {
    fob_snapshot_state_t state;
    uint64_t needs;     /* the position that its last slice rests on */
    int64_t not_before; /* mono_ns: one that failed is tried again then */
    fob_buf_t slice;
} fob_snapshot_t;

/* Takes a step, if one is due: begins one, writes a slice, or finishes. `last`: the position of the
 * last turn; no turn is open. */
void fob_snapshot_step(fob_snapshot_t *self, fob_journal_t *journal, fob_core_t *core,
                       uint64_t last, fob_now_t now);
/* All of one at once, where all up to `last` is durable. False: it failed, or no memory. */
bool fob_snapshot_whole(fob_snapshot_t *self, fob_journal_t *journal, fob_core_t *core,
                        uint64_t last);
/* More slices are to be written: do not sleep. */
bool fob_snapshot_busy(const fob_snapshot_t *self);
void fob_snapshot_free(fob_snapshot_t *self);

#endif
