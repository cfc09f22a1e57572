/* once_store: the table of done keys of fob_once, on LMDB.
 *
 * Functions give 0, an errno, or one of LMDB's codes; fob_once_store_status turns these into ours.
 * The map grows by itself, also when another process has let it grow. Any thread, several at once,
 * after open and before close. */
#ifndef FOB_ONCE_STORE_H
#define FOB_ONCE_STORE_H

#include "subscribers/once/once_record.h"
#include <fob/fob_status.h>
#include <lmdb.h>
#include <pthread.h>

#define FOB_ONCE_NEWER (-1) /* the folder was written by a newer version */

typedef struct {
    MDB_env *env;
    MDB_dbi done, age;
    pthread_rwlock_t map; /* read: a transaction runs; write: the map changes its size */
    bool unmapped;        /* under it: there is no map any more: nothing more is done */
    int64_t max_age_ms;   /* negative: no bound */
    uint64_t max_count;
} fob_once_store_t;

/* Zero it and set the bounds before. `alone`: no other process has it open, and none opens it
 * meanwhile. On failure nothing stays open. */
int fob_once_store_open(fob_once_store_t *self, const char *folder, bool fast, bool alone);
void fob_once_store_close(fob_once_store_t *self);
/* All that was committed is on the disk, also with `fast`. */
int fob_once_store_sync(fob_once_store_t *self);

/* 0: *result (may be NULL) is a copy of what is stored under the key, with a zero byte behind it,
 * to be freed. MDB_NOTFOUND: nothing is. */
int fob_once_store_find(fob_once_store_t *self, fob_slice_t key, void **result,
                        size_t *result_size);

/* Stores a key, in place of what was there, and forgets a few of the oldest that are beyond the
 * bounds. */
int fob_once_store_put(fob_once_store_t *self, fob_slice_t key, fob_slice_t result, int64_t now_ms);

fob_status_t fob_once_store_status(int error);

#endif
