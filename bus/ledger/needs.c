#include "bus/ledger/needs.h"

#include <assert.h>
#include <stdlib.h>

#define BUSY_AFTER  FOB_MS       /* too many were under way: soon one is done */
#define AGAIN_AFTER (5 * FOB_MS) /* it could not be asked a second time either */

void fob_needs_free(fob_needs_t *self) {
    free(self->list);
    *self = (fob_needs_t){0};
}

bool fob_needs_later(fob_needs_t *self, uint64_t offset, uint32_t bytes, int64_t at_ns) {
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : 16;
        fob_need_t *list = realloc(self->list, room * sizeof *list);
        if (!list)
            return false;
        self->list = list;
        self->room = room;
    }
    self->list[self->count++] = (fob_need_t){offset, bytes, at_ns};
    return true;
}

static fob_journal_code_t read_page(fob_needs_t *self, fob_journal_t *journal, uint64_t offset,
                                    uint32_t bytes) {
    fob_journal_code_t code = journal->ops->read(journal, offset, bytes, offset);
    self->under_way += code == FOB_JOURNAL_OK;
    return code;
}

void fob_needs_came(fob_needs_t *self) {
    assert(self->under_way > 0);
    self->under_way--;
}

bool fob_needs_any(const fob_needs_t *self) {
    return self->under_way > 0 || self->count > 0;
}

bool fob_needs_ask(fob_needs_t *self, fob_journal_t *journal, fob_now_t now, uint64_t offset,
                   uint32_t bytes) {
    fob_journal_code_t code = read_page(self, journal, offset, bytes);
    if (code == FOB_JOURNAL_OK)
        return true;
    int64_t after = code == FOB_JOURNAL_AGAIN ? BUSY_AFTER : FOB_NEEDS_AFTER;
    return fob_needs_later(self, offset, bytes, now.mono_ns + after);
}

void fob_needs_again(fob_needs_t *self, fob_journal_t *journal, fob_now_t now) {
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        fob_need_t need = self->list[i];
        bool due = need.at_ns <= now.mono_ns;
        if (due && read_page(self, journal, need.offset, need.bytes) == FOB_JOURNAL_OK)
            continue;
        if (due)
            need.at_ns = now.mono_ns + AGAIN_AFTER;
        self->list[kept++] = need;
    }
    self->count = kept;
}

int64_t fob_needs_deadline(const fob_needs_t *self) {
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < self->count; i++)
        if (self->list[i].at_ns < at)
            at = self->list[i].at_ns;
    return at;
}
