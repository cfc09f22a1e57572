/* fob_once where memory, the disk and LMDB fail: the N-th allocation, sync, write or call to LMDB,
 * once and from then on, until none fails any more. Each time: the documented status, nothing begun
 * that was not said to be, no done key lost, and it goes on afterwards. */
#include "scarce.h"
#include "tests/support/case.h"
#include "tests/support/process.h"

#include <errno.h>
#include <fob/fob_once.h>
#include <lmdb.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static faults_t of_calls, *faults = &of_calls; /* or &scarce */

/* --- the disk: LMDB calls these here, as a program's symbols go before those of libc --- */

static bool syncs_fail, writes_fail;

#define IN_PLACE_OF(name) __asm__(name) __attribute__((visibility("default")))

int failing_sync(int fd) IN_PLACE_OF("fdatasync");
ssize_t failing_write(int fd, const void *data, size_t size, off_t at) IN_PLACE_OF("pwrite");

int failing_sync(int fd) {
    if (syncs_fail && faults_strike(&of_calls)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

ssize_t failing_write(int fd, const void *data, size_t size, off_t at) {
    if (writes_fail && faults_strike(&of_calls)) {
        errno = ENOSPC;
        return -1;
    }
    return (ssize_t)syscall(SYS_pwrite64, fd, data, size, at);
}

/* --- LMDB's answers, by the linker --- */

static int answer; /* what a call that fails gives; 0: none does */

static bool fails(bool writes) {
    return answer && (writes || answer != MDB_MAP_FULL) && faults_strike(&of_calls);
}

#define LMDB_CALL(writes, name, parameters, arguments)                                             \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters {                                                                 \
        return fails(writes) ? answer : __real_##name arguments;                                   \
    }
#define LMDB(name, parameters, arguments)       LMDB_CALL(false, name, parameters, arguments)
#define LMDB_WRITE(name, parameters, arguments) LMDB_CALL(true, name, parameters, arguments)

LMDB(mdb_env_create, (MDB_env * *env), (env))
LMDB(mdb_env_open, (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode),
     (env, path, flags, mode))
LMDB(mdb_env_info, (MDB_env * env, MDB_envinfo *info), (env, info))
LMDB(mdb_reader_check, (MDB_env * env, int *dead), (env, dead))
LMDB(mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **txn),
     (env, parent, flags, txn))
LMDB_WRITE(mdb_dbi_open, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *dbi),
           (txn, name, flags, dbi))
LMDB(mdb_stat, (MDB_txn * txn, MDB_dbi dbi, MDB_stat *stat), (txn, dbi, stat))
LMDB(mdb_get, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *data), (txn, dbi, key, data))
LMDB_WRITE(mdb_put, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags),
           (txn, dbi, key, data, flags))
LMDB_WRITE(mdb_del, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *data),
           (txn, dbi, key, data))
LMDB(mdb_cursor_open, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor **cursor), (txn, dbi, cursor))
LMDB(mdb_cursor_get, (MDB_cursor * cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op),
     (cursor, key, data, op))
LMDB_WRITE(mdb_cursor_del, (MDB_cursor * cursor, unsigned flags), (cursor, flags))
LMDB(mdb_env_sync, (MDB_env * env, int force), (env, force))

static bool map_is_lost; /* in the middle of making it larger */

int __real_mdb_env_set_mapsize(MDB_env *env, size_t size);
int __wrap_mdb_env_set_mapsize(MDB_env *env, size_t size);

int __wrap_mdb_env_set_mapsize(MDB_env *env, size_t size) {
    if (map_is_lost)
        return ENOMEM;
    return fails(false) ? answer : __real_mdb_env_set_mapsize(env, size);
}

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);

/* One that fails has ended the transaction all the same. */
int __wrap_mdb_txn_commit(MDB_txn *txn) {
    if (!fails(true))
        return __real_mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return answer;
}

/* --- room for a map, as the store looks for it --- */

static bool no_place;

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    if (no_place) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mmap(at, size, protection, flags, fd, offset);
}

/* The next write finds the map full, and from then on `*trouble` is so. */
static void full_once(bool *trouble) {
    answer = MDB_MAP_FULL;
    of_calls = (faults_t){.watching = true, .fail_at = 1};
    *trouble = true;
}

/* --- the same story for each --- */

static fob_once_t *open_in(const char *folder, fob_status_t *status) {
    fob_once_options_t options = FOB_ONCE_OPTIONS;
    char text[300];
    options.folder = folder;
    return fob_once_new(&options, status, text, sizeof text);
}

