/* What happens when something dies, stands still or goes away, where no other test shows it:
 * FAILURES.md names these. */
#include "tests/support/case.h"
#include "tests/support/proxy.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Lost after three of these: short, so that the tests are. */
#define BEAT   pace_beat(500, NULL)
#define WITHIN PACE_PATIENCE

/* A figure of the bus's own; -1: it is not there now. */
static long long bus_figure(const char *name) {
    char *out = NULL, *err = NULL;
    int code = process_run_fob(NULL, &out, &err, "stats", "--json", NULL);
    json_t *root = code == 0 ? json_loads(out, 0, NULL) : NULL;
    const json_t *value = json_object_get(json_object_get(root, "bus"), name);
    long long figure = json_is_integer(value) ? (long long)json_integer_value(value) : -1;
    json_decref(root);
    free(out);
    free(err);
    return figure;
}

static void await_bus(const char *name, long long value) {
    long long until = process_clock() + WITHIN;
    while (bus_figure(name) != value)
        if (process_clock() > until)
            fail_msg("%s is %lld, not %lld", name, bus_figure(name), value);
}

static void put_lines(process_t *pub, int from, int to) {
    char line[32];
    for (int n = from; n < to; n++) {
        snprintf(line, sizeof line, "%d\n", n);
        assert_true(process_puts(pub, line));
    }
}

static void await_said(process_t *process, const char *text) {
    if (!process_line_with(process, PROCESS_ERR, text, WITHIN))
        fail_msg("\"%s\" is not said", text);
}

/* Ends a program that must end well. */
static void end(process_t **process_p, int signal_number) {
    if (signal_number)
        process_signal(*process_p, signal_number);
    int code = process_wait(*process_p, WITHIN);
    if (code != 0)
        fail_msg("exit %d: %s", code, process_line(*process_p, PROCESS_ERR, 0));
    process_destroy(process_p);
}

/* A worker of billing gets so many, whose data are the numbers from 0 on. */
static void expect_in_order(int count) {
    char number[16];
    snprintf(number, sizeof number, "%d", count);
    char *out = stand_do("work", "billing", "order_placed", "--count", number, "--json", NULL);
    int n = 0;
    for (char *rest = out, *line; (line = stand_line(&rest)) != NULL; n++) {
        char expected[32];
        snprintf(expected, sizeof expected, "\"data\":%d}", n);
        if (!strstr(line, expected))
            fail_msg("event %d is %s", n, line);
    }
    assert_int_equal(n, count);
    free(out);
}

/* --- clients --- */

static void a_publisher_that_stood_still_goes_on_where_it_was(void **state) {
    (void)state;
    stand_t stand;
    stand_start_with(&stand, BEAT, NULL);
    free(stand_do("group", "add", "billing", "order_placed", NULL));
    process_t *pub = process_fob("pub", "order_placed", "--lines", "-q", NULL);
    put_lines(pub, 0, 500);
    stand_await_least(&stand, "billing", "accepted", 1);
    process_signal(pub, SIGSTOP);
    await_bus("publishers", 0); /* the bus has given it up */
    process_signal(pub, SIGCONT);
    put_lines(pub, 500, 1000);
    process_close_input(pub);
    end(&pub, 0);
    assert_int_equal(stand_figure(&stand, "billing", "accepted"), 1000);
    expect_in_order(1000);
    stand_end(&stand);
}

static void what_an_idle_worker_was_given_as_it_died_goes_to_another(void **state) {
    (void)state;
    stand_t stand;
    stand_start_with(&stand, BEAT, NULL);
    process_t *idle = process_fob("work", "billing", "order_placed", NULL);
    stand_await_workers(&stand, 1);
    process_signal(idle, SIGSTOP); /* so that it takes nothing before it dies */
    stand_publish("order_placed", 50);
    process_signal(idle, SIGKILL);
    assert_int_equal(process_wait(idle, WITHIN), 128 + SIGKILL);
    process_destroy(&idle);
    free(stand_do("work", "billing", "order_placed", "--count", "50", NULL));
    assert_int_equal(stand_figure(&stand, "billing", "acked"), 50);
    /* One may have been begun; the rest of its prefetch counts no attempt. */
    assert_in_range(stand_figure(&stand, "billing", "redelivered"), 0, 50);
    assert_int_equal(stand_figure(&stand, "billing", "dead"), 0);
    stand_end(&stand);
}

