#include "bus/ledger/leeway.h"

#define SAMPLE (1u << 20)  /* bytes taken until the journal is asked again */
#define NEARLY (16u << 10) /* bytes above what is kept: there it begins to be tight */

uint64_t fob_leeway_left(const fob_leeway_t *self) {
    return self->left > self->taken ? self->left - self->taken : 0;
}

/* Asks the journal where that may matter. */
static void ask(fob_leeway_t *self, fob_journal_t *journal, uint64_t needed) {
    if (needed <= fob_leeway_left(self) && self->taken <= SAMPLE)
        return;
    fob_journal_stats_t stats;
    journal->ops->stats(journal, &stats);
    self->left = stats.free_bytes > self->promised ? stats.free_bytes - self->promised : 0;
    self->taken = 0;
}

bool fob_leeway_take(fob_leeway_t *self, fob_journal_t *journal, uint64_t bytes, uint64_t reserve) {
    ask(self, journal, reserve + bytes);
    if (reserve + bytes > fob_leeway_left(self))
        return false;
    self->taken += bytes;
    return true;
}

void fob_leeway_look(fob_leeway_t *self, fob_journal_t *journal, uint64_t appended,
                     uint64_t reserve) {
    self->taken += appended;
    ask(self, journal, reserve + NEARLY);
    self->tight = fob_leeway_left(self) < reserve + NEARLY;
    self->sparing = self->sparing && self->tight;
}

/* Once it spares it does so for a while: the figure goes up and down with every settle. */
void fob_leeway_spare(fob_leeway_t *self, uint64_t all, uint64_t once) {
    uint64_t mark = once + (all - once) / 2 + all / 16;
    self->sparing = fob_leeway_left(self) < (self->sparing ? mark + all / 32 : mark);
}
