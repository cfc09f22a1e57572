/* kill -9 in mid-stream: of the bus, of a worker, of a publisher. The real program, real sockets, a
 * real folder. */
#include "tests/support/case.h"
#include "tests/support/process.h"

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#ifndef STORM_EVENTS
#define STORM_EVENTS 200000
#endif
#define STORM_SECONDS 10
#define STORM_PAD     235 /* so that an event's data is some 256 bytes of msgpack */
#define SETTLE_WITHIN 120000

/* --- programs whose output goes to a file, so that nobody waits for us to read --- */

static char *path_in(const char *folder, const char *name) {
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

/* `$FOB_BINARY ARGUMENTS > FILE`; the shell gives way to the program, so that its pid is the
 * program's. */
static process_t *fob_to_file(const char *file, const char *arguments) {
    char *command = NULL;
    assert_true(asprintf(&command, "exec '%s' %s > '%s'", getenv("FOB_BINARY"), arguments, file) >
                0);
    const char *argv[] = {"sh", "-c", command, NULL};
    process_t *self = process_spawn(argv);
    free(command);
    return self;
}

static char *file_read(const char *path) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    struct stat info;
    assert_int_equal(fstat(fileno(file), &info), 0);
    char *text = malloc((size_t)info.st_size + 1);
    assert_non_null(text);
    size_t size = fread(text, 1, (size_t)info.st_size, file);
    text[size] = 0;
    fclose(file);
    return text;
}

/* --- waiting, and pacing --- */

/* Gives the processor away until `at`: the pace of a load, not a wait for something to happen. */
static void pace_until(long long at) {
    long long left = at - process_clock();
    if (left > 0)
        poll(NULL, 0, (int)left);
}

static json_t *stats(int port) {
    char *out = NULL;
    json_t *all = NULL;
    if (process_run_fob(NULL, &out, NULL, "stats", "--json", "--bus", process_bus(port), NULL) == 0)
        all = json_loads(out, 0, NULL);
    free(out);
    return all;
}

static long long figure(const json_t *group, const char *name) {
    return (long long)json_integer_value(json_object_get(group, name));
}

/* That the books balance; returns how much is not settled. */
static long long unsettled_balanced(const json_t *group) {
    static const char *places[] = {"acked",   "dead",  "expired", "shed",
                                   "removed", "ready", "leased",  "delayed"};
    long long sum = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        sum += figure(group, places[i]);
    assert_int_equal(sum, figure(group, "accepted"));
    return figure(group, "ready") + figure(group, "leased") + figure(group, "delayed");
}

static long long unsettled_all(int port) {
    json_t *all = stats(port);
    if (!all)
        return -1;
    size_t i;
    json_t *group;
    long long left = 0;
    json_array_foreach(json_object_get(all, "groups"), i, group) left += unsettled_balanced(group);
    json_decref(all);
    return left;
}

static void wait_settled(int port) {
    long long until = process_clock() + SETTLE_WITHIN;
    long long left;
    while ((left = unsettled_all(port)) != 0) {
        if (process_clock() > until) {
            char *out = NULL;
            process_run_fob(NULL, &out, NULL, "stats", "--bus", process_bus(port), NULL);
            fail_msg("%lld events are not settled:\n%s", left, out ? out : "");
        }
        pace_until(process_clock() + 20);
    }
}

/* --- counting --- */

/* Adds to seen[n] for each line that holds "n":N. Returns the number of lines. */
static size_t count_lines(const char *path, unsigned char *seen, size_t events) {
    char *text = file_read(path);
    size_t lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        const char *at = strstr(line, "\"n\":");
        assert_non_null(at);
        size_t n = strtoul(at + 4, NULL, 10);
        assert_in_range(n, 0, events - 1);
        if (seen[n] < 255)
            seen[n]++;
    }
    free(text);
    return lines;
}

static size_t missing(const unsigned char *seen, size_t events) {
    size_t count = 0;
    for (size_t n = 0; n < events; n++)
        count += seen[n] == 0;
    return count;
}

static bool publish_line(process_t *pub, size_t n) {
    char line[STORM_PAD + 64];
    static char pad[STORM_PAD + 1];
    memset(pad, 'x', STORM_PAD);
    snprintf(line, sizeof line, "{\"n\":%zu,\"p\":\"%s\"}\n", n, pad);
    return process_puts(pub, line);
}

/* Feeds lines at a steady rate. False: the publisher reads no more. */
static bool publish_paced(process_t *pub, size_t from, size_t to) {
    size_t slice = STORM_EVENTS / (STORM_SECONDS * 100);
    long long start = process_clock();
    for (size_t n = from; n < to; n++) {
        if ((n - from) % slice == 0)
            pace_until(start + (long long)((n - from) / slice) * 10);
        if (!publish_line(pub, n))
            return false;
    }
    return true;
}

