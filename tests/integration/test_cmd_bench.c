/* fob bench: every work with few events; what it counts, what it leaves, how it ends. */
#include "tests/integration/cmd.h"

static const json_t *part(const json_t *figures, const char *name) {
    const json_t *value = json_object_get(figures, name);
    if (!json_is_object(value))
        fail_msg("%s is no object", name);
    return value;
}

/* Nothing was lost, came twice, or in another order. */
static void whole(const json_t *figures, const char *name, json_int_t events) {
    static const char *const none[] = {"lost", "pending", "duplicated", "out_of_order", "foreign"};
    const json_t *flow = part(figures, name);
    assert_int_equal(number(flow, "events"), events);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (number(flow, none[i]) != 0)
            fail_msg("%s of %s is %lld", none[i], name, (long long)number(flow, none[i]));
    assert_true(json_number_value(json_object_get(flow, "per_second")) > 0);
}

static void times_rise(const json_t *flow) {
    static const char *const points[] = {"p50", "p90", "p99", "p99_9", "max"};
    const json_t *times = part(flow, "latency_us");
    double before = 0;
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        double now = json_number_value(json_object_get(times, points[i]));
        assert_true(now > 0 && now >= before);
        before = now;
    }
    assert_true(json_number_value(json_object_get(times, "mean")) <= before);
}

/* One object on one line. */
static json_t *figures_of(cmd_t *self) {
    const char *newline = strchr(self->out, '\n');
    assert_true(newline && !newline[1]);
    return parse(self->out);
}

static void no_group_is_left(cmd_t *self) {
    DO(self, "group", "ls", "--json");
    assert_null(strstr(self->out, "bench."));
}

static void fanout_gives_every_event_to_each_subscriber(void **state) {
    cmd_t *self = *state;
    DO(self, "bench", "fanout", "--count", "500", "--subscribers", "2", "--publishers", "2",
       "--topics", "3", "--json");
    json_t *figures = figures_of(self);
    assert_string_equal(text(figures, "work"), "fanout");
    assert_string_equal(text(figures, "end"), "complete");
    assert_int_equal(number(part(figures, "published"), "events"), 500);
    assert_int_equal(number(part(figures, "confirmed"), "events"), 500);
    assert_int_equal(number(part(figures, "confirmed"), "refused"), 0);
    whole(figures, "delivered", 1000);
    times_rise(part(figures, "confirmed"));
    times_rise(part(figures, "delivered"));
    assert_true(json_is_null(json_object_get(figures, "handled")));
    assert_true(json_is_null(json_object_get(figures, "late_us")));
    const json_t *options = part(figures, "options");
    assert_int_equal(number(options, "size"), 128);
    assert_int_equal(number(options, "duration_ms"), 0);
    assert_string_equal(text(options, "confirm"), "stored");
    json_decref(figures);
}

static void fire_and_forget_stores_nothing(void **state) {
    cmd_t *self = *state;
    DO(self, "bench", "fanout", "--confirm", "none", "--rate", "1000", "--count", "200", "--json");
    json_t *figures = figures_of(self);
    assert_int_equal(number(part(figures, "published"), "events"), 200);
    assert_true(json_is_null(json_object_get(figures, "confirmed")));
    assert_true(number(part(figures, "delivered"), "events") > 0);
    json_decref(figures);
    DO(self, "stats", "--json");
    figures = parse(self->out);
    assert_int_equal(number(part(figures, "bus"), "events_in"), 0);
    json_decref(figures);
}

static void queue_gives_every_event_to_each_group_once(void **state) {
    cmd_t *self = *state;
    DO(self, "bench", "queue", "-n", "600", "--groups", "2", "--workers", "2", "-j");
    json_t *figures = figures_of(self);
    assert_int_equal(number(part(figures, "confirmed"), "events"), 600);
    whole(figures, "handled", 1200);
    times_rise(part(figures, "handled"));
    assert_true(json_is_null(json_object_get(figures, "delivered")));
    json_decref(figures);
    no_group_is_left(self);
}

static void latency_measures_all_three_ways_at_a_rate(void **state) {
    cmd_t *self = *state;
    DO(self, "bench", "latency", "--rate", "500", "--duration", "400ms", "--json");
    json_t *figures = figures_of(self);
    assert_int_equal(number(part(figures, "published"), "events"), 200);
    times_rise(part(figures, "confirmed"));
    times_rise(part(figures, "delivered"));
    times_rise(part(figures, "handled"));
    whole(figures, "delivered", 200);
    whole(figures, "handled", 200);
    assert_true(json_is_object(json_object_get(figures, "late_us")));
    json_decref(figures);
    no_group_is_left(self);
}