static fob_once_state_t begin(fob_once_t *once, const char *key) {
    fob_once_state_t state;
    assert_int_equal(fob_once_begin(once, key, strlen(key), &state, NULL, NULL), FOB_OK);
    return state;
}

static void expect(fob_status_t status, fob_status_t a, fob_status_t b) {
    if (status != FOB_OK && status != a && status != b)
        fail_msg("%s", fob_status_name(status));
    assert_true(status == FOB_OK || faults->failed > 0);
    if (answer == MDB_MAP_FULL && !faults->lasting)
        assert_int_equal(status, FOB_OK); /* it grows, and nobody notices */
    if (status != FOB_OK)
        faults->watching = false; /* what failed is done once more, well */
}

static const char *folder;

/* After a write that failed halfway the store must be opened anew: then all that was begun is new.
 */
static void commit_again(fob_once_t **once, const char *key) {
    fob_status_t status;
    char text[300];
    assert_int_equal(begin(*once, key), FOB_ONCE_IN_PROGRESS);
    status = fob_once_commit(*once, key, strlen(key), "r", 1);
    if (status == FOB_OK)
        return;
    fob_once_trouble(*once, text, sizeof text);
    assert_non_null(strstr(text, "close it and open it again"));
    fob_once_destroy(once);
    *once = open_in(folder, &status);
    assert_non_null(*once);
    assert_int_equal(begin(*once, key), FOB_ONCE_NEW);
    assert_int_equal(fob_once_commit(*once, key, strlen(key), "r", 1), FOB_OK);
}

/* begin and commit with the n-th call failing; whatever happens, it can be done afterwards. */
static void do_key(fob_once_t **once, const char *key, fob_status_t a, fob_status_t b) {
    fob_once_state_t state = FOB_ONCE_NEW;
    void *result;
    fob_status_t status = fob_once_begin(*once, key, strlen(key), &state, &result, NULL);
    expect(status, a, b);
    if (status != FOB_OK)
        assert_int_equal(begin(*once, key), FOB_ONCE_NEW); /* nothing was begun */
    assert_int_equal(state, FOB_ONCE_NEW);
    status = fob_once_commit(*once, key, strlen(key), "r", 1);
    expect(status, a, b);
    if (status != FOB_OK)
        commit_again(once, key);
}

static void look(fob_once_t *once, const char *key, fob_status_t a) {
    fob_once_state_t state;
    void *result;
    size_t size;
    fob_status_t status = fob_once_begin(once, key, strlen(key), &state, &result, &size);
    expect(status, a, a);
    if (status != FOB_OK) {
        assert_null(result);
        assert_int_equal(fob_once_begin(once, key, strlen(key), &state, &result, &size), FOB_OK);
    }
    assert_int_equal(state, FOB_ONCE_DONE);
    assert_int_equal(size, 1);
    assert_memory_equal(result, "r", 1);
    free(result);
}

typedef struct {
    fob_status_t a, b; /* that may come of it */
} may_t;

static void story(void *arg) {
    const may_t *may = arg;
    const fob_status_t a = may->a, b = may->b;
    char *own = process_folder();
    fob_status_t status = FOB_OK;
    folder = own;
    faults->watching = true;
    fob_once_t *once = open_in(folder, &status);
    expect(status, a, b);
    if (!once)
        once = open_in(folder, &status);
    assert_non_null(once);
    do_key(&once, "k", a, b);
    do_key(&once, "l", a, b);
    look(once, "k", a);
    look(once, "l", a);
    fob_once_destroy(&once);
    faults->watching = false;
    once = open_in(folder, &status);
    assert_non_null(once);
    assert_int_equal(begin(once, "k"), FOB_ONCE_DONE);
    assert_int_equal(begin(once, "l"), FOB_ONCE_DONE);
    fob_once_destroy(&once);
    process_folder_remove(&own);
}

static void each(const char *name, bool *which, fob_status_t a, fob_status_t b) {
    may_t may = {a, b};
    if (which)
        *which = true;
    uint64_t calls = faults_each(&of_calls, story, &may);
    if (which)
        *which = false;
    print_message("once: %s: %u calls\n", name, (unsigned)calls);
    assert_true(calls > 2);
}

