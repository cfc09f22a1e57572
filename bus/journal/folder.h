/* folder: what files a journal's folder holds. */
#ifndef FOB_JOURNAL_FOLDER_H
#define FOB_JOURNAL_FOLDER_H

#include "bus/journal/disk.h"
#include "bus/journal/journal.h"

typedef struct {
    uint64_t *segments; /* sequences, ascending */
    size_t segment_count;
    uint64_t *checkpoints; /* positions, ascending */
    size_t checkpoint_count;
    bool broken_off; /* no memory for all of them; while it is listed */
} fob_folder_t;

/* Lists it. OK, SYSTEM, MEMORY with *error. */
fob_journal_code_t fob_folder_list(const fob_disk_t *disk, const char *folder, fob_folder_t *out,
                                   fob_journal_error_t *error);
void fob_folder_free(fob_folder_t *self);
/* Segments follow each other without a hole, from `lowest` (0: not known), which was not deleted,
 * at the latest, up to `highest`, which was made, at least: OK, or DAMAGED naming the first that is
 * missing. */
fob_journal_code_t fob_folder_check(const char *folder, const fob_folder_t *list, uint64_t lowest,
                                    uint64_t highest, fob_journal_error_t *error);
/* DAMAGED: that segment's file is missing. */
fob_journal_code_t fob_folder_missing(const char *folder, uint64_t sequence, const char *why,
                                      fob_journal_error_t *error);
/* Deletes what was being made when the last run ended. */
void fob_folder_sweep(const fob_disk_t *disk, const char *folder);
/* Makes it and those above it, 0700, their names durable. 0, or -1 with errno. */
int fob_folder_make(const fob_disk_t *disk, const char *folder);
/* Takes the lock: the descriptor *out holds it until closed. OK, IN_USE naming the holder, SYSTEM.
 */
fob_journal_code_t fob_folder_lock(const fob_disk_t *disk, const char *folder, int *out,
                                   fob_journal_error_t *error);
/* Whether a process holds the lock. */
bool fob_folder_in_use(const fob_disk_t *disk, const char *folder);

#endif
