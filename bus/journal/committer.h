/* committer: the thread of the group commit. The owner hands over commits with their places; the
 * thread takes all that are there, writes them with one call or few, syncs once, and says how far
 * it is durable. While it syncs the owner goes on. */
#ifndef FOB_JOURNAL_COMMITTER_H
#define FOB_JOURNAL_COMMITTER_H

#include "bus/journal/store.h"

typedef struct fob_committer fob_committer_t;

/* One commit on its way, from the committer's pool. Filled by the owner with fob_pending_add. */
typedef struct fob_pending {
    struct fob_pending *next;
    uint64_t sequence, at; /* its place */
    uint64_t position, next_offset;
    size_t total; /* bytes, head included */
    fob_disk_commit_t head;
    struct iovec *parts; /* parts[0] is the head */
    size_t part_count;
    fob_disk_entry_t *entries;
    size_t entry_count, capacity;
} fob_pending_t;

/* Starts the thread. NULL with *error. The store outlives it. */
fob_committer_t *fob_committer_new(fob_store_t *store, fob_journal_error_t *error);
/* Writes and syncs all that was handed over, then ends. */
void fob_committer_destroy(fob_committer_t **self_p);

/* From the pool, or new: room for `entries`. NULL: no memory. Owner's thread. */
fob_pending_t *fob_committer_take(fob_committer_t *self, const fob_entry_t *entries, size_t count);
/* Hands it over; `sync`: somebody waits. Owner's thread. */
void fob_committer_put(fob_committer_t *self, fob_pending_t *pending, bool sync);
/* Asks for a sync of all that is handed over, also where the level needs none. Any thread. */
void fob_committer_sync(fob_committer_t *self);

#endif
