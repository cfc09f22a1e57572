/* The worker's shell against a bus of the test's own: real sockets, real threads. */
#include "support/case.h"

#include "fake_bus.h"
#include "proto/envelope.h"
#include "subscribers/lease/leases.h"
#include <fob/fob_worker.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define EVENTS 20000

/* A group `g` of one worker, on the bus's thread; the test looks at the atomics. */
typedef struct {
    fake_bus_t *bus;
    bool leased[EVENTS + 1], done[EVENTS + 1];
    uint64_t next, top; /* all below next are leased or done; top is the last there is */
    uint64_t allowed, delivered;
    fob_status_t refuse; /* JOIN is answered so */
    bool silent;         /* SETTLE gets no answer */
    uint64_t lose;       /* with the next SETTLE this lease is taken away; 0: none */
    char said[300]; /* the words of the last SETTLE that had any, of the last JOIN its worker */
    atomic_uint joins, settles, rows, acked, claims, released, twice;
    atomic_ullong most_credit;
} group_t;

static fob_wire_t wire(fob_verb_t verb) {
    fob_wire_t msg = {.verb = verb};
    FOB_SET(&msg, group, fob_slice_str("g"));
    return msg;
}

/* Whether there is one to deliver, at `next`. */
static bool more(group_t *g) {
    while (g->next <= g->top && (g->leased[g->next] || g->done[g->next]))
        g->next++;
    return g->next <= g->top && g->delivered < g->allowed;
}

static void deliver(group_t *g, fob_slice_t peer) {
    while (more(g)) {
        fob_buf_t body = {0}, runs = {0};
        uint64_t first = g->next, count = 0;
        for (; count < 64 && more(g) && g->next == first + count; count++) {
            fob_envelope_t event = {.topic = fob_slice_str("t"), .data = fob_slice_str("12345678")};
            assert_int_equal(fob_envelope_write(&body, 1000, &event), FOB_OK);
            g->leased[g->next] = true;
            g->delivered++;
        }
        fob_wire_t msg = wire(FOB_VERB_DELIVER);
        fob_pack_array(&runs, 1);
        fob_run_write(&runs, (uint64_t[]){first, count, 1000 + first, 1, 77}, 5);
        FOB_SET(&msg, runs, fob_buf_slice(&runs));
        fake_bus_send(g->bus, peer, &msg, fob_buf_slice(&body));
        fob_buf_free(&body);
        fob_buf_free(&runs);
    }
}

static void say(group_t *g, fob_slice_t text) {
    if (text.size)
        snprintf(g->said, sizeof g->said, "%.*s", (int)text.size, (const char *)text.data);
}

/* What is not claimed is delivered again. */
static void on_join(group_t *g, fob_slice_t peer, const fob_wire_t *msg) {
    bool claimed[EVENTS + 1] = {false};
    fob_runs_t runs;
    fob_run_t run;
    fob_wire_t answer = wire(FOB_VERB_JOINED);
    assert_true(fob_runs(msg->runs, &runs));
    for (; fob_runs_next(&runs, &run); atomic_fetch_add(&g->claims, (unsigned)run.at[1]))
        for (uint64_t i = 0; i < run.at[1]; i++)
            claimed[run.at[0] + i] = true;
    for (uint64_t n = 1; n <= g->top; n++)
        g->leased[n] = claimed[n];
    say(g, msg->worker);
    g->next = 1;
    g->allowed = msg->credit;
    g->delivered = 0;
    atomic_fetch_add(&g->joins, 1);
    FOB_SET(&answer, code, g->refuse);
    FOB_SET(&answer, created, true);
    FOB_SET(&answer, text, fob_slice_str(g->refuse ? "the group g has pattern a.>, not t" : ""));
    fake_bus_send(g->bus, peer, &answer, (fob_slice_t){0});
}

static void settle_one(group_t *g, uint64_t kind, uint64_t offset) {
    if (kind == FOB_KIND_RELEASE)
        atomic_fetch_add(&g->released, 1);
    if (g->done[offset])
        atomic_fetch_add(&g->twice, 1);
    g->done[offset] = true;
    atomic_fetch_add(&g->acked, kind == FOB_KIND_ACK);
}

static void lose(group_t *g, fob_slice_t peer) {
    fob_buf_t runs = {0};
    fob_wire_t msg = wire(FOB_VERB_LOST);
    if (!g->lose)
        return;
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){g->lose, 1, 1000 + g->lose}, 3);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    FOB_SET(&msg, text, fob_slice_str("its lease of 5s ran out"));
    fake_bus_send(g->bus, peer, &msg, (fob_slice_t){0});
    fob_buf_free(&runs);
    g->lose = 0;
}

