/* The children of `fob work`, with a worker that only notes how each event was settled. */
#include "tests/support/case.h"
#include "tests/support/process.h"

#include "proto/cli/output.h"
#include "proto/cli/show.h"
#include "proto/event.h"
#include "subscribers/commands/handlers.h"

#include <stdlib.h>
#include <unistd.h>

/* --- in place of the library --- */

static fob_settle_t settled[16]; /* by offset */
static char reasons[16][300];
static bool lost[16];
static size_t settled_count;

static fob_status_t note(fob_event_t **event, fob_settle_t how, const char *reason) {
    uint64_t offset = fob_event_offset(*event);
    bool stale = lost[offset];
    if (!stale)
        settled[offset] = how;
    snprintf(reasons[offset], sizeof reasons[offset], "%s", reason ? reason : "(none)");
    settled_count++;
    fob_event_destroy(event);
    return stale ? FOB_STALE : FOB_OK;
}

fob_status_t fob_worker_settle(fob_worker_t *self, fob_event_t **event, fob_settle_t how) {
    (void)self;
    return note(event, how, NULL);
}

fob_status_t fob_worker_retry(fob_worker_t *self, fob_event_t **event, int64_t after_ms,
                              const char *reason) {
    (void)self;
    assert_int_equal(after_ms, 0);
    return note(event, FOB_RETRY, reason);
}

fob_status_t fob_worker_reject(fob_worker_t *self, fob_event_t **event, const char *reason) {
    (void)self;
    return note(event, FOB_REJECT, reason);
}

int fob_worker_lost(fob_worker_t *self, const fob_event_t *event, char *why, size_t size) {
    (void)self;
    snprintf(why, size, "its lease of 5s ran out");
    return lost[fob_event_offset(event)];
}

/* --- helpers --- */

static fob_event_t *event_of(uint64_t offset, const char *key, fob_slice_t data) {
    fob_envelope_t envelope = {.topic = fob_slice_str("shop.order_placed"),
                               .key = fob_slice_str(key),
                               .datacontenttype = fob_slice_str("text/plain"),
                               .data = data};
    fob_event_place_t place = {.offset = offset, .attempt = 2, .token = 77};
    fob_buf_t bytes = {0};
    assert_int_equal(fob_envelope_write(&bytes, 10000000, &envelope), FOB_OK);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&bytes));
    fob_event_t *event = fob_event_new(NULL, blob, fob_blob_slice(blob), &place);
    assert_non_null(event);
    fob_blob_unref(&blob);
    fob_buf_free(&bytes);
    return event;
}

static const fob_cli_t cli = {.command = "test", .quiet = true};

/* One round of the loop of `fob work`. */
static void round_run(fob_handlers_t *handlers) {
    struct pollfd fds[64];
    assert_true(fob_handlers_most(handlers) < 64);
    fds[0] = (struct pollfd){.fd = fob_stop_fd(), .events = POLLIN};
    size_t more = fob_handlers_fds(handlers, fds + 1);
    int pause = fob_handlers_pause(handlers);
    if (poll(fds, 1 + more, pause < 0 || pause > 1000 ? 1000 : pause) > 0 && fds[0].revents)
        fob_stop_clear();
    fob_handlers_move(handlers);
}

static void run_until(fob_handlers_t *handlers, size_t count) {
    long long until = process_clock() + 60000;
    while (settled_count < count) {
        assert_true(process_clock() < until);
        round_run(handlers);
    }
}

static fob_handlers_t *shell_with(char *script, size_t jobs, int64_t timeout_ms, int64_t kill_ms) {
    static char *command[] = {(char *)"sh", (char *)"-c", NULL, NULL};
    command[2] = script;
    settled_count = 0;
    memset(settled, 0, sizeof settled);
    memset(lost, 0, sizeof lost);
    assert_true(fob_stop_begin(true));
    fob_handlers_t *handlers = fob_handlers_new(&(fob_handlers_options_t){.cli = &cli,
                                                                          .group = "billing",
                                                                          .command = command,
                                                                          .jobs = jobs,
                                                                          .timeout_ms = timeout_ms,
                                                                          .kill_ms = kill_ms,
                                                                          .show = fob_show_data});
    assert_non_null(handlers);
    return handlers;
}

static fob_handlers_t *shell(char *script, size_t jobs) {
    return shell_with(script, jobs, 0, 0);
}

