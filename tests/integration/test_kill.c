/* kill -9 in mid-stream: of the bus, of a worker, of a publisher. The real program, real sockets, a
 * real folder. */
#include "tests/support/case.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>

#ifndef STORM_EVENTS
#define STORM_EVENTS 200000
#endif
#define STORM_SECONDS 10
#define STORM_KILLS   3
#define STORM_WORKERS 2   /* of each group */
#define PREFETCH      100 /* the default */
#define STORM_PAD     235 /* so that an event's data is some 256 bytes of msgpack */

/* --- counting --- */

/* Adds to seen[n] for each line that holds "n":N. Returns the number of lines. */
static size_t count_lines(const char *path, unsigned char *seen, size_t events) {
    char *text = stand_read(path);
    size_t lines = 0;
    for (char *rest = text, *line; (line = stand_line(&rest)) != NULL; lines++) {
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
            stand_pace(start + (long long)((n - from) / slice) * 10);
        if (!publish_line(pub, n))
            return false;
    }
    return true;
}

/* Beats by which no worker is lost for being slow: only by the kills. */
#define CALM pace_beat(2000, NULL)

/* --- the bus --- */

typedef struct {
    stand_t stand;
    process_t *pub, *sub, *workers[4];
    char *worker_file[4], *pub_file, *sub_file;
} storm_t;

static void storm_start(storm_t *self) {
    stand_start_with(&self->stand, CALM, NULL);
    self->pub_file = stand_path(&self->stand, "receipts");
    self->sub_file = stand_path(&self->stand, "sub");
    for (int i = 0; i < 4; i++) {
        char name[24];
        snprintf(name, sizeof name, "worker%d", i);
        self->worker_file[i] = stand_path(&self->stand, name);
        self->workers[i] =
            stand_fob_to(self->worker_file[i], i < 2 ? "work billing order_placed --json"
                                                     : "work shipping order_placed --json");
    }
    self->sub = stand_fob_to(self->sub_file, "sub order_placed --json");
    stand_await_workers(&self->stand, 4);
    self->pub = stand_fob_to(self->pub_file, "pub order_placed --lines --json");
}

/* Ends the clients, which have written all there is then. */
static void storm_calm(storm_t *self) {
    for (int i = 0; i < 4; i++) {
        process_signal(self->workers[i], SIGTERM);
        assert_int_equal(process_wait(self->workers[i], PACE_PATIENCE), 0);
        process_destroy(&self->workers[i]);
    }
    process_signal(self->sub, SIGTERM);
    assert_int_equal(process_wait(self->sub, PACE_PATIENCE), 0);
    process_destroy(&self->sub);
    process_destroy(&self->pub);
}

static void storm_end(storm_t *self) {
    for (int i = 0; i < 4; i++)
        free(self->worker_file[i]);
    free(self->pub_file);
    free(self->sub_file);
    stand_end(&self->stand);
}

/* A worker that is back within three beats claims what it holds, and nothing of it is handled
 * twice; one that is later, once a kill, loses what it held: a prefetch. */
static void group_check(const storm_t *self, int first_worker, const char *name) {
    unsigned char *seen = calloc(STORM_EVENTS, 1);
    size_t lines = count_lines(self->worker_file[first_worker], seen, STORM_EVENTS) +
                   count_lines(self->worker_file[first_worker + 1], seen, STORM_EVENTS);
    printf("%s: %zu handled, %zu missing, %zu twice\n", name, lines, missing(seen, STORM_EVENTS),
           lines - STORM_EVENTS);
    assert_int_equal(missing(seen, STORM_EVENTS), 0);
    assert_in_range(lines - STORM_EVENTS, 0, STORM_KILLS * STORM_WORKERS * PREFETCH);
    free(seen);
}