static void on_settle(group_t *g, fob_slice_t peer, const fob_wire_t *msg) {
    fob_runs_t runs;
    fob_run_t run;
    if (g->silent)
        return;
    assert_true(fob_runs(msg->runs, &runs));
    for (; fob_runs_next(&runs, &run); atomic_fetch_add(&g->rows, 1))
        for (uint64_t i = 0; i < run.at[2]; i++)
            settle_one(g, run.at[0], run.at[1] + i);
    atomic_fetch_add(&g->settles, 1);
    if (FOB_HAS(msg, credit))
        g->allowed = msg->credit;
    say(g, msg->text);
    lose(g, peer);
    fob_wire_t answer = wire(FOB_VERB_SETTLED);
    FOB_SET(&answer, seq, msg->seq);
    fake_bus_send(g->bus, peer, &answer, (fob_slice_t){0});
}

static void handle(void *arg, fake_bus_t *bus, fob_slice_t peer, const fob_wire_t *msg,
                   fob_slice_t body) {
    group_t *g = arg;
    (void)body;
    g->bus = bus;
    if (msg->verb == FOB_VERB_JOIN)
        on_join(g, peer, msg);
    else if (msg->verb == FOB_VERB_SETTLE)
        on_settle(g, peer, msg);
    else if (msg->verb == FOB_VERB_CREDIT)
        g->allowed = msg->credit;
    else
        return;
    if (g->allowed > atomic_load(&g->most_credit))
        atomic_store(&g->most_credit, g->allowed);
    if (g->refuse == FOB_OK)
        deliver(g, peer);
}

static group_t *group_new(uint64_t events) {
    group_t *g = calloc(1, sizeof *g);
    assert_non_null(g);
    g->next = 1;
    g->top = events;
    return g;
}

static fake_bus_t *bus_for(group_t *g) {
    return fake_bus_new(&(fake_bus_options_t){.handle = handle, .arg = g});
}

static fob_worker_options_t options_for(const char *bus) {
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.bus = bus;
    options.group = "g";
    options.pattern = "t";
    return options;
}

static void end(fob_worker_t **worker, fake_bus_t **bus, group_t *g) {
    fob_worker_destroy(worker, 2000);
    fake_bus_destroy(bus);
    free(g);
}

/* --- cases --- */

static void every_event_is_handled_and_settled_in_ranges(void **state) {
    (void)state;
    group_t *g = group_new(EVENTS);
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    fob_worker_t *worker = fob_worker_new(&options);
    assert_non_null(worker);
    fob_event_t *event;
    for (uint64_t n = 1; n <= EVENTS; n++) {
        assert_int_equal(fob_worker_next(worker, &event, 60000), FOB_OK);
        assert_int_equal(fob_event_offset(event), n);
        assert_int_equal(fob_event_token(event), 1000 + n);
        assert_string_equal(fob_event_topic(event), "t");
        assert_int_equal(fob_worker_settle(worker, &event, FOB_ACK), FOB_OK);
        assert_null(event);
    }
    assert_int_equal(fob_worker_flush(worker, 60000), FOB_OK);
    assert_int_equal(atomic_load(&g->acked), EVENTS);
    assert_int_equal(atomic_load(&g->twice), 0);
    /* Many to a row: one each would be as many rows as events. */
    assert_true(atomic_load(&g->rows) < EVENTS / 4);
    assert_int_equal(fob_worker_refused(worker), 0);
    end(&worker, &bus, g);
}

static void many_are_taken_and_settled_at_once(void **state) {
    (void)state;
    enum { JOBS = 100 };
    group_t *g = group_new(EVENTS);
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    options.jobs = JOBS;
    options.prefetch = 1000;
    fob_worker_t *worker = fob_worker_new(&options);
    assert_non_null(worker);
    fob_event_t *events[2 * JOBS], *one;
    size_t count, settled;
    for (uint64_t n = 0; n < EVENTS; n += count) {
        assert_int_equal(fob_worker_next_many(worker, events, 2 * JOBS, &count, 60000), FOB_OK);
        assert_in_range(count, 1, JOBS); /* never more than the jobs */
        for (size_t i = 0; i < count; i++)
            assert_int_equal(fob_event_offset(events[i]), n + i + 1);
        if (count == JOBS)
            assert_int_equal(fob_worker_next(worker, &one, 0), FOB_AGAIN);
        assert_int_equal(fob_worker_settle_many(worker, events, count, FOB_ACK, &settled), FOB_OK);
        assert_int_equal(settled, count);
        for (size_t i = 0; i < count; i++)
            assert_null(events[i]);
    }
    assert_int_equal(fob_worker_next_many(worker, events, JOBS, &count, 0), FOB_AGAIN);
    assert_int_equal(count, 0);
    assert_int_equal(fob_worker_next_many(worker, events, 0, &count, 0), FOB_INVALID);
    assert_int_equal(fob_worker_flush(worker, 60000), FOB_OK);
    assert_int_equal(atomic_load(&g->acked), EVENTS);
    assert_int_equal(atomic_load(&g->twice), 0);
    end(&worker, &bus, g);
}