/* --- the bus --- */

typedef struct {
    char *folder, *data;
    int port;
    process_t *bus, *pub, *sub, *workers[4];
    char *worker_file[4], *pub_file, *sub_file;
} storm_t;

static void storm_start(storm_t *self) {
    self->folder = process_folder();
    self->data = path_in(self->folder, "data");
    self->pub_file = path_in(self->folder, "receipts");
    self->sub_file = path_in(self->folder, "sub");
    self->port = process_port();
    self->bus = process_serve(self->port, "--data", self->data, NULL);
    setenv("FOB_BUS", process_bus(self->port), 1);
    for (int i = 0; i < 4; i++) {
        char name[24];
        snprintf(name, sizeof name, "worker%d", i);
        self->worker_file[i] = path_in(self->folder, name);
        self->workers[i] =
            fob_to_file(self->worker_file[i], i < 2 ? "work billing order_placed --json"
                                                    : "work shipping order_placed --json");
    }
    self->sub = fob_to_file(self->sub_file, "sub order_placed --json");
    long long until = process_clock() + 10000;
    for (long long workers = 0; workers < 4;) {
        json_t *all = stats(self->port);
        workers = figure(json_object_get(all, "bus"), "workers");
        json_decref(all);
        assert_true(process_clock() < until);
    }
    self->pub = fob_to_file(self->pub_file, "pub order_placed --lines --json");
}

static void storm_end(storm_t *self) {
    for (int i = 0; i < 4; i++) {
        process_signal(self->workers[i], SIGTERM);
        assert_int_equal(process_wait(self->workers[i], 10000), 0);
        process_destroy(&self->workers[i]);
    }
    process_signal(self->sub, SIGTERM);
    assert_int_equal(process_wait(self->sub, 10000), 0);
    process_signal(self->bus, SIGTERM);
    assert_int_equal(process_wait(self->bus, 10000), 0);
    process_destroy(&self->sub);
    process_destroy(&self->pub);
    process_destroy(&self->bus);
}

static void storm_free(storm_t *self) {
    for (int i = 0; i < 4; i++)
        free(self->worker_file[i]);
    free(self->pub_file);
    free(self->sub_file);
    free(self->data);
    process_folder_remove(&self->folder);
    unsetenv("FOB_BUS");
}

static void bus_kill_and_restart(storm_t *self) {
    process_signal(self->bus, SIGKILL);
    assert_int_equal(process_wait(self->bus, 5000), 128 + SIGKILL);
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--data", self->data, NULL);
}

static void group_check(const storm_t *self, int first_worker, const char *name) {
    unsigned char *seen = calloc(STORM_EVENTS, 1);
    size_t lines = count_lines(self->worker_file[first_worker], seen, STORM_EVENTS) +
                   count_lines(self->worker_file[first_worker + 1], seen, STORM_EVENTS);
    printf("%s: %zu handled, %zu missing, %zu twice\n", name, lines, missing(seen, STORM_EVENTS),
           lines - STORM_EVENTS);
    assert_int_equal(missing(seen, STORM_EVENTS), 0);
    assert_true(lines - STORM_EVENTS < STORM_EVENTS / 100);
    free(seen);
}

/* Each line has its receipt, each another offset. */
static void receipts_check(const storm_t *self) {
    char *text = file_read(self->pub_file);
    size_t lines = 0;
    long long last = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        const char *at = strstr(line, "\"offset\":");
        assert_non_null(at);
        long long offset = atoll(at + 9);
        assert_true(offset > last); /* one publisher, one topic: stored in the order sent */
        last = offset;
    }
    assert_int_equal(lines, STORM_EVENTS);
    assert_int_equal(last, STORM_EVENTS); /* and none twice */
    free(text);
}

static void the_bus_killed_three_times_in_a_stream_loses_nothing(void **state) {
    (void)state;
    storm_t storm = {0};
    storm_start(&storm);
    for (size_t quarter = 0; quarter < 4; quarter++) {
        if (quarter)
            bus_kill_and_restart(&storm);
        assert_true(
            publish_paced(storm.pub, quarter * STORM_EVENTS / 4, (quarter + 1) * STORM_EVENTS / 4));
    }
    process_close_input(storm.pub);
    assert_int_equal(process_wait(storm.pub, 60000), 0);
    wait_settled(storm.port);
    storm_end(&storm);
    receipts_check(&storm);
    group_check(&storm, 0, "billing");
    group_check(&storm, 2, "shipping");
    unsigned char *seen = calloc(STORM_EVENTS, 1);
    size_t lines = count_lines(storm.sub_file, seen, STORM_EVENTS);
    printf("subscriber: %zu events, %zu missing (it is lossy, and the bus was away)\n", lines,
           missing(seen, STORM_EVENTS));
    assert_true(lines > 0);
    free(seen);
    storm_free(&storm);
}