static void a_killed_subscriber_is_noticed_and_stops_nobody(void **state) {
    (void)state;
    stand_t stand;
    stand_start_with(&stand, BEAT, NULL);
    process_t *killed = process_fob("sub", ">", "-v", NULL);
    process_t *other = process_fob("sub", ">", "-v", "--count", "100", NULL);
    await_said(killed, "subscribed");
    await_said(other, "subscribed");
    process_signal(killed, SIGKILL);
    assert_int_equal(process_wait(killed, WITHIN), 128 + SIGKILL);
    process_destroy(&killed);
    stand_publish("order_placed", 100);
    end(&other, 0);
    await_bus("subscribers", 0);
    stand_end(&stand);
}

static void a_redrive_whose_command_is_killed_is_done_by_the_same_command(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    free(stand_do("group", "add", "billing", "order_placed", NULL));
    stand_publish("order_placed", 40);
    free(stand_do("work", "billing", "order_placed", "--count", "40", "--jobs", "4", "-q", "--",
                  "sh", "-c", "exit 65", NULL));
    stand_await(&stand, "billing", "dead", 40);
    process_t *redrive = process_fob("dead", "redrive", "billing", "--rate", "4", NULL);
    stand_await_least(&stand, "billing", "ready", 2);
    process_signal(redrive, SIGKILL);
    assert_int_equal(process_wait(redrive, WITHIN), 128 + SIGKILL);
    process_destroy(&redrive);
    long long left = stand_figure(&stand, "billing", "dead");
    assert_in_range(left, 1, 38); /* it was in the middle */
    free(stand_do("dead", "redrive", "billing", NULL));
    assert_int_equal(stand_figure(&stand, "billing", "dead"), 0);
    assert_int_equal(stand_figure(&stand, "billing", "ready"), 40);
    free(stand_do("work", "billing", "order_placed", "--count", "40", "-q", NULL));
    assert_int_equal(stand_figure(&stand, "billing", "acked"), 40);
    stand_end(&stand);
}

/* --- the bus --- */

static void a_bus_that_stood_still_loses_nothing_and_blames_nobody(void **state) {
    (void)state;
    stand_t stand;
    stand_start_with(&stand, BEAT, NULL);
    char *file = stand_path(&stand, "handled");
    process_t *worker = process_spawn((const char *const[]){
        "sh", "-c", "exec \"$FOB_BINARY\" work billing order_placed >/dev/null", NULL});
    process_t *quiet = stand_fob_to(file, "work billing order_placed -q");
    stand_await_workers(&stand, 2);
    process_t *pub = process_fob("pub", "order_placed", "--lines", "-q", NULL);
    put_lines(pub, 0, 500);
    stand_await_least(&stand, "billing", "acked", 1);
    process_signal(stand.bus, SIGSTOP);
    put_lines(pub, 500, 700);
    await_said(worker, "the bus is away");
    process_signal(stand.bus, SIGCONT);
    put_lines(pub, 700, 1000);
    process_close_input(pub);
    end(&pub, 0);
    stand_await(&stand, "billing", "acked", 1000);
    assert_int_equal(stand_figure(&stand, "billing", "accepted"), 1000);
    assert_int_equal(stand_figure(&stand, "billing", "dead"), 0);
    end(&worker, SIGTERM);
    end(&quiet, SIGTERM);
    free(file);
    stand_end(&stand);
}