static void of_many_the_lost_one_is_told_and_the_others_are_settled(void **state) {
    (void)state;
    enum { JOBS = 10 };
    group_t *g = group_new(JOBS);
    g->lose = 5; /* with the first settle */
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    options.jobs = JOBS;
    fob_worker_t *worker = fob_worker_new(&options);
    assert_non_null(worker);
    fob_event_t *events[JOBS];
    for (size_t got = 0, count; got < JOBS; got += count)
        assert_int_equal(fob_worker_next_many(worker, events + got, JOBS - got, &count, 60000),
                         FOB_OK);
    assert_int_equal(fob_worker_settle(worker, &events[0], FOB_ACK), FOB_OK);
    WAIT_FOR((fob_worker_flush(worker, 100), fob_worker_lost(worker, events[4], NULL, 0)));
    size_t settled;
    assert_int_equal(fob_worker_settle_many(worker, events, JOBS, FOB_ACK, &settled), FOB_STALE);
    assert_int_equal(settled, JOBS - 2); /* the first was settled before, and is passed over */
    for (size_t i = 0; i < JOBS; i++)
        assert_null(events[i]);
    assert_int_equal(fob_worker_flush(worker, 60000), FOB_OK);
    end(&worker, &bus, g);
}

static void a_count_ends_with_closed_and_no_credit_beyond_it(void **state) {
    (void)state;
    group_t *g = group_new(1000);
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    options.count = 150;
    fob_worker_t *worker = fob_worker_new(&options);
    fob_event_t *event;
    unsigned handled = 0;
    fob_status_t status;
    while ((status = fob_worker_next(worker, &event, 60000)) == FOB_OK) {
        handled++;
        fob_worker_settle(worker, &event, FOB_ACK);
    }
    assert_int_equal(status, FOB_CLOSED);
    assert_int_equal(handled, 150);
    assert_int_equal(fob_worker_flush(worker, 60000), FOB_OK);
    assert_int_equal(atomic_load(&g->acked), 150);
    assert_int_equal(atomic_load(&g->most_credit), 150);
    end(&worker, &bus, g);
}

static void no_more_than_jobs_are_out_at_once(void **state) {
    (void)state;
    group_t *g = group_new(10);
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    options.jobs = 2;
    fob_worker_t *worker = fob_worker_new(&options);
    fob_event_t *one, *two, *three;
    assert_int_equal(fob_worker_next(worker, &one, 60000), FOB_OK);
    assert_int_equal(fob_worker_next(worker, &two, 60000), FOB_OK);
    assert_int_equal(fob_worker_next(worker, &three, 0), FOB_AGAIN);
    struct pollfd fd = {.fd = fob_worker_fd(worker), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 0), 0);
    fob_worker_settle(worker, &one, FOB_RETRY);
    assert_int_equal(poll(&fd, 1, 0), 1);
    assert_int_equal(fob_worker_next(worker, &three, 0), FOB_OK);
    assert_int_equal(fob_worker_holds(worker, two), 1);
    end(&worker, &bus, g); /* with two events out: they are freed too */
}

static void a_restart_of_the_bus_is_only_a_pause(void **state) {
    (void)state;
    group_t *g = group_new(3000);
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    fob_worker_t *worker = fob_worker_new(&options);
    fob_event_t *event;
    for (unsigned n = 1; n <= 3000; n++) {
        assert_int_equal(fob_worker_next(worker, &event, 60000), FOB_OK);
        assert_int_equal(fob_event_offset(event), n);
        if (n % 1000 == 500) { /* with one out, a prefetch, and settles under way */
            fake_bus_stop(bus);
            fake_bus_start(bus);
        }
        assert_int_equal(fob_worker_settle(worker, &event, FOB_ACK), FOB_OK);
    }
    assert_int_equal(fob_worker_flush(worker, 60000), FOB_OK);
    assert_int_equal(atomic_load(&g->joins), 4);
    assert_true(atomic_load(&g->claims) >= 3);
    assert_int_equal(atomic_load(&g->acked) - atomic_load(&g->twice), 3000);
    end(&worker, &bus, g);
}

