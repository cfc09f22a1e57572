/* fob work: time, leases, reasons, where a group begins. */
#include "tests/integration/cmd.h"

/* The reasons of a dead letter's attempts, in order, as "reason|text" a line. */
static void reasons(cmd_t *self, const char *group, const char *offset, char *out, size_t size) {
    size_t index, at = 0;
    json_t *attempt;
    DO(self, "dead", "show", group, offset, "--json");
    json_t *letter = parse(self->out);
    json_array_foreach(json_object_get(letter, "history"), index, attempt) {
        at += (size_t)snprintf(out + at, size - at, "%s|%s\n", text(attempt, "reason"),
                               text(attempt, "text"));
    }
    json_decref(letter);
}

static void every_attempt_says_why_it_failed(void **state) {
    cmd_t *self = *state;
    char why[500];
    DO(self, "group", "add", "g", "t", "backoff_first=1ms", "backoff_max=1ms", "max_attempts=3");
    DO(self, "pub", "t", "1");
    DO(self, "work", "g", "t", "--count", "3", "--", "sh", "-c",
       "case $FOB_ATTEMPT in 1) echo 'no such order' >&2; exit 3;; 2) kill -9 $$;; *) exit 4;; "
       "esac");
    assert_string_equal(self->err, "no such order\n");
    await_figure(self, "g", "dead", 1);
    reasons(self, "g", "1", why, sizeof why);
    assert_string_equal(why, "retry|exit 3: no such order\nretry|signal 9 (Killed)\n"
                             "retry|exit 4\n");
}

static void a_rejected_event_says_why(void **state) {
    cmd_t *self = *state;
    char why[500];
    DO(self, "group", "add", "g", "t");
    DO(self, "pub", "t", "1");
    DO(self, "work", "g", "t", "--count", "1", "--", "sh", "-c",
       "echo 'not an order' >&2; exit 65");
    reasons(self, "g", "1", why, sizeof why);
    assert_string_equal(why, "reject|exit 65: not an order\n");
}

static void a_command_that_takes_too_long_is_ended_and_the_event_comes_again(void **state) {
    cmd_t *self = *state;
    char why[500];
    DO(self, "group", "add", "g", "t", "backoff_first=1ms", "backoff_max=1ms", "max_attempts=2");
    DO(self, "pub", "t", "1");
    DO(self, "work", "g", "t", "--count", "2", "--timeout", "300ms", "--", "sleep", "60");
    reasons(self, "g", "1", why, sizeof why);
    assert_string_equal(why, "retry|timed out after 300ms\nretry|timed out after 300ms\n");
}

static void a_command_whose_lease_runs_out_is_ended_and_said_to_be(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t", "backoff_first=1ms", "backoff_max=1ms");
    process_t *work =
        process_fob("work", "g", "t", "--lease", "500ms", "--count", "1", "-v", "--", "sh", "-c",
                    "if [ $FOB_ATTEMPT = 1 ]; then exec sleep 60; fi", NULL);
    if (!process_line_with(work, PROCESS_ERR, "a handler may take 500ms", WAIT_MS))
        fail_msg("the bound was not told");
    DO(self, "pub", "t", "1");
    if (!process_line_with(work, PROCESS_ERR, "the lease is lost (", WAIT_MS))
        fail_msg("the loss was not told");
    process_signal(work, SIGTERM);
    assert_int_equal(process_wait(work, WAIT_MS), 0); /* the command was ended */
    process_destroy(&work);
    await_figure(self, "g", "acked", 0);
    DO(self, "work", "g", "t", "--count", "1", "--", "sh", "-c", "test $FOB_ATTEMPT = 2");
    assert_int_equal(figure(self, "g", "acked"), 1);
}

/* The shell ignores TERM, and so does what it starts: only KILL ends it, 5 s later. The lease is
 * long enough for what comes next on a slow machine. */
#define HANGS "if [ $FOB_OFFSET$FOB_ATTEMPT = 11 ]; then trap '' TERM; sleep 60; fi; "

static void an_event_behind_a_handler_that_will_not_end_loses_no_attempt(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t", "backoff_first=1ms", "backoff_max=1ms", "lease=4s");
    process_t *work = process_fob("work", "g", "t", "--prefetch", "2", "--count", "3", "-v", "--",
                                  "sh", "-c", HANGS "echo $FOB_OFFSET as $FOB_ATTEMPT", NULL);
    if (!process_line_with(work, PROCESS_ERR, "a handler may take 4s", WAIT_MS))
        fail_msg("the bound was not told");
    DO(self, "pub", "t", "1");
    DO(self, "pub", "t", "2");
    if (!process_line_with(work, PROCESS_ERR, "the lease is lost (", WAIT_MS))
        fail_msg("the loss was not told");
    long long lost = process_clock();
    await_figure(self, "g", "leased", 0); /* the second went back at once */
    DO(self, "group", "show", "g");
    if (!strstr(self->out,
                "2 ready, the handlers of the 1 worker are past their lease and have not ended") &&
        process_clock() - lost < 4000) /* else we looked too late */
        fail_msg("%s", self->out);
    assert_string_equal(process_line(work, PROCESS_OUT, WAIT_MS), "1 as 2");
    assert_string_equal(process_line(work, PROCESS_OUT, WAIT_MS), "2 as 1");
    assert_int_equal(process_wait(work, WAIT_MS), 0);
    process_destroy(&work);
    await_figure(self, "g", "acked", 2);
}

