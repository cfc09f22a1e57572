/* One holder: over a killed bus, a stopped worker, a handler that takes too long. */
#include "tests/support/case.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define HELD 400

/* A handler that writes its event's offset and waits for the file `go`, or the end of the test. */
static char *waiting_handler(const stand_t *stand) {
    char *words = NULL;
    assert_true(asprintf(&words,
                         "work billing order_placed --prefetch 100 -- sh -c "
                         "'echo $FOB_OFFSET >> \"%s/begun\"; "
                         "while test -d \"%s\" -a ! -e \"%s/go\"; do sleep 0.02; done'",
                         stand->folder, stand->folder, stand->folder) > 0);
    return words;
}

static void touch(const stand_t *stand, const char *name) {
    char *path = stand_path(stand, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    free(path);
}

/* How often each offset stands in the file; gives the number of lines. */
static size_t count_offsets(const stand_t *stand, const char *name, unsigned char *seen,
                            size_t most) {
    char *path = stand_path(stand, name), *text = stand_read(path);
    size_t lines = 0;
    for (char *rest = text, *line; (line = stand_line(&rest)) != NULL; lines++) {
        size_t offset = strtoul(line, NULL, 10);
        assert_in_range(offset, 1, most);
        seen[offset - 1]++;
    }
    free(text);
    free(path);
    return lines;
}

static void a_bus_killed_while_four_workers_hold_400_causes_no_second_handling(void **state) {
    (void)state;
    stand_t stand;
    stand_start_with(&stand, pace_beat(5000, NULL), NULL); /* they are back within three */
    char *words = waiting_handler(&stand), *nowhere = stand_path(&stand, "nowhere");
    process_t *workers[4];
    for (int i = 0; i < 4; i++)
        workers[i] = stand_fob_to(nowhere, words);
    stand_await_workers(&stand, 4);
    stand_publish("order_placed", HELD);
    stand_await(&stand, "billing", "leased", HELD);
    stand_kill_bus(&stand);
    stand_await_workers(&stand, 4);
    touch(&stand, "go");
    stand_await(&stand, "billing", "acked", HELD);
    unsigned char seen[HELD] = {0};
    size_t lines = count_offsets(&stand, "begun", seen, HELD);
    printf("%zu handlers for %d events, %lld redelivered\n", lines, HELD,
           stand_figure(&stand, "billing", "redelivered"));
    assert_int_equal(lines, HELD);
    for (int i = 0; i < HELD; i++)
        assert_int_equal(seen[i], 1);
    for (int i = 0; i < 4; i++) {
        process_signal(workers[i], SIGTERM);
        assert_int_equal(process_wait(workers[i], PACE_PATIENCE), 0);
        process_destroy(&workers[i]);
    }
    free(words);
    free(nowhere);
    stand_end(&stand);
}

static void a_stopped_worker_is_told_and_its_settle_is_refused_by_name(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    char *words = waiting_handler(&stand), *nowhere = stand_path(&stand, "nowhere");
    process_t *stopped = stand_fob_to(nowhere, words);
    stand_await_workers(&stand, 1);
    stand_publish("order_placed", 1);
    stand_await(&stand, "billing", "leased", 1);
    process_signal(stopped, SIGSTOP);
    process_t *other = process_fob("work", "billing", "order_placed", "--json", "-n", "1", NULL);
    const char *line = process_line(other, PROCESS_OUT, PACE_PATIENCE);
    assert_non_null(line);
    assert_non_null(strstr(line, "\"attempt\":2"));
    assert_int_equal(process_wait(other, PACE_PATIENCE), 0);
    process_signal(stopped, SIGCONT);
    const char *said = process_line_with(stopped, PROCESS_ERR, "lease", PACE_PATIENCE);
    if (!said)
        fail_msg("the stopped worker says nothing of its lease");
    printf("%s\n", said);
    touch(&stand, "go");
    process_signal(stopped, SIGTERM);
    assert_int_equal(process_wait(stopped, PACE_PATIENCE), 0);
    assert_int_equal(stand_figure(&stand, "billing", "acked"), 1);
    process_destroy(&stopped);
    process_destroy(&other);
    free(words);
    free(nowhere);
    stand_end(&stand);
}

static void a_handler_beyond_its_lease_is_ended_and_the_event_comes_again(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    char lease[32]; /* a handler says that it has begun within it */
    snprintf(lease, sizeof lease, "lease=%s", pace_option(3000));
    free(stand_do("group", "add", "billing", "order_placed", lease, "backoff_first=10ms",
                  "max_attempts=3", NULL));
    char *words = waiting_handler(&stand), *nowhere = stand_path(&stand, "nowhere");
    process_t *worker = stand_fob_to(nowhere, words);
    stand_await_workers(&stand, 1);
    stand_publish("order_placed", 1);
    stand_await(&stand, "billing", "dead", 1);
    char *out = stand_do("dead", "show", "billing", "1", "--json", NULL);
    if (!strstr(out, "lease"))
        fail_msg("the history does not tell of the lease: %s", out);
    free(out);
    unsigned char seen[1] = {0};
    count_offsets(&stand, "begun", seen, 1);
    assert_int_equal(seen[0], 3);
    touch(&stand, "go");
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, PACE_PATIENCE), 0);
    process_destroy(&worker);
    free(words);
    free(nowhere);
    stand_end(&stand);
}

static void a_command_beyond_its_timeout_is_ended_and_tried_again(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    free(stand_do("group", "add", "billing", "order_placed", "backoff_first=10ms", "max_attempts=2",
                  NULL));
    process_t *worker = process_fob("work", "billing", "order_placed", "--timeout", "200ms", "--",
                                    "sleep", "60", NULL);
    stand_await_workers(&stand, 1);
    stand_publish("order_placed", 1);
    stand_await(&stand, "billing", "dead", 1);
    char *out = stand_do("dead", "show", "billing", "1", "--json", NULL);
    if (!strstr(out, "timed out"))
        fail_msg("the history does not tell of the timeout: %s", out);
    free(out);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, PACE_PATIENCE), 0);
    process_destroy(&worker);
    stand_end(&stand);
}

FOB_MAIN(FOB_CASE(a_bus_killed_while_four_workers_hold_400_causes_no_second_handling),
         FOB_CASE(a_stopped_worker_is_told_and_its_settle_is_refused_by_name),
         FOB_CASE(a_handler_beyond_its_lease_is_ended_and_the_event_comes_again),
         FOB_CASE(a_command_beyond_its_timeout_is_ended_and_tried_again))