/* Each line has its receipt, each another offset. */
static void receipts_check(const storm_t *self) {
    char *text = stand_read(self->pub_file);
    size_t lines = 0;
    long long last = 0;
    for (char *rest = text, *line; (line = stand_line(&rest)) != NULL; lines++) {
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
    for (size_t part = 0; part <= STORM_KILLS; part++) {
        if (part)
            stand_kill_bus(&storm.stand);
        assert_true(publish_paced(storm.pub, part * STORM_EVENTS / (STORM_KILLS + 1),
                                  (part + 1) * STORM_EVENTS / (STORM_KILLS + 1)));
    }
    process_close_input(storm.pub);
    assert_int_equal(process_wait(storm.pub, PACE_PATIENCE), 0);
    stand_await_settled(&storm.stand);
    storm_calm(&storm);
    receipts_check(&storm);
    group_check(&storm, 0, "billing");
    group_check(&storm, 2, "shipping");
    unsigned char *seen = calloc(STORM_EVENTS, 1);
    size_t lines = count_lines(storm.sub_file, seen, STORM_EVENTS);
    printf("subscriber: %zu events, %zu missing (it is lossy, and the bus was away)\n", lines,
           missing(seen, STORM_EVENTS));
    assert_true(lines > 0);
    free(seen);
    storm_end(&storm);
}

/* --- a worker --- */

/* Kills a worker beside another: how many ms later that has all its events. */
static long long take_over(const stand_t *stand) {
    /* Its first handler never ends; the other 99 wait in its prefetch. */
    process_t *stuck = process_fob("work", "mailers", "mail", "--prefetch", "100", "--", "sh", "-c",
                                   "echo $$; exec tail -f /dev/null", NULL);
    assert_non_null(process_line_with(stuck, PROCESS_ERR, "mailers", PACE_PATIENCE));
    process_t *pub = process_fob("pub", "mail", "--lines", NULL);
    for (int n = 0; n < 100; n++)
        assert_true(publish_line(pub, (size_t)n));
    process_close_input(pub);
    assert_int_equal(process_wait(pub, PACE_PATIENCE), 0);
    const char *line = process_line(stuck, PROCESS_OUT, PACE_PATIENCE);
    assert_non_null(line);
    pid_t handler = (pid_t)atoi(line);
    stand_await(stand, "mailers", "leased", 100);
    process_t *other = process_fob("work", "mailers", "mail", "--json", "--prefetch", "100", NULL);
    stand_await_workers(stand, 2);
    long long killed = process_clock();
    process_signal(stuck, SIGKILL);
    kill(handler, SIGKILL);
    int second = 0;
    for (int n = 0; n < 100; n++) {
        line = process_line(other, PROCESS_OUT, PACE_PATIENCE);
        assert_non_null(line);
        second += strstr(line, "\"attempt\":2") != NULL;
    }
    long long took = process_clock() - killed;
    printf("100 events were with another after %lld ms, %d as attempt 2\n", took, second);
    assert_int_equal(second, 1); /* it had begun one */
    stand_await_settled(stand);
    process_signal(other, SIGTERM);
    assert_int_equal(process_wait(other, PACE_PATIENCE), 0);
    process_destroy(&other);
    process_destroy(&stuck);
    process_destroy(&pub);
    return took;
}

/* Again where it took longer, as others run beside us: a bus that is late is so each time. */
static void a_killed_workers_events_are_with_another_within_four_seconds(void **state) {
    (void)state;
    stand_t stand;
    stand_start_with(&stand, pace_beat(1000, NULL), NULL);
    bool late = true;
    for (int tries = 0; tries < 4 && late; tries++) {
        long long took = take_over(&stand);
        late = process_late(took, 4000, process_lag());
    }
    assert_false(late);
    stand_end(&stand);
}

/* --- a publisher --- */

static void a_killed_publishers_confirmed_events_are_all_there(void **state) {
    (void)state;
    stand_t stand;
    stand_start_with(&stand, CALM, NULL);
    char *receipts = stand_path(&stand, "receipts"), *worker_file = stand_path(&stand, "worker");
    size_t events = 20000;
    free(stand_do("group", "add", "billing", "order_placed", NULL));
    process_t *pub = stand_fob_to(receipts, "pub order_placed --lines --json");
    for (size_t n = 0; n < events; n++)
        assert_true(publish_line(pub, n));
    process_signal(pub, SIGKILL); /* its input is open still: it is in mid-stream */
    assert_int_equal(process_wait(pub, PACE_PATIENCE), 128 + SIGKILL);
    process_t *worker = stand_fob_to(worker_file, "work billing order_placed --json");
    stand_await_settled(&stand);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, PACE_PATIENCE), 0);
    unsigned char *seen = calloc(events, 1);
    size_t lines = count_lines(worker_file, seen, events), confirmed = 0;
    char *text = stand_read(receipts);
    for (char *rest = text, *line; (line = stand_line(&rest)) != NULL;)
        confirmed += strstr(line, "\"offset\":") != NULL;
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
    free(worker_file);
    free(receipts);
    stand_end(&stand);
}

FOB_MAIN(FOB_CASE(the_bus_killed_three_times_in_a_stream_loses_nothing),
         FOB_CASE(a_killed_workers_events_are_with_another_within_four_seconds),
         FOB_CASE(a_killed_publishers_confirmed_events_are_all_there))