static void backlog_is_handled_once_all_is_stored(void **state) {
    cmd_t *self = *state;
    DO(self, "bench", "backlog", "--count", "3000", "--prefetch", "10", "--json");
    json_t *figures = figures_of(self);
    assert_int_equal(number(part(figures, "confirmed"), "events"), 3000);
    whole(figures, "handled", 3000);
    assert_null(json_object_get(part(figures, "handled"), "latency_us"));
    json_decref(figures);
    no_group_is_left(self);
}

static void a_person_gets_a_table(void **state) {
    cmd_t *self = *state;
    DO(self, "bench", "queue", "-n", "1000");
    assert_non_null(strstr(self->out, "EVENTS/S"));
    assert_non_null(strstr(self->out, "1,000"));
    assert_non_null(strstr(self->out, "to handler"));
    assert_non_null(strstr(self->out, "P99.9"));
    assert_null(strstr(self->out, "REFUSED"));
    assert_non_null(strstr(self->err, "stores 1,000 events"));
    assert_null(strstr(self->err, "\r"));
    DO(self, "bench", "queue", "-n", "10", "--quiet");
    assert_string_equal(self->err, "");
}

/* A run without an end, once so many of its events are stored. */
static process_t *endless(cmd_t *self, const char *work, json_int_t stored) {
    process_t *bench = process_fob("bench", work, "--rate", "200", "--duration", "1h", "--json",
                                   "--connect-timeout", "2s", NULL);
    long long until = process_clock() + WAIT_MS;
    json_int_t now;
    if (!process_line_with(bench, PROCESS_ERR, "stores 720,000 events", WAIT_MS))
        fail_msg("it says nothing of what it stores");
    do {
        DO(self, "stats", "--json");
        json_t *stats = parse(self->out);
        now = number(part(stats, "bus"), "events_in");
        json_decref(stats);
        if (process_clock() > until)
            fail_msg("only %lld events were stored", (long long)now);
    } while (now < stored);
    return bench;
}

static void a_signal_ends_it_early_with_the_figures_so_far(void **state) {
    cmd_t *self = *state;
    process_t *bench = endless(self, "queue", 20);
    process_signal(bench, SIGINT);
    json_t *figures = parse(process_line(bench, PROCESS_OUT, WAIT_MS));
    assert_int_equal(process_wait(bench, WAIT_MS), 0);
    assert_string_equal(text(figures, "end"), "interrupted");
    json_int_t confirmed = number(part(figures, "confirmed"), "events");
    assert_true(confirmed >= 20 && confirmed < 720000);
    whole(figures, "handled", confirmed);
    json_decref(figures);
    process_destroy(&bench);
    no_group_is_left(self);
}

static void a_signal_before_a_backlog_is_handled_leaves_no_group_either(void **state) {
    cmd_t *self = *state;
    process_t *bench = endless(self, "backlog", 20);
    process_signal(bench, SIGTERM);
    json_t *figures = parse(process_line(bench, PROCESS_OUT, WAIT_MS));
    assert_int_equal(process_wait(bench, WAIT_MS), 0);
    const json_t *handled = part(figures, "handled");
    assert_int_equal(number(handled, "events"), 0);
    assert_int_equal(number(handled, "pending"), number(part(figures, "confirmed"), "events"));
    assert_true(json_is_null(json_object_get(handled, "lost")));
    json_decref(figures);
    process_destroy(&bench);
    no_group_is_left(self);
}

/* Nobody is there to say goodbye: the bus notices by itself. */
static void killed_it_leaves_no_worker_and_no_group(void **state) {
    cmd_t *self = *state;
    process_t *bench = endless(self, "queue", 1);
    process_signal(bench, SIGKILL);
    assert_int_equal(process_wait(bench, WAIT_MS), 128 + SIGKILL);
    process_destroy(&bench);
    long long until = process_clock() + WAIT_MS;
    do {
        if (process_clock() > until)
            fail_msg("still there: %s", self->out);
        DO(self, "group", "ls", "--json");
    } while (strstr(self->out, "bench."));
}

static pid_t a_child_of(pid_t parent) {
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%d", &child) != 1)
        fail_msg("%d has no child", (int)parent);
    fclose(file);
    return child;
}

static void a_client_that_is_killed_is_told_with_the_figures_so_far(void **state) {
    cmd_t *self = *state;
    process_t *bench = endless(self, "queue", 1);
    assert_int_equal(kill(a_child_of(process_pid(bench)), SIGKILL), 0);
    json_t *figures = parse(process_line(bench, PROCESS_OUT, WAIT_MS));
    assert_int_equal(process_wait(bench, WAIT_MS), 71);
    assert_string_equal(text(figures, "end"), "failed");
    assert_true(number(part(figures, "published"), "events") >= 1);
    assert_non_null(process_line_with(bench, PROCESS_ERR, "process was killed", WAIT_MS));
    json_decref(figures);
    process_destroy(&bench);
    no_group_is_left(self);
}

