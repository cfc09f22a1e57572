/* epoch: the small file that says which epoch the offsets are of and how the last run ended. */
#ifndef FOB_JOURNAL_EPOCH_H
#define FOB_JOURNAL_EPOCH_H

#include "bus/journal/store.h"

#define FOB_EPOCH_NAME "epoch"

/* Reads it. OK, ABSENT (a new folder), NEWER, DAMAGED, SYSTEM; *error for the last three. */
fob_journal_code_t fob_epoch_read(const fob_disk_t *disk, const char *folder, fob_epoch_mark_t *out,
                                  fob_journal_error_t *error);
/* Writes it, durable; so is every commit up to `position` by now. 0, or -1 with errno. */
int fob_epoch_write(const fob_store_t *store, bool clean, uint64_t position);

#endif
