/* fob work to standard output. */
#include "tests/integration/cmd.h"

static void publish(cmd_t *self, int from, int to) {
    char input[8192], *at = input;
    for (int i = from; i <= to; i++)
        at += sprintf(at, "%d\n", i);
    if (RUN_WITH(self, input, "pub", "t", "--lines") != 0)
        fail_msg("%s", self->err);
}

static void a_missing_group_is_made_and_that_is_said(void **state) {
    cmd_t *self = *state;
    process_t *work = process_fob("work", "g", "t", "--count", "2", NULL);
    assert_non_null(process_line_with(work, PROCESS_ERR, "made the group g of t", WAIT_MS));
    publish(self, 1, 2);
    json_t *event = parse(process_line(work, PROCESS_OUT, WAIT_MS));
    assert_int_equal(number(event, "data"), 1);
    assert_int_equal(number(event, "attempt"), 1);
    json_decref(event);
    assert_int_equal(process_wait(work, WAIT_MS), 0);
    assert_int_equal(figure(self, "g", "acked"), 2);
    process_destroy(&work);
}

static void count_takes_no_more_than_it_says(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    publish(self, 1, 10);
    DO(self, "work", "g", "t", "--count", "4");
    char *line = strtok(self->out, "\n");
    for (int i = 1; i <= 4; i++, line = strtok(NULL, "\n")) {
        json_t *event = parse(line);
        assert_int_equal(number(event, "data"), i);
        json_decref(event);
    }
    assert_null(line);
    assert_int_equal(figure(self, "g", "acked"), 4); /* confirmed when it exits */
    await_figure(self, "g", "ready", 6);
}

static void another_pattern_is_65_and_names_the_way_out(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    REFUSED(self, 65, "fob group rm g", "work", "g", "other");
}

static void nothing_more_is_acked_on_a_closed_pipe(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    process_t *work = process_fob("work", "g", "t", NULL);
    publish(self, 1, 1);
    assert_non_null(process_line(work, PROCESS_OUT, WAIT_MS));
    await_figure(self, "g", "acked", 1);
    process_close_output(work, PROCESS_OUT);
    publish(self, 2, 50);
    assert_int_equal(process_wait(work, WAIT_MS), 0);
    assert_int_equal(figure(self, "g", "acked"), 1);
    assert_int_equal(figure(self, "g", "accepted"), 50);
    DO(self, "work", "g", "t", "--count", "49");
    assert_int_equal(figure(self, "g", "acked"), 50);
    process_destroy(&work);
}

static void a_signal_gives_the_rest_back_and_exits_0(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    process_t *work = process_fob("work", "g", "t", "-v", NULL);
    assert_non_null(process_line_with(work, PROCESS_ERR, "joined", WAIT_MS));
    process_signal(work, SIGTERM);
    assert_int_equal(process_wait(work, WAIT_MS), 0);
    process_destroy(&work);
    publish(self, 1, 3);
    DO(self, "work", "g", "t", "--count", "3");
    json_t *event = parse(strtok(self->out, "\n"));
    assert_int_equal(number(event, "attempt"), 1);
    json_decref(event);
}

static void a_temporary_group_goes_with_its_last_worker(void **state) {
    cmd_t *self = *state;
    process_t *work = process_fob("work", "g", "t", "--temporary", NULL);
    assert_non_null(process_line_with(work, PROCESS_ERR, "made the group", WAIT_MS));
    DO(self, "group", "show", "g");
    process_signal(work, SIGTERM);
    assert_int_equal(process_wait(work, WAIT_MS), 0);
    process_destroy(&work);
    long long until = process_clock() + WAIT_MS;
    while (RUN(self, "group", "show", "g") != 66)
        assert_true(process_clock() < until);
}

static void a_killed_workers_events_go_to_another_within_4_seconds(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    /* It takes its full prefetch; its output fills the pipe, and nobody reads it. */
    process_t *dead = process_fob("work", "g", "t", "--prefetch", "50", "--", "sh", "-c",
                                  "exec sleep 1000", NULL);
    publish(self, 1, 50);
    await_figure(self, "g", "leased", 50);
    process_signal(dead, SIGKILL);
    long long killed = process_clock();
    process_t *other = process_fob("work", "g", "t", "--count", "50", NULL);
    assert_int_equal(process_wait(other, 20000), 0);
    long long took = process_clock() - killed;
    if (took > 4500)
        fail_msg("it took %lld ms", took);
    process_destroy(&other);
    process_destroy(&dead);
    assert_int_equal(figure(self, "g", "acked"), 50);
}

static void it_goes_on_after_the_bus_was_killed(void **state) {
    cmd_t *self = *state;
    char *folder = process_folder();
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--data", folder, NULL);
    process_t *work = process_fob("work", "g", "t", "--count", "2", NULL);
    assert_non_null(process_line_with(work, PROCESS_ERR, "made the group", WAIT_MS));
    publish(self, 1, 1);
    assert_non_null(process_line(work, PROCESS_OUT, WAIT_MS));
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--data", folder, NULL);
    publish(self, 2, 2);
    json_t *event = parse(process_line(work, PROCESS_OUT, WAIT_MS));
    assert_int_equal(number(event, "data"), 2);
    json_decref(event);
    assert_int_equal(process_wait(work, WAIT_MS), 0);
    process_destroy(&work);
    process_destroy(&self->bus);
    process_folder_remove(&folder);
}

FOB_MAIN(FOB_CASE_WITH(a_missing_group_is_made_and_that_is_said, set_up, tear_down),
         FOB_CASE_WITH(count_takes_no_more_than_it_says, set_up, tear_down),
         FOB_CASE_WITH(another_pattern_is_65_and_names_the_way_out, set_up, tear_down),
         FOB_CASE_WITH(nothing_more_is_acked_on_a_closed_pipe, set_up, tear_down),
         FOB_CASE_WITH(a_signal_gives_the_rest_back_and_exits_0, set_up, tear_down),
         FOB_CASE_WITH(a_temporary_group_goes_with_its_last_worker, set_up, tear_down),
         FOB_CASE_WITH(a_killed_workers_events_go_to_another_within_4_seconds, set_up, tear_down),
         FOB_CASE_WITH(it_goes_on_after_the_bus_was_killed, set_up, tear_down))
