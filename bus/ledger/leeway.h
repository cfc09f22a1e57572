/* leeway: how much of the journal is left, and what that allows. The journal is asked now and then
 * only, and at each look while there is little; meanwhile what was taken is subtracted. Pure but
 * for the figure it asks of the journal. One thread. */
#ifndef FOB_LEDGER_LEEWAY_H
#define FOB_LEDGER_LEEWAY_H

#include "bus/journal/journal.h"

/* Begins as zeros. */
typedef struct {
    uint64_t left, taken; /* bytes when it was asked last; taken since */
    size_t promised;      /* of publishes, for the turn that is being built: set by the owner */
    bool tight;           /* less is left than is kept from publishes, or nearly: settles go without
                             their texts */
    bool sparing; /* less than is needed to settle all that has not come back, and half of what
                     has: see bus/core/work/sparing.h */
} fob_leeway_t;

/* Takes `bytes`, where that leaves `reserve`; false: it does not. */
bool fob_leeway_take(fob_leeway_t *self, fob_journal_t *journal, uint64_t bytes, uint64_t reserve);
/* So much was appended, and `reserve` is kept from publishes. Sets `tight`; without it there is no
 * `sparing`. */
void fob_leeway_look(fob_leeway_t *self, fob_journal_t *journal, uint64_t appended,
                     uint64_t reserve);
/* Right after a look by which it is tight: settling all that is unsettled may need `all`, of which
 * `once` is for what did not come back, or is out. Sets `sparing`. */
void fob_leeway_spare(fob_leeway_t *self, uint64_t all, uint64_t once);
/* Bytes, as far as is known. */
uint64_t fob_leeway_left(const fob_leeway_t *self);

#endif