static void each_allocation_may_fail(void **state) {
    may_t may = {FOB_NO_MEMORY, FOB_NO_MEMORY};
    (void)state;
    faults = &scarce;
    scarce_each("subscribers: once", 4, story, &may);
    faults = &of_calls;
}

static void each_sync_may_fail(void **state) {
    (void)state;
    each("fdatasync", &syncs_fail, FOB_DISK_FAILED, FOB_DISK_FAILED);
}

static void each_write_may_fail(void **state) {
    (void)state;
    each("pwrite", &writes_fail, FOB_DISK_FULL, FOB_DISK_FAILED);
}

static void each_call_to_lmdb(const char *name, int error, fob_status_t a, fob_status_t b) {
    answer = error;
    each(name, NULL, a, b);
    answer = 0;
}

static void each_call_to_lmdb_may_fail(void **state) {
    (void)state;
    each_call_to_lmdb("EIO of LMDB", EIO, FOB_DISK_FAILED, FOB_DISK_FAILED);
    each_call_to_lmdb("ENOSPC of LMDB", ENOSPC, FOB_DISK_FULL, FOB_DISK_FULL);
    each_call_to_lmdb("ENOMEM of LMDB", ENOMEM, FOB_NO_MEMORY, FOB_NO_MEMORY);
    each_call_to_lmdb("MDB_CORRUPTED", MDB_CORRUPTED, FOB_DAMAGED, FOB_DAMAGED);
}

/* The map grows: once is no failure at all, for ever it is full. */
static void a_full_map_grows(void **state) {
    (void)state;
#if defined(__SANITIZE_THREAD__)
    /* To a TiB, for which ThreadSanitizer leaves no place. */
    const fob_status_t otherwise = FOB_NO_MEMORY;
#else
    const fob_status_t otherwise = FOB_DISK_FULL;
#endif
    each_call_to_lmdb("MDB_MAP_FULL", MDB_MAP_FULL, FOB_DISK_FULL, otherwise);
}

static fob_status_t commit(fob_once_t *once, const char *key) {
    return fob_once_commit(once, key, strlen(key), "r", 1);
}

/* A store in which "k" is done, and "l" is begun. */
static fob_once_t *open_with_keys(const char *in) {
    fob_status_t status;
    fob_once_t *once = open_in(in, &status);
    assert_non_null(once);
    assert_int_equal(begin(once, "k"), FOB_ONCE_NEW);
    assert_int_equal(commit(once, "k"), FOB_OK);
    assert_int_equal(begin(once, "l"), FOB_ONCE_NEW);
    return once;
}

/* No room for a larger map: the one it has stays, and what is in it. */
static void a_map_that_finds_no_room_is_kept(void **state) {
    (void)state;
    char *own = process_folder();
    fob_once_t *once = open_with_keys(own);
    full_once(&no_place);
    assert_int_equal(commit(once, "l"), FOB_NO_MEMORY);
    no_place = false;
    assert_int_equal(begin(once, "k"), FOB_ONCE_DONE);
    assert_int_equal(commit(once, "l"), FOB_OK);
    fob_once_destroy(&once);
    process_folder_remove(&own);
}

/* Where LMDB is left without a map, nothing is asked of it any more; all is there once it is opened
 * anew. */
static void a_map_that_is_gone_is_not_looked_at(void **state) {
    (void)state;
    char *own = process_folder();
    fob_status_t status;
    fob_once_t *once = open_with_keys(own);
    fob_once_state_t found;
    full_once(&map_is_lost);
    assert_int_equal(commit(once, "l"), FOB_NO_MEMORY);
    map_is_lost = false;
    assert_int_equal(commit(once, "l"), FOB_NO_MEMORY);
    assert_int_equal(fob_once_begin(once, "m", 1, &found, NULL, NULL), FOB_NO_MEMORY);
    fob_once_destroy(&once);
    once = open_in(own, &status);
    assert_non_null(once);
    assert_int_equal(begin(once, "k"), FOB_ONCE_DONE);
    assert_int_equal(begin(once, "l"), FOB_ONCE_NEW);
    fob_once_destroy(&once);
    process_folder_remove(&own);
}

FOB_MAIN(FOB_CASE(each_allocation_may_fail), FOB_CASE(each_sync_may_fail),
         FOB_CASE(each_write_may_fail), FOB_CASE(each_call_to_lmdb_may_fail),
         FOB_CASE(a_full_map_grows), FOB_CASE(a_map_that_finds_no_room_is_kept),
         FOB_CASE(a_map_that_is_gone_is_not_looked_at))
