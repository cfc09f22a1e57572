/* fob_once: what it says about a key, in one process and in several, over crashes. */
#include "tests/unit/once_kit.h"

#include <pthread.h>

static void begin_k(void) {
    if (begin(open_durable(), "k") != FOB_ONCE_NEW)
        _exit(1);
}

/* --- one process --- */

static void a_key_is_new_then_in_progress_then_done_with_its_result(void **state) {
    fob_once_t *once = open_durable();
    (void)state;
    assert_int_equal(begin(once, "k"), FOB_ONCE_NEW);
    assert_int_equal(begin(once, "k"), FOB_ONCE_IN_PROGRESS);
    assert_int_equal(begin(once, "another"), FOB_ONCE_NEW);
    commit(once, "k", "paid 19.90");
    assert_done(once, "k", "paid 19.90");
    assert_done(once, "k", "paid 19.90");
    fob_once_destroy(&once);
    assert_null(once);
    once = open_durable();
    assert_done(once, "k", "paid 19.90");
    assert_int_equal(begin(once, "another"), FOB_ONCE_NEW);
    fob_once_destroy(&once);
    fob_once_destroy(&once);
}

static void an_aborted_key_is_new_again(void **state) {
    fob_once_t *once = open_durable();
    (void)state;
    assert_int_equal(begin(once, "k"), FOB_ONCE_NEW);
    assert_int_equal(fob_once_abort(once, "k", 1), FOB_OK);
    assert_int_equal(fob_once_abort(once, "k", 1), FOB_NOT_HELD);
    assert_int_equal(begin(once, "k"), FOB_ONCE_NEW);
    fob_once_destroy(&once);
}

static void what_was_not_begun_cannot_be_committed(void **state) {
    fob_once_t *once = open_durable();
    (void)state;
    assert_int_equal(fob_once_commit(once, "k", 1, NULL, 0), FOB_NOT_HELD);
    assert_int_equal(begin(once, "k"), FOB_ONCE_NEW);
    commit(once, "k", "");
    assert_int_equal(fob_once_commit(once, "k", 1, NULL, 0), FOB_NOT_HELD);
    assert_done(once, "k", "");
    fob_once_destroy(&once);
}

static void sizes_beyond_the_limits_are_refused_and_those_at_them_are_not(void **state) {
    static char key[FOB_ONCE_KEY_MAX + 1], result[FOB_ONCE_RESULT_MAX + 1];
    fob_once_t *once = open_durable();
    fob_once_state_t how;
    void *back;
    size_t size;
    (void)state;
    memset(key, 'k', sizeof key);
    assert_int_equal(fob_once_begin(once, key, 0, &how, NULL, NULL), FOB_INVALID);
    assert_int_equal(fob_once_begin(once, key, sizeof key, &how, NULL, NULL), FOB_INVALID);
    assert_int_equal(fob_once_begin(once, key, FOB_ONCE_KEY_MAX, &how, NULL, NULL), FOB_OK);
    assert_int_equal(fob_once_commit(once, key, FOB_ONCE_KEY_MAX, result, sizeof result),
                     FOB_INVALID);
    assert_int_equal(fob_once_commit(once, key, FOB_ONCE_KEY_MAX, result, FOB_ONCE_RESULT_MAX),
                     FOB_OK);
    assert_int_equal(fob_once_begin(once, key, FOB_ONCE_KEY_MAX, &how, &back, &size), FOB_OK);
    assert_int_equal(how, FOB_ONCE_DONE);
    assert_int_equal(size, FOB_ONCE_RESULT_MAX);
    assert_memory_equal(back, result, size);
    free(back);
    fob_once_destroy(&once);
}

static void options_that_are_not_valid_are_refused_with_a_sentence(void **state) {
    fob_once_options_t options = FOB_ONCE_OPTIONS;
    char text[300] = "";
    fob_status_t status = FOB_OK;
    (void)state;
    assert_null(fob_once_new(&options, &status, text, sizeof text));
    assert_int_equal(status, FOB_INVALID);
    assert_non_null(strstr(text, "folder"));
    options.folder = "/no-such-folder-at-all/once";
    assert_null(fob_once_new(&options, &status, text, sizeof text));
    assert_non_null(strstr(text, "cannot make the folder"));
}

