/* fob_once where memory and the disk fail: the N-th allocation, sync or write, then the next, until
 * none fails any more. Each time: the documented status, nothing begun that was not said to be, no
 * done key lost, and it goes on afterwards. */
#include "tests/support/case.h"
#include "tests/support/process.h"

#include <errno.h>
#include <fob/fob_once.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int countdown; /* the so many-th call from now fails; 0: none */
static int failed;    /* how many did */

static int due(void) {
    if (countdown == 0 || --countdown > 0)
        return 0;
    failed++;
    return 1;
}

/* --- memory: our own allocations, by the linker's --wrap --- */

static int memory_fails;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size) {
    return memory_fails && due() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return memory_fails && due() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return memory_fails && due() ? NULL : __real_realloc(old, size);
}

/* --- the disk: LMDB calls these here, as a program's symbols go before those of libc --- */

static int syncs_fail, writes_fail;

#define IN_PLACE_OF(name) __asm__(name) __attribute__((visibility("default")))

int failing_sync(int fd) IN_PLACE_OF("fdatasync");
ssize_t failing_write(int fd, const void *data, size_t size, off_t at) IN_PLACE_OF("pwrite");

int failing_sync(int fd) {
    if (syncs_fail && due()) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

ssize_t failing_write(int fd, const void *data, size_t size, off_t at) {
    if (writes_fail && due()) {
        errno = ENOSPC;
        return -1;
    }
    return (ssize_t)syscall(SYS_pwrite64, fd, data, size, at);
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
    assert_true(status == FOB_OK || failed == 1);
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

/* True: the n-th call was there, and failed. */
static int story(int n, int *fails, fob_status_t a, fob_status_t b) {
    char *own = process_folder();
    fob_status_t status = FOB_OK;
    folder = own;
    failed = 0;
    countdown = n;
    *fails = 1;
    fob_once_t *once = open_in(folder, &status);
    expect(status, a, b);
    if (!once)
        once = open_in(folder, &status);
    assert_non_null(once);
    do_key(&once, "k", a, b);
    do_key(&once, "l", a, b);
    look(once, "k", a);
    look(once, "l", a);
    *fails = 0;
    fob_once_destroy(&once);
    once = open_in(folder, &status);
    assert_non_null(once);
    assert_int_equal(begin(once, "k"), FOB_ONCE_DONE);
    assert_int_equal(begin(once, "l"), FOB_ONCE_DONE);
    fob_once_destroy(&once);
    process_folder_remove(&own);
    return failed;
}

static void each_allocation_may_fail(void **state) {
    int n = 1;
    (void)state;
    while (story(n, &memory_fails, FOB_NO_MEMORY, FOB_NO_MEMORY))
        n++;
    assert_true(n > 3);
}

static void each_sync_may_fail(void **state) {
    int n = 1;
    (void)state;
    while (story(n, &syncs_fail, FOB_DISK_FAILED, FOB_DISK_FAILED))
        n++;
    assert_true(n > 2);
}

static void each_write_may_fail(void **state) {
    int n = 1;
    (void)state;
    while (story(n, &writes_fail, FOB_DISK_FULL, FOB_DISK_FAILED))
        n++;
    assert_true(n > 2);
}

FOB_MAIN(FOB_CASE(each_allocation_may_fail), FOB_CASE(each_sync_may_fail),
         FOB_CASE(each_write_may_fail))
