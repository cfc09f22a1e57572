/* replay: shows the owner what is there at the start, once recovery has found where it ends. */
#ifndef FOB_JOURNAL_REPLAY_H
#define FOB_JOURNAL_REPLAY_H

#include "bus/journal/checkpoint.h"
#include "bus/journal/store.h"

/* Shows the checkpoint at that position (0: there is none) and all commits above it, up to `last`.
 * OK, or DAMAGED, SYSTEM, MEMORY with *error, naming segment and byte. */
fob_journal_code_t fob_replay_above(fob_store_t *store, uint64_t checkpoint, uint64_t last,
                                    const fob_replay_t *to, fob_journal_error_t *error);

#endif
