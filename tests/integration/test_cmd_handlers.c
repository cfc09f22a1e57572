/* fob work -- COMMAND. */
#include "tests/integration/cmd.h"

static void each_event_is_handled_by_the_command(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    DO(self, "pub", "t", "{\"n\":1}", "--id", "o-1", "--key", "k");
    DO(self, "pub", "t", "hello", "--text");
    DO(self, "work", "g", "t", "--count", "2", "--", "sh", "-c",
       "echo "
       "\"$FOB_TOPIC|$FOB_OFFSET|$FOB_ID|$FOB_KEY|$FOB_ATTEMPT|$FOB_GROUP|$FOB_TOKEN|$(cat)\"");
    assert_string_equal(self->out, "t|1|o-1|k|1|g|1|{\"n\":1}\nt|2|0-2||1|g|2|hello\n");
    assert_int_equal(figure(self, "g", "acked"), 2);
}

static void the_exit_code_decides(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    DO(self, "pub", "t", "65");
    DO(self, "work", "g", "t", "--count", "1", "--", "sh", "-c", "exit $(cat)");
    assert_int_equal(figure(self, "g", "dead"), 1);
    /* 75 comes again at no attempt, any other code at one more. */
    DO(self, "pub", "t", "75");
    DO(self, "work", "g", "t", "--count", "2", "--", "sh", "-c",
       "echo $FOB_ATTEMPT; if [ ! -e \"$FLAG\" ]; then : > \"$FLAG\"; exit 75; fi");
    assert_string_equal(self->out, "1\n1\n");
    unlink(getenv("FLAG"));
    DO(self, "pub", "t", "1");
    DO(self, "work", "g", "t", "--count", "2", "--", "sh", "-c",
       "echo $FOB_ATTEMPT; if [ ! -e \"$FLAG\" ]; then : > \"$FLAG\"; exit 1; fi");
    assert_string_equal(self->out, "1\n2\n");
    unlink(getenv("FLAG"));
}

static int set_up_flag(void **state) {
    static char flag[64];
    snprintf(flag, sizeof flag, "/tmp/fob-test-flag-%d", (int)getpid());
    unlink(flag);
    setenv("FLAG", flag, 1);
    return set_up(state);
}

static void jobs_run_at_once(void **state) {
    cmd_t *self = *state;
    char *folder = process_folder();
    setenv("FOLDER", folder, 1);
    DO(self, "group", "add", "g", "t");
    for (int i = 0; i < 3; i++)
        DO(self, "pub", "t", "1");
    /* Each waits until all three have begun: with fewer than three at once none would end. */
    process_t *work = process_fob(
        "work", "g", "t", "--count", "3", "--jobs", "3", "--", "sh", "-c",
        ": > \"$FOLDER/$FOB_OFFSET\"; while [ $(ls \"$FOLDER\" | wc -l) -lt 3 ]; do :; done", NULL);
    assert_int_equal(process_wait(work, PACE_PATIENCE), 0);
    process_destroy(&work);
    assert_int_equal(figure(self, "g", "acked"), 3);
    process_folder_remove(&folder);
}

static void a_signal_lets_running_commands_finish(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    for (int i = 0; i < 3; i++)
        DO(self, "pub", "t", "1");
    process_t *work =
        process_fob("work", "g", "t", "--", "sh", "-c",
                    "echo begun; while [ ! -e \"$FLAG\" ]; do :; done; echo done", NULL);
    assert_string_equal(process_line(work, PROCESS_OUT, WAIT_MS), "begun");
    process_signal(work, SIGTERM);
    await_figure(self, "g", "ready", 2); /* what it had not begun is given back at once */
    assert_int_equal(process_wait(work, 100), -1);
    const char *const touch[] = {"touch", getenv("FLAG"), NULL};
    assert_int_equal(process_run(touch, NULL, NULL, NULL), 0);
    assert_string_equal(process_line(work, PROCESS_OUT, WAIT_MS), "done");
    assert_int_equal(process_wait(work, WAIT_MS), 0);
    assert_null(process_line(work, PROCESS_OUT, WAIT_MS));
    process_destroy(&work);
    await_figure(self, "g", "acked", 1);
    unlink(getenv("FLAG"));
}

static void a_second_signal_ends_it_at_once(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    DO(self, "pub", "t", "1");
    process_t *work =
        process_fob("work", "g", "t", "--", "sh", "-c", "echo begun; exec cat \"$FIFO\"", NULL);
    assert_string_equal(process_line(work, PROCESS_OUT, WAIT_MS), "begun");
    /* Two that come while it does not look are one. */
    long long until = process_clock() + WAIT_MS;
    process_signal(work, SIGINT);
    do {
        assert_true(process_clock() < until);
        process_signal(work, SIGINT);
    } while (process_wait(work, 200) == -1);
    process_destroy(&work);
    await_figure(self, "g", "ready", 1);
}

static int set_up_fifo(void **state) {
    static char fifo[64];
    snprintf(fifo, sizeof fifo, "/tmp/fob-test-fifo-%d", (int)getpid());
    unlink(fifo);
    const char *const argv[] = {"mkfifo", fifo, NULL};
    if (process_run(argv, NULL, NULL, NULL) != 0)
        return -1;
    setenv("FIFO", fifo, 1);
    return set_up(state);
}

static int tear_down_fifo(void **state) {
    unlink(getenv("FIFO"));
    return tear_down(state);
}

FOB_MAIN(FOB_CASE_WITH(each_event_is_handled_by_the_command, set_up, tear_down),
         FOB_CASE_WITH(the_exit_code_decides, set_up_flag, tear_down),
         FOB_CASE_WITH(jobs_run_at_once, set_up, tear_down),
         FOB_CASE_WITH(a_signal_lets_running_commands_finish, set_up_flag, tear_down),
         FOB_CASE_WITH(a_second_signal_ends_it_at_once, set_up_fifo, tear_down_fifo))