static void a_removed_data_folder_ends_the_bus_with_74_and_says_so(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    free(stand_do("group", "add", "billing", "order_placed", NULL));
    stand_publish("order_placed", 10);
    char *removed = strdup(stand.data);
    process_folder_remove(&removed);
    char *out = NULL, *err = NULL;
    int code = process_run_fob(NULL, &out, &err, "pub", "order_placed", "1", "--deadline", "2s",
                               "--connect-timeout", "2s", "--json", NULL);
    assert_int_not_equal(code, 0); /* no receipt for what is not there */
    assert_string_equal(out, "");
    free(out);
    free(err);
    assert_int_equal(process_wait(stand.bus, WITHIN), 74);
    await_said(stand.bus, "was removed or replaced");
    process_destroy(&stand.bus);
    stand_serve(&stand); /* a new folder, and nothing in it */
    assert_int_equal(bus_figure("events_in"), 0);
    stand_end(&stand);
}

/* --- the network --- */

/* A worker behind a network that is dead one way: its events go to another; when the network is
 * back so is the worker. */
static void dead_one_way(proxy_way_t way) {
    stand_t stand;
    stand_start_with(&stand, BEAT, NULL);
    proxy_t *proxy = proxy_new(stand.port);
    process_t *behind = process_fob("work", "billing", "order_placed", "--bus",
                                    process_bus(proxy_port(proxy)), "--", "cat", NULL);
    stand_await_workers(&stand, 1);
    proxy_hold(proxy, way, true);
    stand_publish("order_placed", 50);
    free(stand_do("work", "billing", "order_placed", "--count", "50", "-q", NULL));
    assert_int_equal(stand_figure(&stand, "billing", "acked"), 50);
    await_said(behind, "the bus is away");
    proxy_hold(proxy, way, false);
    await_said(behind, "the bus is back");
    stand_publish("order_placed", 50);
    stand_await(&stand, "billing", "acked", 100);
    assert_int_equal(stand_figure(&stand, "billing", "accepted"), 100);
    end(&behind, SIGTERM);
    proxy_destroy(&proxy);
    stand_end(&stand);
}

static void a_worker_that_is_not_heard_loses_its_events_and_comes_back(void **state) {
    (void)state;
    dead_one_way(PROXY_TO_BUS);
}

static void a_worker_that_hears_nothing_loses_its_events_and_comes_back(void **state) {
    (void)state;
    dead_one_way(PROXY_FROM_BUS);
}

static void what_a_network_held_back_is_stored_once_and_in_order(void **state) {
    (void)state;
    stand_t stand;
    stand_start_with(&stand, BEAT, NULL);
    free(stand_do("group", "add", "billing", "order_placed", NULL));
    proxy_t *proxy = proxy_new(stand.port);
    process_t *pub = process_fob("pub", "order_placed", "--lines", "-q", "--deadline", "5m",
                                 "--bus", process_bus(proxy_port(proxy)), NULL);
    for (int i = 0; i < 4; i++) {
        proxy_way_t way = i % 2 ? PROXY_FROM_BUS : PROXY_TO_BUS;
        put_lines(pub, 200 * i, 200 * i + 100);
        stand_await_least(&stand, "billing", "accepted", 200LL * i);
        proxy_hold(proxy, way, true);
        put_lines(pub, 200 * i + 100, 200 * i + 200);
        await_bus("publishers", 0);
        proxy_hold(proxy, way, false);
    }
    process_close_input(pub);
    end(&pub, 0);
    expect_in_order(800);
    assert_int_equal(stand_figure(&stand, "billing", "accepted"), 800);
    proxy_destroy(&proxy);
    stand_end(&stand);
}

FOB_MAIN(FOB_CASE(a_publisher_that_stood_still_goes_on_where_it_was),
         FOB_CASE(what_an_idle_worker_was_given_as_it_died_goes_to_another),
         FOB_CASE(a_killed_subscriber_is_noticed_and_stops_nobody),
         FOB_CASE(a_redrive_whose_command_is_killed_is_done_by_the_same_command),
         FOB_CASE(a_bus_that_stood_still_loses_nothing_and_blames_nobody),
         FOB_CASE(a_removed_data_folder_ends_the_bus_with_74_and_says_so),
         FOB_CASE(a_worker_that_is_not_heard_loses_its_events_and_comes_back),
         FOB_CASE(a_worker_that_hears_nothing_loses_its_events_and_comes_back),
         FOB_CASE(what_a_network_held_back_is_stored_once_and_in_order))
