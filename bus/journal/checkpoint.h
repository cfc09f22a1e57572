/* checkpoint: files that hold the owner's state in slices. Written by a thread of their own; a new
 * one counts once it and all it rests on are durable; the one before it stays, in case the newest
 * turns out bad. */
#ifndef FOB_JOURNAL_CHECKPOINT_H
#define FOB_JOURNAL_CHECKPOINT_H

#include "bus/journal/committer.h"
#include "bus/journal/store.h"

typedef struct fob_checkpoints fob_checkpoints_t;

/* Positions of those that are kept; 0: none. */
typedef struct {
    uint64_t newest, older;
} fob_kept_t;

/* Starts the thread. NULL with *error. Store and committer outlive it. */
fob_checkpoints_t *fob_checkpoints_new(fob_store_t *store, fob_committer_t *committer,
                                       fob_kept_t kept, fob_journal_error_t *error);
/* Drops one that was begun and not finished; ends after one that was. Before the committer. */
void fob_checkpoints_destroy(fob_checkpoints_t **self_p);

/* As in journal.h; owner's thread. Begin drops one that is under way. */
fob_journal_code_t fob_checkpoints_begin(fob_checkpoints_t *self, uint64_t position);
fob_journal_code_t fob_checkpoints_slice(fob_checkpoints_t *self, const uint8_t *data, size_t size);
/* No slice holds more than `upto`. */
fob_journal_code_t fob_checkpoints_finish(fob_checkpoints_t *self, uint64_t upto);
fob_kept_t fob_checkpoints_kept(fob_checkpoints_t *self);
/* One is begun, or being made durable. */
bool fob_checkpoints_busy(fob_checkpoints_t *self);
/* The last one failed, and after a pause (1 s, growing to a minute) it should be begun again. */
bool fob_checkpoints_again(fob_checkpoints_t *self);

/* "00000000000000000007.ckp" */
void fob_checkpoint_name(uint64_t position, char *out);
/* Reads one through, telling each slice (may be NULL; false stops with DAMAGED). OK, NEWER,
 * DAMAGED, SYSTEM, MEMORY with *error. *upto as finished. */
fob_journal_code_t fob_checkpoint_read(const fob_disk_t *disk, const char *folder,
                                       uint64_t position,
                                       bool (*slice)(void *arg, const uint8_t *data, size_t size),
                                       void *arg, uint64_t *upto, fob_journal_error_t *error);

#endif