static void settles_without_an_answer_are_sent_again(void **state) {
    (void)state;
    group_t *g = group_new(5);
    g->silent = true;
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    fob_worker_t *worker = fob_worker_new(&options);
    fob_event_t *event;
    for (unsigned n = 0; n < 5; n++) {
        assert_int_equal(fob_worker_next(worker, &event, 60000), FOB_OK);
        assert_int_equal(fob_worker_settle(worker, &event, FOB_ACK), FOB_OK);
    }
    assert_int_equal(fob_worker_flush(worker, 50), FOB_AGAIN);
    fake_bus_stop(bus);
    g->silent = false;
    fake_bus_start(bus);
    assert_int_equal(fob_worker_flush(worker, 60000), FOB_OK);
    assert_int_equal(atomic_load(&g->acked), 5);
    end(&worker, &bus, g);
}

static void draining_releases_what_is_not_begun(void **state) {
    (void)state;
    group_t *g = group_new(40);
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    fob_worker_t *worker = fob_worker_new(&options);
    fob_event_t *event, *none;
    assert_int_equal(fob_worker_next(worker, &event, 60000), FOB_OK);
    fob_worker_drain(worker);
    assert_int_equal(fob_worker_next(worker, &none, 60000), FOB_CLOSED);
    assert_int_equal(fob_worker_settle(worker, &event, FOB_ACK), FOB_OK);
    assert_int_equal(fob_worker_flush(worker, 60000), FOB_OK);
    assert_int_equal(atomic_load(&g->released), 39);
    assert_int_equal(atomic_load(&g->acked), 1);
    end(&worker, &bus, g);
}

static void another_pattern_ends_it_with_a_sentence(void **state) {
    (void)state;
    group_t *g = group_new(0);
    g->refuse = FOB_PATTERN_DIFFERS;
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    fob_worker_t *worker = fob_worker_new(&options);
    fob_event_t *event;
    char text[200];
    assert_int_equal(fob_worker_wait_ready(worker, 60000, NULL), FOB_PATTERN_DIFFERS);
    assert_int_equal(fob_worker_next(worker, &event, 60000), FOB_PATTERN_DIFFERS);
    fob_worker_trouble(worker, text, sizeof text);
    assert_string_equal(text, "the group g has pattern a.>, not t");
    end(&worker, &bus, g);
}

static void a_bus_that_is_not_there_is_reported_and_then_found(void **state) {
    (void)state;
    group_t *g = group_new(1);
    fake_bus_t *bus = bus_for(g);
    fake_bus_stop(bus);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    options.connect_timeout_ms = 50;
    fob_worker_t *worker = fob_worker_new(&options);
    fob_event_t *event;
    int created = 0;
    assert_int_equal(fob_worker_next(worker, &event, 60000), FOB_UNREACHABLE);
    assert_int_equal(fob_worker_wait_ready(worker, 60000, NULL), FOB_UNREACHABLE);
    fake_bus_start(bus);
    WAIT_FOR(atomic_load(&g->joins));
    assert_int_equal(fob_worker_wait_ready(worker, 20000, &created), FOB_OK);
    assert_int_equal(created, 1);
    assert_int_equal(fob_worker_next(worker, &event, 60000), FOB_OK);
    assert_int_equal(fob_worker_settle(worker, &event, FOB_ACK), FOB_OK);
    end(&worker, &bus, g);
}

static void options_that_are_not_valid_are_refused(void **state) {
    (void)state;
    fob_worker_options_t options = options_for("tcp://127.0.0.1:1");
    options.pattern = "a..b";
    errno = 0;
    assert_null(fob_worker_new(&options));
    assert_int_equal(errno, EINVAL);
    options = options_for("tcp://127.0.0.1:1");
    options.prefetch = FOB_PREFETCH_MAX + 1;
    errno = 0;
    assert_null(fob_worker_new(&options));
    assert_int_equal(errno, EINVAL);
    options = options_for("tcp://127.0.0.1:1");
    options.jobs = FOB_PREFETCH_MAX + 1;
    errno = 0;
    assert_null(fob_worker_new(&options));
    assert_int_equal(errno, EINVAL);
    options = options_for("not an endpoint");
    errno = 0;
    assert_null(fob_worker_new(&options));
    assert_int_equal(errno, EINVAL);
    options = options_for("tcp://127.0.0.1:1");
    options.group = NULL;
    assert_null(fob_worker_new(&options));
}