/* The best of some, as others run beside us. */
static void a_lost_lease_is_noticed_while_all_jobs_are_busy(void **state) {
    cmd_t *self = *state;
    long long best = WAIT_MS;
    DO(self, "group", "add", "g", "t", "lease=500ms");
    process_t *work = process_fob("work", "g", "t", "-v", "--", "sh", "-c",
                                  "if [ $FOB_ATTEMPT = 1 ]; then exec sleep 60; fi", NULL);
    if (!process_line_with(work, PROCESS_ERR, "a handler may take 500ms", WAIT_MS))
        fail_msg("the bound was not told");
    bool late = true;
    for (int i = 0; i < 12 && late; i++) {
        long long began = process_clock();
        DO(self, "pub", "t", "1");
        if (!process_line_with(work, PROCESS_ERR, "the lease is lost (", WAIT_MS))
            fail_msg("the loss was not told");
        long long took = process_clock() - began;
        late = process_late(took, 850, process_lag());
        best = took < best ? took : best;
        await_figure(self, "g", "acked", i + 1);
    }
    printf("told after %lld ms\n", best);
    assert_false(late);
    process_signal(work, SIGTERM);
    assert_int_equal(process_wait(work, WAIT_MS), 0);
    process_destroy(&work);
}

/* A LOST was a delivery: the worker asks for others in its place. */
static void a_reset_with_a_full_prefetch_starves_nobody(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    process_t *work =
        process_fob("work", "g", "t", "--prefetch", "4", "--count", "9", "-v", "--", "sh", "-c",
                    "if [ $FOB_TOKEN = 1 ]; then exec sleep 60; fi", NULL);
    if (!process_line_with(work, PROCESS_ERR, "joined", WAIT_MS))
        fail_msg("it did not join");
    for (int i = 0; i < 8; i++)
        DO(self, "pub", "t", "1");
    await_figure(self, "g", "leased", 4);
    DO(self, "group", "purge", "g");
    await_figure(self, "g", "ready", 0);
    DO(self, "group", "reset", "g", "--to", "earliest");
    assert_int_equal(process_wait(work, WAIT_MS), 0); /* all eight, and the one that was lost */
    process_destroy(&work);
    await_figure(self, "g", "acked", 8);
}

static void a_group_that_work_makes_begins_where_it_is_told(void **state) {
    cmd_t *self = *state;
    for (int i = 1; i <= 4; i++) {
        char data[] = {(char)('0' + i), 0};
        DO(self, "pub", "t", data);
    }
    DO(self, "work", "all", "t", "--from", "earliest", "--count", "4", "--", "cat");
    assert_string_equal(self->out, "1\n2\n3\n4\n");
    assert_non_null(strstr(self->err, "made the group all of t: it begins with all that is kept"));
    DO(self, "work", "some", "t", "--from", "3", "--count", "2", "--", "cat");
    assert_string_equal(self->out, "3\n4\n");
    assert_non_null(strstr(self->err, "it begins with offset 3"));
    DO(self, "work", "recent", "t", "--from", "-10m", "--count", "4", "--", "cat");
    assert_string_equal(self->out, "1\n2\n3\n4\n");
    /* One that is there goes on where it is. */
    DO(self, "pub", "t", "5");
    DO(self, "work", "all", "t", "--from", "earliest", "--count", "1", "--", "cat");
    assert_string_equal(self->out, "5\n");
    assert_string_equal(self->err, "");
    REFUSED(self, 65, "fob group rm all", "work", "all", "other", "--from", "earliest");
}

FOB_MAIN(FOB_CASE_WITH(every_attempt_says_why_it_failed, set_up, tear_down),
         FOB_CASE_WITH(a_rejected_event_says_why, set_up, tear_down),
         FOB_CASE_WITH(a_command_that_takes_too_long_is_ended_and_the_event_comes_again, set_up,
                       tear_down),
         FOB_CASE_WITH(a_command_whose_lease_runs_out_is_ended_and_said_to_be, set_up, tear_down),
         FOB_CASE_WITH(an_event_behind_a_handler_that_will_not_end_loses_no_attempt, set_up,
                       tear_down),
         FOB_CASE_WITH(a_lost_lease_is_noticed_while_all_jobs_are_busy, set_up, tear_down),
         FOB_CASE_WITH(a_reset_with_a_full_prefetch_starves_nobody, set_up, tear_down),
         FOB_CASE_WITH(a_group_that_work_makes_begins_where_it_is_told, set_up, tear_down))
