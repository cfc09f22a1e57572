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

static void nothing_is_acked_where_there_is_no_output(void **state) {
    cmd_t *self = *state;
    const char *const argv[] = {"sh", "-c", "exec \"$FOB_BINARY\" work g t --count 1 >&-", NULL};
    DO(self, "group", "add", "g", "t");
    publish(self, 1, 1);
    drop_output(self);
    assert_int_equal(process_run(argv, NULL, &self->out, &self->err), 74);
    assert_non_null(strstr(self->err, "cannot write to standard output"));
    assert_int_equal(figure(self, "g", "acked"), 0);
}

/* As under nohup. */
static void a_hang_up_that_was_ignored_stays_so(void **state) {
    static const char *const lines[] = {"trap '' HUP; exec \"$FOB_BINARY\" work g t -v",
                                        "trap '' HUP; exec \"$FOB_BINARY\" sub t -v",
                                        "trap '' HUP; exec \"$FOB_BINARY\" tail t -v"};
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    for (int i = 0; i < 3; i++) {
        const char *const argv[] = {"sh", "-c", lines[i], NULL};
        process_t *ours = process_spawn(argv);
        assert_non_null(process_line_with(ours, PROCESS_ERR, i ? "subscribed" : "joined", WAIT_MS));
        process_signal(ours, SIGHUP);
        publish(self, i + 1, i + 1);
        assert_non_null(process_line(ours, PROCESS_OUT, WAIT_MS));
        process_signal(ours, SIGTERM);
        assert_int_equal(process_wait(ours, WAIT_MS), 0);
        process_destroy(&ours);
    }
}

static void a_hang_up_does_not_end_lines_that_were_told_to_ignore_it(void **state) {
    cmd_t *self = *state;
    const char *const argv[] = {"sh", "-c",
                                "trap '' HUP; exec \"$FOB_BINARY\" pub t --lines --json", NULL};
    process_t *pub = process_spawn(argv);
    (void)self;
    assert_true(process_puts(pub, "1\n"));
    assert_non_null(process_line(pub, PROCESS_OUT, WAIT_MS));
    process_signal(pub, SIGHUP);
    assert_true(process_puts(pub, "2\n"));
    assert_non_null(process_line(pub, PROCESS_OUT, WAIT_MS));
    process_close_input(pub);
    assert_int_equal(process_wait(pub, WAIT_MS), 0);
    process_destroy(&pub);
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

/* How many ms after a worker was killed another has acked all its events. */
static long long take_over(cmd_t *self, int before) {
    /* It takes its full prefetch; its output fills the pipe, and nobody reads it. */
    process_t *dead =
        process_fob("work", "g", "t", "--prefetch", "50", "--", "sh", "-c", "exec sleep 10", NULL);
    publish(self, 1, 50);
    await_figure(self, "g", "leased", 50);
    process_signal(dead, SIGKILL);
    long long killed = process_clock();
    process_t *other = process_fob("work", "g", "t", "--count", "50", NULL);
    assert_int_equal(process_wait(other, PACE_PATIENCE), 0);
    long long took = process_clock() - killed;
    process_destroy(&other);
    process_destroy(&dead);
    assert_int_equal(figure(self, "g", "acked"), before + 50);
    return took;
}

/* Again where it took longer, as others run beside us: a bus that is late is so each time. */
static void a_killed_workers_events_go_to_another_within_4_seconds(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    long long took = 0;
    bool late = true;
    for (int tries = 0; tries < 4 && late; tries++) {
        took = take_over(self, 50 * tries);
        late = process_late(took, 4500, process_lag());
    }
    if (late)
        fail_msg("it took %lld ms", took);
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
         FOB_CASE_WITH(nothing_is_acked_where_there_is_no_output, set_up, tear_down),
         FOB_CASE_WITH(a_hang_up_that_was_ignored_stays_so, set_up, tear_down),
         FOB_CASE_WITH(a_hang_up_does_not_end_lines_that_were_told_to_ignore_it, set_up, tear_down),
         FOB_CASE_WITH(a_signal_gives_the_rest_back_and_exits_0, set_up, tear_down),
         FOB_CASE_WITH(a_temporary_group_goes_with_its_last_worker, set_up, tear_down),
         FOB_CASE_WITH(a_killed_workers_events_go_to_another_within_4_seconds, set_up, tear_down),
         FOB_CASE_WITH(it_goes_on_after_the_bus_was_killed, set_up, tear_down))
