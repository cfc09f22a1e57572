/* reading: the one read of the journal that may be under way for those who are no group. Groups'
 * reads go before it, for a while: a backlog that is read all the time must not keep the others out
 * for ever. Not thread-safe. */
#ifndef FOB_LEDGER_READING_H
#define FOB_LEDGER_READING_H

#include "bus/journal/journal.h"
#include "proto/now.h"

#define FOB_READING_PATIENCE (20 * FOB_MS) /* that a read waits for those of groups */

/* Begins as zeros. */
typedef struct {
    bool under_way, here; /* asked for; came, and nobody took it */
    bool waits;
    int64_t since_ns; /* it waits for groups */
    fob_page_t page;
} fob_reading_t;

void fob_reading_free(fob_reading_t *self);

/* Asks the journal, unless one is under way; `groups`: there are reads of theirs. False: not now.
 */
bool fob_reading_ask(fob_reading_t *self, fob_journal_t *journal, fob_now_t now, bool groups,
                     uint64_t offset, uint32_t bytes);
/* Whether a page is an answer to such a read. */
bool fob_reading_owns(const fob_page_t *page);
/* Keeps it, with its memory; */
void fob_reading_take(fob_reading_t *self, const fob_page_t *page);
/* and gives it on. False: there is none. */
bool fob_reading_page(fob_reading_t *self, fob_page_t *out);

#endif
