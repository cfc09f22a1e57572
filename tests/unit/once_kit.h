/* once_kit: a folder for each case, and the words its stories are told in. */
#ifndef FOB_TESTS_ONCE_KIT_H
#define FOB_TESTS_ONCE_KIT_H

#include "tests/support/case.h"
#include "tests/support/process.h"

#include <fcntl.h>
#include <fob/fob_once.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder;

static inline int set_up(void **state) {
    (void)state;
    folder = process_folder();
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    process_folder_remove(&folder);
    return 0;
}

static inline fob_once_t *open_with(fob_once_options_t options) {
    char text[300];
    options.version = 1;
    options.folder = folder;
    fob_once_t *once = fob_once_new(&options, NULL, text, sizeof text);
    if (!once)
        fail_msg("%s", text);
    return once;
}

static inline fob_once_t *open_fast(void) {
    return open_with((fob_once_options_t){.fast = 1});
}

static inline fob_once_t *open_durable(void) {
    return open_with((fob_once_options_t){0});
}

static inline fob_once_state_t begin(fob_once_t *once, const char *key) {
    fob_once_state_t state;
    assert_int_equal(fob_once_begin(once, key, strlen(key), &state, NULL, NULL), FOB_OK);
    return state;
}

static inline void commit(fob_once_t *once, const char *key, const char *result) {
    assert_int_equal(fob_once_commit(once, key, strlen(key), result, strlen(result)), FOB_OK);
}

static inline void do_key(fob_once_t *once, const char *key, const char *result) {
    assert_int_equal(begin(once, key), FOB_ONCE_NEW);
    commit(once, key, result);
}

static inline void assert_done(fob_once_t *once, const char *key, const char *expected) {
    fob_once_state_t state;
    void *result;
    size_t size;
    assert_int_equal(fob_once_begin(once, key, strlen(key), &state, &result, &size), FOB_OK);
    assert_int_equal(state, FOB_ONCE_DONE);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(result, expected);
    free(result);
}

/* Opening fails with this status, and the sentence names the folder and holds `word`. */
static inline void assert_refused(int fast, fob_status_t expected, const char *word) {
    fob_once_options_t options = {.version = 1, .folder = folder, .fast = fast};
    char text[5000] = "";
    fob_status_t status = FOB_OK;
    fob_once_t *once = fob_once_new(&options, &status, text, sizeof text);
    assert_null(once);
    if (status != expected || !strstr(text, folder) || !strstr(text, word))
        fail_msg("%s: %s", fob_status_name(status), text);
}

/* --- a process of its own, that says 'y' when it is done with `act`, then waits for its end --- */

typedef void(act_fn)(void);

static inline pid_t fork_with(act_fn *act) {
    int ends[2];
    char said = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        act();
        said = write(ends[1], "y", 1) == 1;
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &said, 1), 1);
    assert_int_equal(said, 'y');
    close(ends[0]);
    return pid;
}

static inline void kill_it(pid_t pid) {
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static inline void do_k(void) {
    do_key(open_durable(), "k", "paid");
}

static inline void do_k_fast(void) {
    do_key(open_fast(), "k", "paid");
}

#endif
