/* backup: a copy of a folder, also while a bus uses it.
 *
 * Commits are only ever appended, each with its own checksum, and a checkpoint gets its name once
 * all that it rests on is durable. So checkpoints are copied first, and then all whole commits as
 * far as they go: that is a state that a start could have found. All files are opened before
 * anything is copied, so that what is trimmed meanwhile is still read. One thread. */
#ifndef FOB_JOURNAL_BACKUP_H
#define FOB_JOURNAL_BACKUP_H

#include "bus/journal/journal.h"

typedef struct {
    uint64_t segments, commits, events, bytes;
    uint64_t last_position, last_offset; /* 0: none */
} fob_backup_t;

/* `to` is an empty folder; its offsets will have another epoch. OK; NEWER, DAMAGED (the old one is:
 * naming segment and byte), SYSTEM, MEMORY with *error. The copy is durable. */
fob_journal_code_t fob_journal_backup(const char *folder, const char *to, fob_backup_t *out,
                                      fob_journal_error_t *error);

#endif
