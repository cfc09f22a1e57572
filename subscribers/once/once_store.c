#include "subscribers/once/once_store.h"

#include <errno.h>
#include <fcntl.h>
#include <fob/fob_once.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_FIRST   ((size_t)16 << 20)
#define MAP_LAST    ((size_t)1 << 40)
#define READERS     1024 /* transactions that read at the same moment, of all processes */
#define FORGET_STEP 8    /* oldest keys that one commit forgets */

typedef int(work_fn)(fob_once_store_t *self, MDB_txn *txn, void *arg);

static MDB_val val(const void *data, size_t size) {
    return (MDB_val){.mv_size = size, .mv_data = (void *)data};
}

/* --- transactions --- */

static int attempt(fob_once_store_t *self, unsigned flags, work_fn *work, void *arg) {
    MDB_txn *txn = NULL;
    int error = mdb_txn_begin(self->env, NULL, flags, &txn);
    if (error != 0)
        return error;
    error = work(self, txn, arg);
    if (error == 0 && !(flags & MDB_RDONLY))
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return error;
}

/* LMDB gives up the map it has before it makes the new one: where that fails there is none, and no
 * call may follow, not even for the old size. So the place is tried first, while the old map
 * stands; where LMDB does not get it after all, the store is over until it is opened anew. */
static int resize(fob_once_store_t *self, size_t size) {
    if (size > 0) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        void *place = mmap(NULL, size, PROT_NONE, flags, -1, 0);
        if (place == MAP_FAILED || munmap(place, size) != 0)
            return errno;
    }
    int error = mdb_env_set_mapsize(self->env, size);
    self->unmapped = error != 0;
    return error;
}

/* Twice as large, unless somebody has done that since. A reader that was killed pins old pages, so
 * those go first. */
static int grow(fob_once_store_t *self, size_t seen) {
    MDB_envinfo info;
    int error = mdb_reader_check(self->env, NULL);
    if (error == 0)
        error = mdb_env_info(self->env, &info);
    if (error != 0 || info.me_mapsize > seen)
        return error;
    if (info.me_mapsize >= MAP_LAST)
        return ENOSPC;
    return resize(self, info.me_mapsize * 2);
}

/* Makes another try possible, or says why not. */
static int mend(fob_once_store_t *self, int error, size_t seen) {
    if (error == MDB_READERS_FULL) {
        int dead = 0;
        int failed = mdb_reader_check(self->env, &dead);
        return failed != 0 ? failed : dead > 0 ? 0 : error;
    }
    if (error != MDB_MAP_FULL && error != MDB_MAP_RESIZED)
        return error;
    pthread_rwlock_wrlock(&self->map);
    if (self->unmapped)
        error = ENOMEM;
    else
        error = error == MDB_MAP_FULL ? grow(self, seen) : resize(self, 0);
    pthread_rwlock_unlock(&self->map);
    return error;
}

static int transact(fob_once_store_t *self, unsigned flags, work_fn *work, void *arg) {
    int error;
    do {
        MDB_envinfo info = {0};
        pthread_rwlock_rdlock(&self->map);
        error = self->unmapped ? ENOMEM : mdb_env_info(self->env, &info);
        if (error == 0)
            error = attempt(self, flags, work, arg);
        pthread_rwlock_unlock(&self->map);
        if (error == 0)
            return 0;
        error = mend(self, error, info.me_mapsize);
    } while (error == 0);
    return error;
}

/* --- opening --- */

/* The tables, and the format's number beside their names in the main one. */
static int open_tables(fob_once_store_t *self, MDB_txn *txn, void *arg) {
    static const char name[] = "fob-once format";
    uint8_t format = FOB_ONCE_FORMAT;
    MDB_dbi top;
    MDB_stat stat;
    MDB_val key = val(name, sizeof name - 1), value = val(&format, 1);
    (void)arg;
    int error = mdb_dbi_open(txn, NULL, 0, &top);
    if (error != 0 || (error = mdb_stat(txn, top, &stat)) != 0)
        return error;
    error =
        stat.ms_entries == 0 ? mdb_put(txn, top, &key, &value, 0) : mdb_get(txn, top, &key, &value);
    if (error != 0)
        return error == MDB_NOTFOUND ? MDB_INCOMPATIBLE : error;
    if (value.mv_size != 1 || *(uint8_t *)value.mv_data != FOB_ONCE_FORMAT)
        return value.mv_size == 1 ? FOB_ONCE_NEWER : MDB_CORRUPTED;
    error = mdb_dbi_open(txn, "done", MDB_CREATE, &self->done);
    return error != 0 ? error : mdb_dbi_open(txn, "age", MDB_CREATE, &self->age);
}

