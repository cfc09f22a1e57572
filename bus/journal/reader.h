/* reader: the thread that answers reads with pages, so that the owner never waits for the disk. */
#ifndef FOB_JOURNAL_READER_H
#define FOB_JOURNAL_READER_H

#include "bus/journal/store.h"

typedef struct fob_reader fob_reader_t;

/* Starts the thread. NULL with *error. The store outlives it. */
fob_reader_t *fob_reader_new(fob_store_t *store, fob_journal_error_t *error);
/* Ends after the page it is at; frees pages that nobody took. */
void fob_reader_destroy(fob_reader_t **self_p);
/* OK, or AGAIN: as many are under way as are allowed. Owner's thread. */
fob_journal_code_t fob_reader_ask(fob_reader_t *self, uint64_t offset, size_t max_bytes,
                                  uint64_t tag);
/* OK or AGAIN. Owner's thread. */
fob_journal_code_t fob_reader_page(fob_reader_t *self, fob_page_t *out);

#endif