static void start(fob_handlers_t *handlers, uint64_t offset, const char *key, fob_slice_t data) {
    fob_event_t *event = event_of(offset, key, data);
    assert_int_equal(fob_handlers_start(handlers, &event), FOB_EXIT_OK);
    assert_null(event);
}

/* --- cases --- */

static void the_exit_code_settles_the_event(void **state) {
    char script[] = "read code; case $code in 9) kill -9 $$;; *) exit $code;; esac";
    fob_handlers_t *handlers = shell(script, 6);
    static const struct {
        const char *code;
        fob_settle_t how;
    } table[] = {{"0\n", FOB_ACK},   {"65\n", FOB_REJECT}, {"75\n", FOB_RELEASE},
                 {"1\n", FOB_RETRY}, {"66\n", FOB_RETRY},  {"9\n", FOB_RETRY}};
    (void)state;
    for (size_t i = 0; i < 6; i++)
        start(handlers, i + 1, NULL, fob_slice_str(table[i].code));
    assert_int_equal(fob_handlers_running(handlers), 6);
    run_until(handlers, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(settled[i + 1], table[i].how);
    assert_int_equal(fob_handlers_running(handlers), 0);
    fob_handlers_destroy(&handlers);
}

static void the_event_is_in_the_environment(void **state) {
    char script[] =
        "test \"$FOB_TOPIC $FOB_OFFSET $FOB_ID $FOB_KEY $FOB_ATTEMPT $FOB_GROUP $FOB_TOKEN $(cat)\""
        " = 'shop.order_placed 5 0-5 c-7 2 billing 77 hello'";
    setenv("FOB_KEY", "inherited", 1);
    fob_handlers_t *handlers = shell(script, 1);
    (void)state;
    start(handlers, 5, "c-7", fob_slice_str("hello"));
    run_until(handlers, 1);
    assert_int_equal(settled[5], FOB_ACK);
    fob_handlers_destroy(&handlers);
}

static void a_missing_key_is_not_inherited(void **state) {
    char script[] = "test \"${FOB_KEY-unset}\" = unset";
    setenv("FOB_KEY", "inherited", 1);
    fob_handlers_t *handlers = shell(script, 1);
    (void)state;
    start(handlers, 1, NULL, fob_slice_str("x"));
    run_until(handlers, 1);
    assert_int_equal(settled[1], FOB_ACK);
    unsetenv("FOB_KEY");
    fob_handlers_destroy(&handlers);
}

static void large_data_arrives_whole(void **state) {
    char script[] = "test $(wc -c) = 3000000";
    fob_handlers_t *handlers = shell(script, 1);
    char *data = malloc(3000000);
    (void)state;
    assert_non_null(data);
    memset(data, 'x', 3000000);
    start(handlers, 1, NULL, fob_slice(data, 3000000));
    free(data);
    run_until(handlers, 1);
    assert_int_equal(settled[1], FOB_ACK);
    fob_handlers_destroy(&handlers);
}

static void a_child_that_does_not_read_blocks_nobody(void **state) {
    char script[] =
        "if [ $FOB_OFFSET = 2 ]; then exit 0; fi; exec 3<&0 0</dev/null; read -r line <\"$FIFO\"";
    char *folder = process_folder(), fifo[4200], data[200000];
    (void)state;
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    const char *const mkfifo_argv[] = {"mkfifo", fifo, NULL};
    assert_int_equal(process_run(mkfifo_argv, NULL, NULL, NULL), 0);
    setenv("FIFO", fifo, 1);
    fob_handlers_t *handlers = shell(script, 2);
    memset(data, 'x', sizeof data);
    start(handlers, 1, NULL, fob_slice(data, sizeof data)); /* more than a pipe holds */
    start(handlers, 2, NULL, fob_slice(data, sizeof data)); /* ends without reading */
    run_until(handlers, 1);
    assert_int_equal(settled[2], FOB_ACK);
    assert_int_equal(fob_handlers_running(handlers), 1);
    FILE *go = fopen(fifo, "w");
    assert_non_null(go);
    fputs("go\n", go);
    fclose(go);
    run_until(handlers, 2);
    assert_int_equal(settled[1], FOB_ACK);
    fob_handlers_destroy(&handlers);
    process_folder_remove(&folder);
}

static void children_have_none_of_our_descriptors(void **state) {
    char script[] =
        "test -z \"$(ls /proc/self/fd | grep -vx '[0123]')\""; /* ls has 3 for the folder */
    (void)state;
    close_range(3, ~0U, 0); /* what we were started with is not ours */
    fob_handlers_t *handlers = shell(script, 2);
    start(handlers, 1, NULL, fob_slice_str("x"));
    start(handlers, 2, NULL, fob_slice_str("x"));
    run_until(handlers, 2);
    assert_int_equal(settled[1], FOB_ACK);
    assert_int_equal(settled[2], FOB_ACK);
    fob_handlers_destroy(&handlers);
}

static void what_still_runs_is_killed_with_its_children(void **state) {
    char script[] = "sh -c 'echo $$ > \"$PIDS\"; exec cat \"$PIDS.fifo\"'; true";
    char *folder = process_folder(), pids[4200], fifo[4300];
    (void)state;
    snprintf(pids, sizeof pids, "%s/pids", folder);
    snprintf(fifo, sizeof fifo, "%s.fifo", pids);
    const char *const mkfifo_argv[] = {"mkfifo", fifo, NULL};
    assert_int_equal(process_run(mkfifo_argv, NULL, NULL, NULL), 0);
    setenv("PIDS", pids, 1);
    fob_handlers_t *handlers = shell(script, 1);
    fob_event_t *event = event_of(1, NULL, fob_slice_str("x")), *mine = event;
    assert_int_equal(fob_handlers_start(handlers, &event), FOB_EXIT_OK);
    FILE *there = fopen(fifo, "w"); /* returns once the grandchild has opened it */
    assert_non_null(there);
    fob_handlers_destroy(&handlers);
    assert_int_equal(settled_count, 0);
    fob_event_destroy(&mine); /* as the worker does for what is still out */
    setvbuf(there, NULL, _IONBF, 0);
    long long until = process_clock() + 60000;
    while (fputs("x", there) >= 0) /* EPIPE once the last reader has gone */
        assert_true(process_clock() < until);
    fclose(there);
    process_folder_remove(&folder);
}

static void a_command_that_is_not_there_is_a_usage_error(void **state) {
    (void)state;
    assert_int_equal(fob_handlers_check(&cli, "sh"), FOB_EXIT_OK);
    assert_int_equal(fob_handlers_check(&cli, "/bin/sh"), FOB_EXIT_OK);
    assert_int_equal(fob_handlers_check(&cli, "no-such-command-at-all"), FOB_EXIT_USAGE);
    assert_int_equal(fob_handlers_check(&cli, "/no/such/command"), FOB_EXIT_USAGE);
}

static void an_event_whose_child_cannot_start_is_released(void **state) {
    static char *command[] = {(char *)"/no/such/command", NULL};
    (void)state;
    settled_count = 0;
    assert_true(fob_stop_begin(true));
    fob_handlers_t *handlers = fob_handlers_new(&(fob_handlers_options_t){
        .cli = &cli, .group = "g", .command = command, .jobs = 1, .show = fob_show_data});
    fob_event_t *event = event_of(3, NULL, fob_slice_str("x"));
    assert_int_equal(fob_handlers_start(handlers, &event), FOB_EXIT_SYSTEM);
    assert_null(event);
    assert_int_equal(settled[3], FOB_RELEASE);
    assert_int_equal(fob_handlers_running(handlers), 0);
    fob_handlers_destroy(&handlers);
}

static void the_reason_is_the_exit_and_the_last_line_of_standard_error(void **state) {
    char script[] = "case $FOB_OFFSET in\n"
                    "1) exit 3;;\n"
                    "2) kill -9 $$;;\n"
                    "3) echo 'no such order' >&2; exit 65;;\n"
                    "4) printf 'first\\n\\tlast \\033[1mone  \\n\\n \\n' >&2; exit 1;;\n"
                    "5) printf 'cut short' >&2; exit 1;;\n"
                    "6) head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1;;\n"
                    "7) echo not a fault >&2; exit 0;;\n"
                    "8) printf 'bad \\377 bytes\\n' >&2; exit 1;;\n"
                    "esac";
    static const char *const expected[] = {"",
                                           "exit 3",
                                           "signal 9 (Killed)",
                                           "exit 65: no such order",
                                           "exit 1: last  [1mone",
                                           "exit 1: cut short",
                                           NULL,
                                           "(none)",
                                           "exit 1: bad ? bytes"};
    (void)state;
    for (uint64_t n = 1; n <= 8; n++) {
        fob_handlers_t *handlers = shell(script, 1);
        start(handlers, n, NULL, fob_slice_str("x"));
        run_until(handlers, 1);
        if (expected[n])
            assert_string_equal(reasons[n], expected[n]);
        else
            assert_int_equal(strlen(reasons[n]), strlen("exit 1: ") + 200);
        fob_handlers_destroy(&handlers);
    }
}

static void a_command_that_takes_too_long_is_ended_and_retried(void **state) {
    char script[] = "echo waiting >&2; sleep 100";
    fob_handlers_t *handlers = shell_with(script, 1, 200, 0);
    (void)state;
    start(handlers, 1, NULL, fob_slice_str("x"));
    assert_in_range(fob_handlers_pause(handlers), 0, 200);
    run_until(handlers, 1);
    assert_int_equal(settled[1], FOB_RETRY);
    assert_string_equal(reasons[1], "timed out after 200ms: waiting");
    assert_int_equal(fob_handlers_pause(handlers), -1);
    fob_handlers_destroy(&handlers);
}

static void a_command_that_ends_well_once_it_was_told_to_end_is_not_done(void **state) {
    char script[] = "trap 'exit 0' TERM; while :; do sleep 0.01; done";
    fob_handlers_t *handlers = shell_with(script, 1, 200, 0);
    (void)state;
    start(handlers, 1, NULL, fob_slice_str("x"));
    run_until(handlers, 1);
    assert_int_equal(settled[1], FOB_RETRY);
    assert_string_equal(reasons[1], "timed out after 200ms");
    fob_handlers_destroy(&handlers);
}

static void a_command_that_does_not_end_is_killed_with_all_it_started(void **state) {
    char script[] = "trap '' TERM; sh -c 'trap \"\" TERM; exec cat \"$FIFO\"'; cat \"$FIFO\"";
    char *folder = process_folder(), fifo[4200];
    (void)state;
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    const char *const mkfifo_argv[] = {"mkfifo", fifo, NULL};
    assert_int_equal(process_run(mkfifo_argv, NULL, NULL, NULL), 0);
    setenv("FIFO", fifo, 1);
    fob_handlers_t *handlers = shell_with(script, 1, 300, 200);
    start(handlers, 1, NULL, fob_slice_str("x"));
    FILE *there = fopen(fifo, "w"); /* returns once the grandchild has opened it */
    assert_non_null(there);
    long long begin = process_clock();
    run_until(handlers, 1);
    assert_true(process_clock() - begin >= 200);
    assert_int_equal(settled[1], FOB_RETRY);
    setvbuf(there, NULL, _IONBF, 0);
    long long until = process_clock() + 60000;
    while (fputs("x", there) >= 0) /* EPIPE once the last reader has gone */
        assert_true(process_clock() < until);
    fclose(there);
    fob_handlers_destroy(&handlers);
    process_folder_remove(&folder);
}

static void a_command_whose_lease_is_lost_is_ended_and_not_settled(void **state) {
    char script[] = "if [ $FOB_OFFSET = 1 ]; then sleep 100; fi";
    fob_handlers_t *handlers = shell(script, 2);
    (void)state;
    start(handlers, 1, NULL, fob_slice_str("x"));
    start(handlers, 2, NULL, fob_slice_str("x"));
    run_until(handlers, 1);
    assert_int_equal(settled[2], FOB_ACK);
    assert_int_equal(fob_handlers_running(handlers), 1);
    lost[1] = true;
    run_until(handlers, 2);
    assert_int_equal(settled[1], 0);
    assert_int_equal(fob_handlers_running(handlers), 0);
    fob_handlers_destroy(&handlers);
}

FOB_MAIN(FOB_CASE(the_exit_code_settles_the_event), FOB_CASE(the_event_is_in_the_environment),
         FOB_CASE(a_missing_key_is_not_inherited), FOB_CASE(large_data_arrives_whole),
         FOB_CASE(a_child_that_does_not_read_blocks_nobody),
         FOB_CASE(what_still_runs_is_killed_with_its_children),
         FOB_CASE(a_command_that_is_not_there_is_a_usage_error),
         FOB_CASE(an_event_whose_child_cannot_start_is_released),
         FOB_CASE(the_reason_is_the_exit_and_the_last_line_of_standard_error),
         FOB_CASE(a_command_that_takes_too_long_is_ended_and_retried),
         FOB_CASE(a_command_that_ends_well_once_it_was_told_to_end_is_not_done),
         FOB_CASE(a_command_that_does_not_end_is_killed_with_all_it_started),
         FOB_CASE(a_command_whose_lease_is_lost_is_ended_and_not_settled),
         FOB_CASE(children_have_none_of_our_descriptors)) /* last: it closes the others' too */
