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
static size_t settled_count;

fob_status_t fob_worker_settle(fob_worker_t *self, fob_event_t **event, fob_settle_t how) {
    (void)self;
    settled[fob_event_offset(*event)] = how;
    settled_count++;
    fob_event_destroy(event);
    return FOB_OK;
}

int fob_worker_holds(fob_worker_t *self, const fob_event_t *event) {
    (void)self;
    (void)event;
    return 1;
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
    fob_event_t *event = fob_event_new(blob, fob_blob_slice(blob), &place);
    assert_non_null(event);
    fob_blob_unref(&blob);
    fob_buf_free(&bytes);
    return event;
}

static const fob_cli_t cli = {.command = "test", .quiet = true};

/* Runs the loop of `fob work` until `count` events are settled. */
static void run_until(fob_handlers_t *handlers, size_t count) {
    struct pollfd fds[17];
    long long until = process_clock() + 10000;
    while (settled_count < count) {
        fds[0] = (struct pollfd){.fd = fob_stop_fd(), .events = POLLIN};
        size_t more = fob_handlers_fds(handlers, fds + 1);
        assert_true(process_clock() < until);
        if (poll(fds, 1 + more, 10000) > 0 && fds[0].revents)
            fob_stop_clear();
        fob_handlers_feed(handlers);
        fob_handlers_reap(handlers);
    }
}

static fob_handlers_t *shell(char *script, size_t jobs) {
    static char *command[] = {(char *)"sh", (char *)"-c", NULL, NULL};
    command[2] = script;
    settled_count = 0;
    memset(settled, 0, sizeof settled);
    assert_true(fob_stop_begin(true));
    fob_handlers_t *handlers =
        fob_handlers_new(&cli, NULL, "billing", command, jobs, fob_show_data);
    assert_non_null(handlers);
    return handlers;
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
    long long until = process_clock() + 5000;
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
    fob_handlers_t *handlers = fob_handlers_new(&cli, NULL, "g", command, 1, fob_show_data);
    fob_event_t *event = event_of(3, NULL, fob_slice_str("x"));
    assert_int_equal(fob_handlers_start(handlers, &event), FOB_EXIT_SYSTEM);
    assert_null(event);
    assert_int_equal(settled[3], FOB_RELEASE);
    assert_int_equal(fob_handlers_running(handlers), 0);
    fob_handlers_destroy(&handlers);
}

FOB_MAIN(FOB_CASE(the_exit_code_settles_the_event), FOB_CASE(the_event_is_in_the_environment),
         FOB_CASE(a_missing_key_is_not_inherited), FOB_CASE(large_data_arrives_whole),
         FOB_CASE(a_child_that_does_not_read_blocks_nobody),
         FOB_CASE(children_have_none_of_our_descriptors),
         FOB_CASE(what_still_runs_is_killed_with_its_children),
         FOB_CASE(a_command_that_is_not_there_is_a_usage_error),
         FOB_CASE(an_event_whose_child_cannot_start_is_released))