typedef struct {
    fob_worker_t *worker;
    atomic_uint handled;
} pool_t;

/* The descriptor, which must not stay as it is for longer than 20 s. */
static bool readable(fob_worker_t *worker, int timeout_ms) {
    struct pollfd news = {.fd = fob_worker_fd(worker), .events = POLLIN};
    return poll(&news, 1, timeout_ms) > 0;
}

static void a_running_handler_is_told_that_its_lease_is_lost(void **state) {
    (void)state;
    group_t *g = group_new(2);
    g->lose = 1;
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    options.jobs = 2;
    fob_worker_t *worker = fob_worker_new(&options);
    fob_event_t *lost, *other;
    char why[100];
    assert_int_equal(fob_worker_next(worker, &lost, 60000), FOB_OK);
    assert_int_equal(fob_worker_next(worker, &other, 60000), FOB_OK);
    assert_int_equal(fob_worker_lost(worker, lost, why, sizeof why), 0);
    assert_string_equal(why, "");
    assert_false(readable(worker, 0));
    assert_int_equal(fob_worker_retry(worker, &other, 300, "exit 3"), FOB_OK);
    assert_true(readable(worker, 20000));
    assert_int_equal(fob_worker_holds(worker, lost), 0);
    assert_false(readable(worker, 0)); /* it has told */
    assert_int_equal(fob_worker_lost(worker, lost, why, sizeof why), 1);
    assert_string_equal(why, "its lease of 5s ran out");
    assert_int_equal(fob_worker_reject(worker, &lost, "no use"), FOB_STALE);
    assert_null(lost);
    assert_int_equal(fob_worker_flush(worker, 60000), FOB_OK);
    fake_bus_stop(bus);
    assert_string_equal(g->said, "exit 3");
    end(&worker, &bus, g);
}

static void a_worker_has_a_name_by_itself(void **state) {
    (void)state;
    group_t *g = group_new(0);
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    fob_worker_t *worker = fob_worker_new(&options);
    char pid[30];
    assert_int_equal(fob_worker_wait_ready(worker, 60000, NULL), FOB_OK);
    fake_bus_stop(bus);
    snprintf(pid, sizeof pid, "-%ld", (long)getpid());
    assert_non_null(strstr(g->said, pid));
    end(&worker, &bus, g);
}

static void *pool_run(void *arg) {
    pool_t *pool = arg;
    fob_event_t *event;
    while (fob_worker_next(pool->worker, &event, -1) == FOB_OK) {
        atomic_fetch_add(&pool->handled, 1);
        fob_worker_settle(pool->worker, &event, FOB_ACK);
    }
    return NULL;
}

static void threads_share_one_worker(void **state) {
    (void)state;
    enum { THREADS = 4, COUNT = 8000 };
    group_t *g = group_new(COUNT);
    fake_bus_t *bus = bus_for(g);
    fob_worker_options_t options = options_for(fake_bus_endpoint(bus));
    options.jobs = THREADS;
    options.count = COUNT;
    pool_t pool = {.worker = fob_worker_new(&options)};
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pool_run, &pool), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL); /* each sees CLOSED at the end */
    assert_int_equal(fob_worker_flush(pool.worker, 60000), FOB_OK);
    assert_int_equal(atomic_load(&pool.handled), COUNT);
    assert_int_equal(atomic_load(&g->acked), COUNT);
    assert_int_equal(atomic_load(&g->twice), 0);
    end(&pool.worker, &bus, g);
}

FOB_MAIN(FOB_CASE(every_event_is_handled_and_settled_in_ranges),
         FOB_CASE(many_are_taken_and_settled_at_once),
         FOB_CASE(of_many_the_lost_one_is_told_and_the_others_are_settled),
         FOB_CASE(a_count_ends_with_closed_and_no_credit_beyond_it),
         FOB_CASE(no_more_than_jobs_are_out_at_once),
         FOB_CASE(a_restart_of_the_bus_is_only_a_pause),
         FOB_CASE(settles_without_an_answer_are_sent_again),
         FOB_CASE(draining_releases_what_is_not_begun),
         FOB_CASE(another_pattern_ends_it_with_a_sentence),
         FOB_CASE(a_bus_that_is_not_there_is_reported_and_then_found),
         FOB_CASE(options_that_are_not_valid_are_refused), FOB_CASE(threads_share_one_worker),
         FOB_CASE(a_running_handler_is_told_that_its_lease_is_lost),
         FOB_CASE(a_worker_has_a_name_by_itself))
