/* needs: pages that the core asked for, and the journal could not yet be asked for: it had too many
 * under way, or the system refused. Not thread-safe. */
#ifndef FOB_LEDGER_NEEDS_H
#define FOB_LEDGER_NEEDS_H

#include "bus/journal/journal.h"
#include "proto/now.h"
#include <fob/fob_export.h>

#define FOB_NEEDS_AFTER (100 * FOB_MS) /* what the system refused is tried again then */

typedef struct {
    uint64_t offset;
    uint32_t bytes;
    int64_t at_ns; /* not before */
} fob_need_t;

/* Begins as zeros. */
typedef struct {
    fob_need_t *list;
    size_t count, room;
    size_t under_way; /* the journal was asked for, and has not answered */
} fob_needs_t;

void fob_needs_free(fob_needs_t *self);

/* Asks the journal for a page of about so many bytes from that offset on, tagged with the offset:
 * now or, where it cannot be asked now, by fob_needs_again. False: no memory to keep it. */
bool fob_needs_ask(fob_needs_t *self, fob_journal_t *journal, fob_now_t now, uint64_t offset,
                   uint32_t bytes) FOB_MUST_USE;

/* The journal is asked for it at that time (mono_ns). False: no memory to keep it. */
bool fob_needs_later(fob_needs_t *self, uint64_t offset, uint32_t bytes,
                     int64_t at_ns) FOB_MUST_USE;

/* Asks for what is due; what cannot be asked yet stays. */
void fob_needs_again(fob_needs_t *self, fob_journal_t *journal, fob_now_t now);

/* An answer of the journal came. */
void fob_needs_came(fob_needs_t *self);
/* Whether any is asked for or waits to be. */
bool fob_needs_any(const fob_needs_t *self);

/* When fob_needs_again is wanted (mono_ns); INT64_MAX: nothing is kept. */
int64_t fob_needs_deadline(const fob_needs_t *self);

#endif