/* A file that was cut short would end us by SIGBUS when a page behind its end is looked at. So it
 * gets its length back: what is missing then reads as zeros, which LMDB knows for damage. In a
 * sound store the pages behind the end are free ones. Not where another process may be writing: it
 * has seen to it when it opened. */
static int fill_up(MDB_env *env, bool alone) {
    MDB_stat stat;
    MDB_envinfo info;
    struct stat file;
    int fd, error = mdb_env_stat(env, &stat);
    if (error == 0)
        error = mdb_env_info(env, &info);
    if (error == 0)
        error = mdb_env_get_fd(env, &fd);
    if (error != 0)
        return error;
    uint64_t size = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    if (size > info.me_mapsize)
        return MDB_CORRUPTED;
    /* LMDB leaves this descriptor open over exec; a command that we start has no use for it. */
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fstat(fd, &file) != 0)
        return errno;
    if (!alone || (uint64_t)file.st_size >= size)
        return 0;
    return ftruncate(fd, (off_t)size) == 0 ? 0 : errno;
}

static int start(fob_once_store_t *self, const char *folder, bool fast, bool alone) {
    int error = mdb_env_set_maxdbs(self->env, 2);
    if (error == 0)
        error = mdb_env_set_maxreaders(self->env, READERS);
    if (error == 0)
        error = mdb_env_set_mapsize(self->env, MAP_FIRST);
    if (error == 0)
        error = mdb_env_open(self->env, folder, MDB_NOTLS | (fast ? MDB_NOSYNC : 0), 0600);
    if (error == 0)
        error = fill_up(self->env, alone);
    if (error == 0)
        error = mdb_reader_check(self->env, NULL);
    return error == 0 ? transact(self, 0, open_tables, NULL) : error;
}

int fob_once_store_open(fob_once_store_t *self, const char *folder, bool fast, bool alone) {
    pthread_rwlockattr_t attributes;
    int error = mdb_env_create(&self->env);
    if (error != 0)
        return error;
    /* Who wants to grow the map must not wait for ever behind those who read. */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&self->map, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    error = start(self, folder, fast, alone);
    if (error != 0)
        fob_once_store_close(self);
    return error;
}

void fob_once_store_close(fob_once_store_t *self) {
    if (!self->env)
        return;
    mdb_env_close(self->env);
    self->env = NULL;
    pthread_rwlock_destroy(&self->map);
}

int fob_once_store_sync(fob_once_store_t *self) {
    pthread_rwlock_rdlock(&self->map);
    int error = self->unmapped ? ENOMEM : mdb_env_sync(self->env, 1);
    pthread_rwlock_unlock(&self->map);
    return error;
}

/* --- finding --- */

typedef struct {
    fob_slice_t key;
    bool wanted;  /* the result is */
    void *result; /* a copy, where it is */
    size_t result_size;
} find_t;

/* A copy with a zero byte behind it, so that text can be used as it is. */
static void *copy_of(fob_slice_t bytes) {
    char *copy = malloc(bytes.size + 1);
    if (!copy)
        return NULL;
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = '\0';
    return copy;
}

static int find(fob_once_store_t *self, MDB_txn *txn, void *arg) {
    find_t *what = arg;
    uint8_t hash[FOB_ONCE_HASH_SIZE];
    fob_once_record_t record;
    fob_once_hash(what->key, hash);
    MDB_val key = val(hash, sizeof hash), value;
    int error = mdb_get(txn, self->done, &key, &value);
    if (error != 0)
        return error;
    if (!fob_once_record_read(&record, fob_slice(value.mv_data, value.mv_size)))
        return MDB_CORRUPTED;
    if (!fob_slice_eq(record.key, what->key))
        return MDB_NOTFOUND;
    what->result_size = record.result.size;
    if (what->wanted)
        what->result = copy_of(record.result);
    return what->wanted && !what->result ? ENOMEM : 0;
}

int fob_once_store_find(fob_once_store_t *self, fob_slice_t key, void **result,
                        size_t *result_size) {
    find_t what = {.key = key, .wanted = result != NULL};
    int error = transact(self, MDB_RDONLY, find, &what);
    if (error != 0)
        return error;
    if (result)
        *result = what.result;
    if (result_size)
        *result_size = what.result_size;
    return 0;
}

/* --- storing --- */

typedef struct {
    fob_slice_t key, result;
    int64_t now_ms;
} put_t;

static int next_sequence(MDB_cursor *ages, uint64_t *out) {
    MDB_val key, value;
    int error = mdb_cursor_get(ages, &key, &value, MDB_LAST);
    *out = 1;
    if (error != 0)
        return error == MDB_NOTFOUND ? 0 : error;
    if (key.mv_size != 8 || value.mv_size != FOB_ONCE_ENTRY_SIZE)
        return MDB_CORRUPTED;
    *out = fob_once_sequence_read(key.mv_data) + 1;
    return 0;
}

