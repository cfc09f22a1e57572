#include "bus/ledger/checkpointer.h"

#define AGAIN_AFTER FOB_SEC /* one that failed is tried again then */

static bool begin(fob_checkpointer_t *self, fob_journal_t *journal, fob_core_t *core,
                  uint64_t last) {
    if (journal->ops->checkpoint_begin(journal, last) != FOB_JOURNAL_OK)
        return false;
    fob_core_checkpoint_begin(core);
    self->state = FOB_CHECKPOINTER_SLICES;
    return true;
}

/* Writes one slice. False: it failed, or no memory. */
static bool slice(fob_checkpointer_t *self, fob_journal_t *journal, fob_core_t *core,
                  uint64_t last) {
    fob_buf_clear(&self->slice);
    bool more = fob_core_checkpoint_next(core, &self->slice);
    if (self->slice.failed)
        return false;
    if (self->slice.size && journal->ops->checkpoint_slice(journal, self->slice.data,
                                                           self->slice.size) != FOB_JOURNAL_OK)
        return false;
    if (!more) {
        self->state = FOB_CHECKPOINTER_WAITS;
        self->needs = last;
    }
    return true;
}

void fob_checkpointer_step(fob_checkpointer_t *self, fob_journal_t *journal, fob_core_t *core,
                           uint64_t last, fob_now_t now) {
    bool good = true;
    switch (self->state) {
    case FOB_CHECKPOINTER_NONE:
        if (now.mono_ns >= self->not_before && journal->ops->checkpoint_due(journal))
            good = begin(self, journal, core, last);
        break;
    case FOB_CHECKPOINTER_SLICES:
        good = slice(self, journal, core, last);
        break;
    case FOB_CHECKPOINTER_WAITS:
        if (journal->ops->durable(journal) < self->needs)
            break;
        self->state = FOB_CHECKPOINTER_NONE;
        good = journal->ops->checkpoint_finish(journal) == FOB_JOURNAL_OK;
        break;
    }
    if (good)
        return;
    self->state = FOB_CHECKPOINTER_NONE;
    self->not_before = now.mono_ns + AGAIN_AFTER;
}

bool fob_checkpointer_whole(fob_checkpointer_t *self, fob_journal_t *journal, fob_core_t *core,
                            uint64_t last) {
    bool good = self->state == FOB_CHECKPOINTER_SLICES || begin(self, journal, core, last);
    while (good && self->state == FOB_CHECKPOINTER_SLICES)
        good = slice(self, journal, core, last);
    self->state = FOB_CHECKPOINTER_NONE;
    return good && journal->ops->checkpoint_finish(journal) == FOB_JOURNAL_OK;
}

bool fob_checkpointer_busy(const fob_checkpointer_t *self) {
    return self->state == FOB_CHECKPOINTER_SLICES;
}

void fob_checkpointer_free(fob_checkpointer_t *self) {
    fob_buf_free(&self->slice);
}
