/* keeper: the thread that makes segments before they are needed, writes them with zeros ahead of
 * the committer (a sync is faster then), and deletes what was trimmed. */
#ifndef FOB_JOURNAL_KEEPER_H
#define FOB_JOURNAL_KEEPER_H

#include "bus/journal/store.h"

typedef struct fob_keeper fob_keeper_t;

/* Starts the thread. NULL with *error. The store outlives it. */
fob_keeper_t *fob_keeper_new(fob_store_t *store, fob_journal_error_t *error);
/* Deletes what is still to delete, then ends. After the committer. */
void fob_keeper_destroy(fob_keeper_t **self_p);
/* There may be something to do. Any thread, the store's lock not held. */
void fob_keeper_wake(fob_keeper_t *self);

#endif