static void a_folder_opens_once_in_a_process(void **state) {
    fob_once_t *once = open_durable();
    (void)state;
    assert_refused(0, FOB_FOLDER_IN_USE, "already");
    assert_int_equal(begin(once, "k"), FOB_ONCE_NEW);
    commit(once, "k", "");
    fob_once_destroy(&once);
    once = open_durable();
    fob_once_destroy(&once);
}

/* --- bounds --- */

static void the_oldest_are_forgotten_beyond_the_count(void **state) {
    fob_once_t *once = open_with((fob_once_options_t){.fast = 1, .max_count = 5});
    char key[16];
    (void)state;
    for (int i = 1; i <= 20; i++) {
        sprintf(key, "k%d", i);
        do_key(once, key, "");
    }
    for (int i = 16; i <= 20; i++) {
        sprintf(key, "k%d", i);
        assert_done(once, key, "");
    }
    for (int i = 1; i <= 15; i++) {
        sprintf(key, "k%d", i);
        assert_int_equal(begin(once, key), FOB_ONCE_NEW);
    }
    fob_once_destroy(&once);
}

static void a_lowered_bound_is_reached_in_steps(void **state) {
    fob_once_t *once = open_fast();
    char key[16];
    int done = 0;
    (void)state;
    for (int i = 0; i < 100; i++) {
        sprintf(key, "k%d", i);
        do_key(once, key, "");
    }
    fob_once_destroy(&once);
    once = open_with((fob_once_options_t){.fast = 1, .max_count = 10});
    do_key(once, "more", "");
    for (int i = 0; i < 100; i++) {
        sprintf(key, "k%d", i);
        if (begin(once, key) == FOB_ONCE_DONE)
            done++;
    }
    if (done < 80 || done > 99) /* a few went, not all at once */
        fail_msg("%d are left", done);
    for (int i = 0; i < 20; i++) {
        sprintf(key, "m%d", i);
        do_key(once, key, "");
    }
    done = 0;
    for (int i = 0; i < 20; i++) {
        sprintf(key, "m%d", i);
        done += begin(once, key) == FOB_ONCE_DONE;
    }
    assert_int_equal(done, 10);
    fob_once_destroy(&once);
}

static void the_old_are_forgotten_and_the_young_are_not(void **state) {
    fob_once_t *once = open_with((fob_once_options_t){.fast = 1, .max_age_ms = 300000});
    (void)state;
    do_key(once, "k", "");
    do_key(once, "l", "");
    assert_done(once, "k", "");
    fob_once_destroy(&once);
    once = open_with((fob_once_options_t){.fast = 1, .max_age_ms = 1});
    /* Until the clock has moved on by more than a millisecond. */
    long long until = process_clock() + 60000;
    for (int i = 0; begin(once, "k") == FOB_ONCE_DONE; i++) {
        char key[16];
        sprintf(key, "m%d", i);
        do_key(once, key, "");
        assert_true(process_clock() < until);
    }
    fob_once_destroy(&once);
}

static void a_negative_age_keeps_what_the_count_allows(void **state) {
    fob_once_t *once = open_with((fob_once_options_t){.fast = 1, .max_age_ms = -1});
    (void)state;
    do_key(once, "k", "");
    do_key(once, "l", "");
    assert_done(once, "k", "");
    fob_once_destroy(&once);
}

static void the_map_grows_with_what_is_stored(void **state) {
    static char result[FOB_ONCE_RESULT_MAX];
    fob_once_t *once = open_fast();
    char key[16];
    (void)state;
    for (int i = 0; i < 40; i++) { /* 40 MiB: more than twice the first size */
        sprintf(key, "k%d", i);
        assert_int_equal(begin(once, key), FOB_ONCE_NEW);
        assert_int_equal(fob_once_commit(once, key, strlen(key), result, sizeof result), FOB_OK);
    }
    for (int i = 0; i < 40; i++) {
        sprintf(key, "k%d", i);
        assert_int_equal(begin(once, key), FOB_ONCE_DONE);
    }
    fob_once_destroy(&once);
    once = open_fast();
    assert_int_equal(begin(once, "k39"), FOB_ONCE_DONE);
    fob_once_destroy(&once);
}

/* --- several processes --- */

static void a_key_is_in_progress_for_others_while_its_owner_lives(void **state) {
    (void)state;
    pid_t owner = fork_with(begin_k);
    fob_once_t *once = open_durable();
    assert_int_equal(begin(once, "k"), FOB_ONCE_IN_PROGRESS);
    assert_int_equal(begin(once, "another"), FOB_ONCE_NEW);
    assert_int_equal(kill(owner, SIGSTOP), 0);
    assert_int_equal(begin(once, "k"), FOB_ONCE_IN_PROGRESS);
    kill_it(owner);
    assert_int_equal(begin(once, "k"), FOB_ONCE_NEW);
    fob_once_destroy(&once);
}