static void a_bus_that_is_killed_is_told_with_the_figures_so_far(void **state) {
    cmd_t *self = *state;
    process_t *bench = endless(self, "latency", 20);
    process_signal(self->bus, SIGKILL);
    json_t *figures = parse(process_line(bench, PROCESS_OUT, WAIT_MS));
    assert_int_equal(process_wait(bench, WAIT_MS), 69);
    assert_string_equal(text(figures, "end"), "failed");
    assert_true(number(part(figures, "confirmed"), "events") >= 20);
    assert_int_equal(number(part(figures, "handled"), "duplicated"), 0);
    assert_non_null(process_line_with(bench, PROCESS_ERR, "went away in the middle", WAIT_MS));
    json_decref(figures);
    process_destroy(&bench);
}

static void a_bus_that_is_not_there_is_unreachable(void **state) {
    cmd_t *self = *state;
    process_destroy(&self->bus);
    REFUSED(self, 69, "cannot reach the bus", "bench", "queue", "--connect-timeout", "200ms");
}

static void a_group_of_others_is_not_flooded_unasked(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "audit", ">");
    REFUSED(self, 64, "the group audit (>) would get all", "bench", "queue", "-n", "10");
    assert_int_equal(figure(self, "audit", "accepted"), 0);
    DO(self, "bench", "queue", "-n", "10", "--anyway", "--json");
    assert_int_equal(figure(self, "audit", "accepted"), 10);
    DO(self, "group", "add", "orders", "order.>");
    DO(self, "group", "rm", "audit");
    DO(self, "bench", "queue", "-n", "10", "--json");
    assert_int_equal(figure(self, "orders", "accepted"), 0);
}

static void what_makes_no_sense_is_a_usage_error(void **state) {
    cmd_t *self = *state;
    REFUSED(self, 64, "missing", "bench");
    REFUSED(self, 64, "none of the works", "bench", "everything");
    REFUSED(self, 64, "--nonsense", "bench", "queue", "--nonsense");
    REFUSED(self, 64, "--size takes", "bench", "queue", "--size", "31");
    REFUSED(self, 64, "--confirm takes", "bench", "fanout", "--confirm", "maybe");
    REFUSED(self, 64, "reaches no group", "bench", "queue", "--confirm", "none");
    REFUSED(self, 64, "backlog needs a group", "bench", "backlog", "--groups", "0");
    REFUSED(self, 64, "1024 at the most", "bench", "queue", "--groups", "100", "--workers", "100");
    REFUSED(self, 64, "endpoint", "bench", "queue", "-b", "localhost");
}

static void an_event_that_this_bus_does_not_take_is_told(void **state) {
    cmd_t *self = *state;
    REFUSED(self, 65, "larger than this bus takes", "bench", "queue", "-q", "--size", "2000000");
    no_group_is_left(self);
}

FOB_MAIN(FOB_CASE_WITH(fanout_gives_every_event_to_each_subscriber, set_up, tear_down),
         FOB_CASE_WITH(fire_and_forget_stores_nothing, set_up, tear_down),
         FOB_CASE_WITH(queue_gives_every_event_to_each_group_once, set_up, tear_down),
         FOB_CASE_WITH(latency_measures_all_three_ways_at_a_rate, set_up, tear_down),
         FOB_CASE_WITH(backlog_is_handled_once_all_is_stored, set_up, tear_down),
         FOB_CASE_WITH(a_person_gets_a_table, set_up, tear_down),
         FOB_CASE_WITH(a_signal_ends_it_early_with_the_figures_so_far, set_up, tear_down),
         FOB_CASE_WITH(a_signal_before_a_backlog_is_handled_leaves_no_group_either, set_up,
                       tear_down),
         FOB_CASE_WITH(killed_it_leaves_no_worker_and_no_group, set_up, tear_down),
         FOB_CASE_WITH(a_client_that_is_killed_is_told_with_the_figures_so_far, set_up, tear_down),
         FOB_CASE_WITH(a_bus_that_is_killed_is_told_with_the_figures_so_far, set_up, tear_down),
         FOB_CASE_WITH(a_bus_that_is_not_there_is_unreachable, set_up, tear_down),
         FOB_CASE_WITH(a_group_of_others_is_not_flooded_unasked, set_up, tear_down),
         FOB_CASE_WITH(what_makes_no_sense_is_a_usage_error, set_up, tear_down),
         FOB_CASE_WITH(an_event_that_this_bus_does_not_take_is_told, set_up, tear_down))
