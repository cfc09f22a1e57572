/* fob_once on a folder that is not as it was left: damaged, of another version, after the machine
 * stopped, without room. */
#include "tests/unit/once_kit.h"

#include <lmdb.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void path_of(char path[4200], const char *name) {
    snprintf(path, 4200, "%s/%s", folder, name);
}

static void fill(int count) {
    fob_once_t *once = open_fast();
    char key[16];
    for (int i = 0; i < count; i++) {
        sprintf(key, "k%d", i);
        do_key(once, key, "some result");
    }
    fob_once_destroy(&once);
}

static void garbage_in_place_of_the_store_is_named(void **state) {
    char path[4200], garbage[8192];
    (void)state;
    path_of(path, "data.mdb");
    memset(garbage, 'x', sizeof garbage);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, garbage, sizeof garbage), sizeof garbage);
    close(fd);
    assert_refused(0, FOB_DAMAGED, "damaged: move the folder away");
}

static void a_store_cut_short_is_named_and_does_not_crash(void **state) {
    char path[4200], text[600];
    struct stat file;
    (void)state;
    fill(2000);
    path_of(path, "data.mdb");
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(truncate(path, 8192), 0); /* the two heads are left */
    fob_once_options_t options = {.version = 1, .folder = folder};
    fob_status_t status = FOB_OK;
    fob_once_t *once = fob_once_new(&options, &status, text, sizeof text);
    if (once) { /* then it is told where it is met */
        fob_once_state_t how;
        status = fob_once_begin(once, "k7", 2, &how, NULL, NULL);
        fob_once_trouble(once, text, sizeof text);
        fob_once_destroy(&once);
    }
    assert_int_equal(status, FOB_DAMAGED);
    assert_non_null(strstr(text, "damaged: move the folder away"));
}

/* Flips a bit in each copy of `what` in the store. */
static void flip(const char *what) {
    static char bytes[1 << 20];
    char path[4200];
    path_of(path, "data.mdb");
    int fd = open(path, O_RDWR);
    size_t size = (size_t)read(fd, bytes, sizeof bytes), length = strlen(what);
    int count = 0;
    for (size_t at = 0; at + length <= size; at++)
        if (memcmp(bytes + at, what, length) == 0) {
            bytes[at] ^= 1;
            count++;
        }
    assert_true(count > 0);
    assert_int_equal(pwrite(fd, bytes, size, 0), size);
    close(fd);
}

static void a_changed_record_is_told_and_not_taken_for_done(void **state) {
    fob_once_state_t how;
    char text[600];
    (void)state;
    fill(3);
    flip("some result");
    fob_once_t *once = open_fast();
    assert_int_equal(fob_once_begin(once, "k1", 2, &how, NULL, NULL), FOB_DAMAGED);
    fob_once_trouble(once, text, sizeof text);
    assert_non_null(strstr(text, "damaged"));
    assert_int_equal(begin(once, "other"), FOB_ONCE_NEW);
    fob_once_destroy(&once);
}

/* What this program does not keep in its store: another table of LMDB, or a later format. */
static void write_top(const char *name, const char *value) {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi top;
    MDB_val k = {strlen(name), (void *)name}, v = {strlen(value), (void *)value};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, folder, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &top), 0);
    assert_int_equal(mdb_put(txn, top, &k, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void a_newer_store_and_a_strangers_are_refused(void **state) {
    (void)state;
    write_top("fob-once format", "\x02");
    assert_refused(0, FOB_FOLDER_NEWER, "newer version");
    char *first = folder;
    folder = process_folder();
    write_top("something", "else");
    assert_refused(0, FOB_DAMAGED, "move the folder away");
    process_folder_remove(&folder);
    folder = first;
}

/* --- without syncs --- */

static void put_mark(const char *boot) {
    char path[4200];
    path_of(path, "unsynced");
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_int_equal(write(fd, boot, strlen(boot)), strlen(boot));
    close(fd);
}

static void a_fast_store_starts_empty_after_the_machine_stopped(void **state) {
    char text[600];
    (void)state;
    kill_it(fork_with(do_k_fast));
    put_mark("another run of the machine");
    fob_once_t *once = open_durable();
    fob_once_trouble(once, text, sizeof text);
    assert_non_null(strstr(text, "starts empty"));
    assert_int_equal(begin(once, "k"), FOB_ONCE_NEW);
    fob_once_destroy(&once);
}

static void a_fast_store_that_was_closed_is_believed(void **state) {
    char path[4200];
    (void)state;
    fill(1);
    path_of(path, "unsynced");
    assert_int_equal(access(path, F_OK), -1);
    kill_it(fork_with(do_k_fast));
    assert_int_equal(access(path, F_OK), 0);
    fob_once_t *once = open_durable(); /* the same run of the machine: synced now */
    assert_int_equal(access(path, F_OK), -1);
    assert_done(once, "k", "paid");
    assert_done(once, "k0", "some result");
    fob_once_destroy(&once);
}

/* --- a disk without room --- */

static void a_full_disk_is_told_and_nothing_is_lost(void **state) {
    static char result[FOB_ONCE_RESULT_MAX];
    struct rlimit before, limit;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    fob_once_t *once = open_fast();
    do_key(once, "first", "kept");
    assert_int_equal(begin(once, "k"), FOB_ONCE_NEW);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 256 << 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fob_status_t status = fob_once_commit(once, "k", 1, result, sizeof result);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    if (status != FOB_DISK_FULL && status != FOB_DISK_FAILED)
        fail_msg("%s", fob_status_name(status));
    assert_done(once, "first", "kept");
    assert_int_equal(begin(once, "k"), FOB_ONCE_IN_PROGRESS);
    assert_int_equal(fob_once_commit(once, "k", 1, result, sizeof result), FOB_OK);
    fob_once_destroy(&once);
}

FOB_MAIN(FOB_CASE_WITH(garbage_in_place_of_the_store_is_named, set_up, tear_down),
         FOB_CASE_WITH(a_store_cut_short_is_named_and_does_not_crash, set_up, tear_down),
         FOB_CASE_WITH(a_changed_record_is_told_and_not_taken_for_done, set_up, tear_down),
         FOB_CASE_WITH(a_newer_store_and_a_strangers_are_refused, set_up, tear_down),
         FOB_CASE_WITH(a_fast_store_starts_empty_after_the_machine_stopped, set_up, tear_down),
         FOB_CASE_WITH(a_fast_store_that_was_closed_is_believed, set_up, tear_down),
         FOB_CASE_WITH(a_full_disk_is_told_and_nothing_is_lost, set_up, tear_down))