static void what_was_committed_survives_kill_9(void **state) {
    (void)state;
    kill_it(fork_with(do_k));
    fob_once_t *once = open_durable();
    assert_done(once, "k", "paid");
    fob_once_destroy(&once);
    char *first = folder;
    folder = process_folder();
    kill_it(fork_with(do_k_fast));
    once = open_fast();
    assert_done(once, "k", "paid");
    fob_once_destroy(&once);
    process_folder_remove(&folder);
    folder = first;
}

static void what_another_process_commits_is_seen_at_once(void **state) {
    fob_once_t *once = NULL;
    (void)state;
    pid_t other = fork_with(do_k);
    once = open_durable();
    assert_done(once, "k", "paid");
    fob_once_destroy(&once);
    kill_it(other);
}

static void grow_it(void) {
    static char result[FOB_ONCE_RESULT_MAX];
    fob_once_t *once = open_fast();
    char key[16];
    for (int i = 0; i < 40; i++) {
        sprintf(key, "g%d", i);
        if (begin(once, key) != FOB_ONCE_NEW ||
            fob_once_commit(once, key, strlen(key), result, sizeof result) != FOB_OK)
            _exit(1);
    }
}

/* The child opens the folder by itself: it must not use what its parent has open. So the parent
 * opens first in a process of its own, and this one looks on. */
static int orders[2], answers[2];

static void follow(void) {
    fob_once_t *once = open_fast();
    char c = 0;
    do_key(once, "mine", "");
    if (write(answers[1], "r", 1) != 1 || read(orders[0], &c, 1) != 1)
        _exit(1);
    assert_int_equal(begin(once, "g39"), FOB_ONCE_DONE); /* reads in the grown map */
    do_key(once, "mine too", "");                        /* writes in it */
}

static void a_map_that_another_process_let_grow_is_followed(void **state) {
    int ends[2];
    char c = 0;
    (void)state;
    assert_int_equal(pipe(orders), 0);
    assert_int_equal(pipe(answers), 0);
    assert_int_equal(pipe(ends), 0);
    pid_t follower = fork();
    if (follower == 0) {
        follow();
        _exit(write(ends[1], "y", 1) == 1 ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(answers[0], &c, 1), 1);
    kill_it(fork_with(grow_it));
    assert_int_equal(write(orders[1], "g", 1), 1);
    assert_int_equal(read(ends[0], &c, 1), 1);
    int status;
    assert_int_equal(waitpid(follower, &status, 0), follower);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < 2; i++) {
        close(orders[i]);
        close(answers[i]);
    }
    close(ends[0]);
}

/* Four processes, the same 300 keys, one of them killed again and again: each key's effect, a byte
 * in a file, is there once, but for those in hand when one was killed. */
#define CONTENDED 300

static void contend(int effects, int seed) {
    fob_once_t *once = open_fast();
    for (int n = 0; n < CONTENDED; n++) {
        char key[16];
        int i = (n * 7 + seed * 53) % CONTENDED;
        sprintf(key, "k%d", i);
        fob_once_state_t how = begin(once, key);
        if (how != FOB_ONCE_NEW)
            continue;
        if (write(effects, &(unsigned short){(unsigned short)i}, 2) != 2)
            _exit(1);
        commit(once, key, "");
    }
    fob_once_destroy(&once);
    _exit(0);
}

static int count_of(const unsigned short *done, size_t size, int i) {
    int count = 0;
    for (size_t at = 0; at < size; at++)
        count += done[at] == i;
    return count;
}