/* Another key of the same hash, whose place is taken now, leaves its line in `age`. */
static int drop_former(fob_once_store_t *self, MDB_txn *txn, MDB_val hash) {
    MDB_val value;
    fob_once_record_t record;
    uint8_t sequence[8];
    int error = mdb_get(txn, self->done, &hash, &value);
    if (error != 0)
        return error == MDB_NOTFOUND ? 0 : error;
    if (!fob_once_record_read(&record, fob_slice(value.mv_data, value.mv_size)))
        return MDB_CORRUPTED;
    fob_once_sequence_write(record.sequence, sequence);
    MDB_val key = val(sequence, sizeof sequence);
    error = mdb_del(txn, self->age, &key, NULL);
    return error == MDB_NOTFOUND ? MDB_CORRUPTED : error;
}

static int insert(fob_once_store_t *self, MDB_txn *txn, const fob_once_record_t *record) {
    uint8_t hash[FOB_ONCE_HASH_SIZE], sequence[8], entry[FOB_ONCE_ENTRY_SIZE];
    fob_once_hash(record->key, hash);
    MDB_val key = val(hash, sizeof hash), value = val(NULL, fob_once_record_size(record));
    int error = drop_former(self, txn, key);
    if (error == 0)
        error = mdb_put(txn, self->done, &key, &value, MDB_RESERVE);
    if (error != 0)
        return error;
    fob_once_record_write(record, value.mv_data);
    fob_once_sequence_write(record->sequence, sequence);
    fob_once_entry_write(hash, record->time_ms, entry);
    key = val(sequence, sizeof sequence);
    value = val(entry, sizeof entry);
    return mdb_put(txn, self->age, &key, &value, MDB_APPEND);
}

/* 0: the oldest is gone. MDB_NOTFOUND: it is within the bounds, or there is none. */
static int forget_oldest(fob_once_store_t *self, MDB_txn *txn, MDB_cursor *ages, int64_t now_ms) {
    MDB_stat stat;
    MDB_val key, value;
    int error = mdb_cursor_get(ages, &key, &value, MDB_FIRST);
    if (error != 0 || (error = mdb_stat(txn, self->age, &stat)) != 0)
        return error;
    if (key.mv_size != 8 || value.mv_size != FOB_ONCE_ENTRY_SIZE)
        return MDB_CORRUPTED;
    int64_t age = now_ms - fob_once_entry_time(value.mv_data);
    bool old = self->max_age_ms >= 0 && age > self->max_age_ms;
    if (!old && stat.ms_entries <= self->max_count)
        return MDB_NOTFOUND;
    MDB_val hash = val(value.mv_data, FOB_ONCE_HASH_SIZE);
    error = mdb_del(txn, self->done, &hash, NULL);
    if (error != 0)
        return error == MDB_NOTFOUND ? MDB_CORRUPTED : error;
    return mdb_cursor_del(ages, 0);
}

static int put(fob_once_store_t *self, MDB_txn *txn, void *arg) {
    const put_t *what = arg;
    MDB_cursor *ages;
    fob_once_record_t record = {.time_ms = what->now_ms, .key = what->key, .result = what->result};
    int error = mdb_cursor_open(txn, self->age, &ages);
    if (error != 0)
        return error;
    error = next_sequence(ages, &record.sequence);
    if (error == 0)
        error = insert(self, txn, &record);
    for (int i = 0; i < FORGET_STEP && error == 0; i++)
        error = forget_oldest(self, txn, ages, what->now_ms);
    mdb_cursor_close(ages);
    return error == MDB_NOTFOUND ? 0 : error;
}

int fob_once_store_put(fob_once_store_t *self, fob_slice_t key, fob_slice_t result,
                       int64_t now_ms) {
    put_t what = {key, result, now_ms};
    return transact(self, 0, put, &what);
}

fob_status_t fob_once_store_status(int error) {
    switch (error) {
    case 0:
        return FOB_OK;
    case ENOMEM:
        return FOB_NO_MEMORY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return FOB_DISK_FULL;
    case EBUSY:
        return FOB_FOLDER_IN_USE;
    case EACCES:
    case EPERM:
    case EROFS:
        return FOB_DENIED;
    case MDB_READERS_FULL:
        return FOB_BUSY;
    case FOB_ONCE_NEWER:
    case MDB_VERSION_MISMATCH:
        return FOB_FOLDER_NEWER;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_NOTFOUND:
    case MDB_KEYEXIST:
    case MDB_BAD_VALSIZE:
        return FOB_DAMAGED;
    default:
        return FOB_DISK_FAILED;
    }
}
