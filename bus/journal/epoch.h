/* epoch: the small file that says which epoch the offsets are of, how the last run ended, and which
 * segments were made. It is written anew in place: a full disk does not matter to it. */
#ifndef FOB_JOURNAL_EPOCH_H
#define FOB_JOURNAL_EPOCH_H

#include "bus/journal/store.h"

#define FOB_EPOCH_NAME "epoch"

/* Reads it. OK, ABSENT (a new folder), NEWER, DAMAGED, SYSTEM; *error for the last three. Where one
 * of its two records is bad the other is taken (*torn), as of a run that did not end clean: which
 * of them was the newer is not known. */
fob_journal_code_t fob_epoch_read(const fob_disk_t *disk, const char *folder, fob_epoch_mark_t *out,
                                  bool *torn, fob_journal_error_t *error);
/* Writes it, durable; so is every commit up to `position` by now, every segment up to `highest` is
 * made, and none from store->lowest on is deleted. 0, or -1 with errno. One thread at a time. */
int fob_epoch_write(fob_store_t *store, bool clean, uint64_t position, uint64_t highest);

#endif