static void many_processes_do_each_key_once(void **state) {
    char path[4200];
    static unsigned short done[10 * CONTENDED];
    pid_t pids[4];
    (void)state;
    snprintf(path, sizeof path, "%s/effects", folder);
    int effects = open(path, O_CREAT | O_APPEND | O_RDWR | O_CLOEXEC, 0600);
    assert_true(effects >= 0);
    int killed = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 4; i++)
            if ((pids[i] = fork()) == 0)
                contend(effects, i);
        if (round < 4) { /* in the middle of it */
            off_t now = lseek(effects, 0, SEEK_END);
            long long until = process_clock() + 60000;
            while (lseek(effects, 0, SEEK_END) < now + 40 && process_clock() < until &&
                   waitpid(pids[1], NULL, WNOHANG) == 0)
                continue;
            assert_int_equal(kill(pids[0], SIGKILL), 0);
            killed++;
        }
        for (int i = 0; i < 4; i++)
            waitpid(pids[i], NULL, 0);
    }
    size_t size = (size_t)pread(effects, done, sizeof done, 0) / 2;
    assert_true(size >= CONTENDED && size <= (size_t)(CONTENDED + killed));
    for (int i = 0; i < CONTENDED; i++)
        assert_true(count_of(done, size, i) >= 1);
    close(effects);
}

static void others_that_sync_otherwise_are_refused_by_name(void **state) {
    (void)state;
    pid_t other = fork_with(do_k);
    assert_refused(1, FOB_FOLDER_IN_USE, "another process");
    kill_it(other);
    fob_once_t *once = open_fast();
    assert_done(once, "k", "paid");
    fob_once_destroy(&once);
}

/* --- threads --- */

typedef struct {
    fob_once_t *once;
    int done;
} thread_t;

static void *run_thread(void *arg) {
    thread_t *self = arg;
    char key[16];
    for (int i = 0; i < 200; i++) {
        fob_once_state_t how;
        sprintf(key, "k%d", i);
        if (fob_once_begin(self->once, key, strlen(key), &how, NULL, NULL) != FOB_OK)
            return (void *)"begin";
        if (how == FOB_ONCE_NEW && i % 5 == 0 && self->done % 2 == 0)
            fob_once_abort(self->once, key, strlen(key));
        else if (how == FOB_ONCE_NEW &&
                 fob_once_commit(self->once, key, strlen(key), key, strlen(key)) != FOB_OK)
            return (void *)"commit";
        self->done += how == FOB_ONCE_NEW;
    }
    return NULL;
}

static void threads_share_a_store(void **state) {
    thread_t threads[4];
    pthread_t ids[4];
    fob_once_t *once = open_fast();
    (void)state;
    for (int i = 0; i < 4; i++) {
        threads[i] = (thread_t){once, 0};
        assert_int_equal(pthread_create(&ids[i], NULL, run_thread, &threads[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(ids[i], &failed);
        assert_null(failed);
    }
    assert_done(once, "k1", "k1");
    assert_done(once, "k199", "k199");
    fob_once_destroy(&once);
}

FOB_MAIN(FOB_CASE_WITH(a_key_is_new_then_in_progress_then_done_with_its_result, set_up, tear_down),
         FOB_CASE_WITH(an_aborted_key_is_new_again, set_up, tear_down),
         FOB_CASE_WITH(what_was_not_begun_cannot_be_committed, set_up, tear_down),
         FOB_CASE_WITH(sizes_beyond_the_limits_are_refused_and_those_at_them_are_not, set_up,
                       tear_down),
         FOB_CASE_WITH(options_that_are_not_valid_are_refused_with_a_sentence, set_up, tear_down),
         FOB_CASE_WITH(a_folder_opens_once_in_a_process, set_up, tear_down),
         FOB_CASE_WITH(the_oldest_are_forgotten_beyond_the_count, set_up, tear_down),
         FOB_CASE_WITH(a_lowered_bound_is_reached_in_steps, set_up, tear_down),
         FOB_CASE_WITH(the_old_are_forgotten_and_the_young_are_not, set_up, tear_down),
         FOB_CASE_WITH(a_negative_age_keeps_what_the_count_allows, set_up, tear_down),
         FOB_CASE_WITH(the_map_grows_with_what_is_stored, set_up, tear_down),
         FOB_CASE_WITH(a_key_is_in_progress_for_others_while_its_owner_lives, set_up, tear_down),
         FOB_CASE_WITH(what_was_committed_survives_kill_9, set_up, tear_down),
         FOB_CASE_WITH(what_another_process_commits_is_seen_at_once, set_up, tear_down),
         FOB_CASE_WITH(a_map_that_another_process_let_grow_is_followed, set_up, tear_down),
         FOB_CASE_WITH(many_processes_do_each_key_once, set_up, tear_down),
         FOB_CASE_WITH(others_that_sync_otherwise_are_refused_by_name, set_up, tear_down),
         FOB_CASE_WITH(threads_share_a_store, set_up, tear_down))