/* --- a worker --- */

static void a_killed_workers_events_are_with_another_within_four_seconds(void **state) {
    (void)state;
    char *folder = process_folder();
    char *data = path_in(folder, "data");
    int port = process_port();
    process_t *bus = process_serve(port, "--data", data, NULL);
    setenv("FOB_BUS", process_bus(port), 1);
    /* Its first handler never ends; the other 99 wait in its prefetch. */
    process_t *stuck = process_fob("work", "mailers", "mail", "--prefetch", "100", "--", "sh", "-c",
                                   "echo $$; exec tail -f /dev/null", NULL);
    assert_non_null(process_line_with(stuck, PROCESS_ERR, "mailers", 10000));
    process_t *pub = process_fob("pub", "mail", "--lines", NULL);
    for (int n = 0; n < 100; n++)
        assert_true(publish_line(pub, (size_t)n));
    process_close_input(pub);
    assert_int_equal(process_wait(pub, 10000), 0);
    const char *line = process_line(stuck, PROCESS_OUT, 10000);
    assert_non_null(line);
    pid_t handler = (pid_t)atoi(line);
    long long leased = 0, until = process_clock() + 10000;
    while (leased < 100 && process_clock() < until) {
        json_t *all = stats(port);
        leased = figure(json_array_get(json_object_get(all, "groups"), 0), "leased");
        json_decref(all);
    }
    assert_int_equal(leased, 100);
    process_t *other = process_fob("work", "mailers", "mail", "--json", "--prefetch", "100", NULL);
    for (int workers = 0; workers < 2;) {
        json_t *all = stats(port);
        workers = (int)figure(json_object_get(all, "bus"), "workers");
        json_decref(all);
        assert_true(process_clock() < until);
    }
    long long killed = process_clock();
    process_signal(stuck, SIGKILL);
    kill(handler, SIGKILL);
    int second = 0;
    for (int n = 0; n < 100; n++) {
        line = process_line(other, PROCESS_OUT, 4000);
        assert_non_null(line);
        second += strstr(line, "\"attempt\":2") != NULL;
    }
    long long took = process_clock() - killed;
    printf("100 events were with another after %lld ms, %d as attempt 2\n", took, second);
    assert_true(took < 4000);
    assert_int_equal(second, 1); /* it had begun one */
    wait_settled(port);
    process_destroy(&other);
    process_destroy(&stuck);
    process_destroy(&pub);
    process_destroy(&bus);
    unsetenv("FOB_BUS");
    free(data);
    process_folder_remove(&folder);
}

/* --- a publisher --- */

static void a_killed_publishers_confirmed_events_are_all_there(void **state) {
    (void)state;
    char *folder = process_folder();
    char *data = path_in(folder, "data"), *receipts = path_in(folder, "receipts");
    char *worker_file = path_in(folder, "worker");
    size_t events = 20000;
    int port = process_port();
    process_t *bus = process_serve(port, "--data", data, NULL);
    setenv("FOB_BUS", process_bus(port), 1);
    assert_int_equal(
        process_run_fob(NULL, NULL, NULL, "group", "add", "billing", "order_placed", NULL), 0);
    process_t *pub = fob_to_file(receipts, "pub order_placed --lines --json");
    for (size_t n = 0; n < events; n++)
        assert_true(publish_line(pub, n));
    process_signal(pub, SIGKILL); /* its input is open still: it is in mid-stream */
    assert_int_equal(process_wait(pub, 5000), 128 + SIGKILL);
    process_t *worker = fob_to_file(worker_file, "work billing order_placed --json");
    wait_settled(port);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, 10000), 0);
    unsigned char *seen = calloc(events, 1);
    size_t lines = count_lines(worker_file, seen, events), confirmed = 0;
    char *text = file_read(receipts);
    for (const char *at = text; (at = strstr(at, "\"offset\":")); at++)
        confirmed++;
    printf("%zu confirmed, %zu handled\n", confirmed, lines);
    assert_true(confirmed > 0);
    /* Stored in the order sent: what was confirmed are the first ones, each handled once. */
    assert_true(lines >= confirmed);
    for (size_t n = 0; n < lines; n++)
        assert_int_equal(seen[n], 1);
    free(text);
    free(seen);
    process_destroy(&worker);
    process_destroy(&pub);
    process_destroy(&bus);
    unsetenv("FOB_BUS");
    free(worker_file);
    free(receipts);
    free(data);
    process_folder_remove(&folder);
}

FOB_MAIN(FOB_CASE(the_bus_killed_three_times_in_a_stream_loses_nothing),
         FOB_CASE(a_killed_workers_events_are_with_another_within_four_seconds),
         FOB_CASE(a_killed_publishers_confirmed_events_are_all_there))
