#include "bus/ledger/reading.h"

#include <assert.h>
#include <stdlib.h>

#define TAG (UINT64_C(1) << 63) /* the tags of groups' reads are offsets, which are far below */

void fob_reading_free(fob_reading_t *self) {
    if (self->here)
        free(self->page.memory);
    *self = (fob_reading_t){0};
}

/* Whether it is to wait on. */
static bool wait_for(fob_reading_t *self, fob_now_t now, bool groups) {
    if (!self->waits)
        self->since_ns = now.mono_ns;
    self->waits = groups;
    return groups && now.mono_ns - self->since_ns < FOB_READING_PATIENCE;
}

bool fob_reading_ask(fob_reading_t *self, fob_journal_t *journal, fob_now_t now, bool groups,
                     uint64_t offset, uint32_t bytes) {
    if (self->under_way || self->here || wait_for(self, now, groups) ||
        journal->ops->read(journal, offset, bytes, TAG | offset) != FOB_JOURNAL_OK)
        return false;
    self->under_way = true;
    self->waits = false;
    return true;
}

bool fob_reading_owns(const fob_page_t *page) {
    return page->tag & TAG;
}

void fob_reading_take(fob_reading_t *self, const fob_page_t *page) {
    assert(self->under_way && !self->here);
    self->under_way = false;
    self->here = true;
    self->page = *page;
}

bool fob_reading_page(fob_reading_t *self, fob_page_t *out) {
    if (!self->here)
        return false;
    self->here = false;
    *out = self->page;
    return true;
}
