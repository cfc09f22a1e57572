/* Three times as many events as are handled: what is accepted is served as before, the rest is
 * refused with a time to come back that is true, and nothing grows. */
#include "tests/support/case.h"

#include "proto/cursor.h"
#include "tests/abuse/flood.h"
#include "tests/abuse/scene.h"
#include "tests/abuse/zmtp.h"

#include <fob/fob_worker.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define JOBS      4
#define HANDLE_MS 4 /* of a handler: it sleeps, as if it waited for a database */
#define DEPTH     500
#define PATIENCE  PACE_PATIENCE
#define MOST      1000000 /* events that are offered */
#define FLIGHT    256     /* without an answer, at the most */

/* --- handlers, limited --- */

typedef struct {
    fob_worker_t *worker;
    pthread_t threads[JOBS];
    _Atomic int stop;
    _Atomic long handled;
} handlers_t;

static void *handle(void *arg) {
    handlers_t *self = arg;
    while (!self->stop) {
        fob_event_t *event = NULL;
        if (fob_worker_next(self->worker, &event, 50) != FOB_OK)
            continue;
        stand_pace(process_clock() + HANDLE_MS);
        fob_worker_settle(self->worker, &event, FOB_ACK);
        self->handled++;
    }
    return NULL;
}

static void handlers_begin(handlers_t *self) {
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.group = "slow";
    options.pattern = "slow";
    options.jobs = JOBS;
    options.prefetch = 2 * JOBS;
    *self = (handlers_t){0};
    self->worker = fob_worker_new(&options);
    assert_non_null(self->worker);
    assert_int_equal(fob_worker_wait_ready(self->worker, PATIENCE, NULL), FOB_OK);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(pthread_create(&self->threads[i], NULL, handle, self), 0);
}

static void handlers_end(handlers_t *self) {
    self->stop = 1;
    for (int i = 0; i < JOBS; i++)
        pthread_join(self->threads[i], NULL);
    fob_worker_destroy(&self->worker, PATIENCE);
}

/* Events a second, over so long. */
static double drained(handlers_t *self, int ms) {
    long from = self->handled;
    long long began = process_clock();
    stand_pace(began + ms);
    return (double)(self->handled - from) * 1000 / (double)(process_clock() - began);
}

/* --- offers --- */

/* A publisher that offers at its own pace, whatever it is answered: what finds its topic closed is
 * lost to it; what was refused it offers again when it was told to. */
typedef struct {
    zmtp_t *peer;
    uint64_t next, low; /* number of the next event; the lowest without receipt */
    long long *sent;    /* us, by number, of its last offer; 0: it has its receipt */
    uint64_t *refused;  /* to be offered again */
    size_t refused_count, unanswered;
    long long retry_at;   /* us; 0: the topic is open */
    uint64_t first_again; /* offered again, and not answered yet; 0: none */
    size_t offered, turned_away, stored, busy, rounds, honest;
    long *late[2]; /* us from offer to receipt, of each half */
    size_t late_count[2];
    long long began, middle;
} offers_t;

static long long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void offer(offers_t *self, uint64_t number) {
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    fob_buf_t body = {0};
    FOB_SET(&msg, first, number);
    FOB_SET(&msg, low, self->low);
    flood_body(&body, "slow", 1, 200);
    assert_true(zmtp_send(self->peer, &msg, &body));
    fob_buf_free(&body);
    self->sent[number] = now_us();
    self->unanswered++;
}

static void on_stored(offers_t *self, uint64_t number) {
    long long now = now_us();
    int half = self->sent[number] > self->middle;
    self->late[half][self->late_count[half]++] = (long)(now - self->sent[number]);
    self->sent[number] = 0;
    while (self->low < self->next && !self->sent[self->low])
        self->low++;
    self->stored++;
    self->honest += number == self->first_again;
}

static void on_busy(offers_t *self, uint64_t number, fob_slice_t details) {
    fob_cursor_t cursor = fob_cursor(details);
    uint32_t pairs = 0;
    uint64_t wait_ms = 0;
    self->refused[self->refused_count++] = number;
    self->busy++;
    if (self->retry_at)
        return;
    assert_true(fob_cursor_map(&cursor, &pairs));
    for (uint32_t i = 0; i < pairs; i++) {
        fob_slice_t key;
        assert_true(fob_cursor_str(&cursor, &key));
        if (fob_slice_eq(key, fob_slice_str("retry_after")))
            assert_true(fob_cursor_uint(&cursor, &wait_ms));
        else
            assert_true(fob_cursor_skip(&cursor, NULL));
    }
    assert_in_range(wait_ms, 50, 5000);
    self->retry_at = now_us() + (long long)wait_ms * 1000;
}

static void take_answers(offers_t *self, int timeout_ms) {
    fob_slice_t frame;
    while (zmtp_next(self->peer, &frame, timeout_ms)) {
        fob_wire_t msg = {0};
        fob_runs_t runs;
        fob_run_t run;
        timeout_ms = 0;
        assert_int_equal(fob_wire_read(frame, &msg), FOB_OK);
        if (msg.verb == FOB_VERB_BEAT)
            continue;
        assert_int_equal(msg.verb, FOB_VERB_RECEIPT);
        assert_true(fob_runs(msg.runs, &runs));
        while (fob_runs_next(&runs, &run)) {
            for (uint64_t number = run.at[1]; number < run.at[1] + run.at[2]; number++) {
                self->unanswered--;
                if (run.at[0] == FOB_OK)
                    on_stored(self, number);
                else if (run.at[0] == FOB_BUSY)
                    on_busy(self, number, run.detail);
                else
                    fail_msg("an event was answered %lu", (unsigned long)run.at[0]);
            }
        }
    }
}

/* What was refused is offered again, once it is time and nothing is under way. */
static void offer_again(offers_t *self) {
    if (!self->retry_at || now_us() < self->retry_at || self->unanswered > 0)
        return;
    size_t count = self->refused_count;
    self->retry_at = 0;
    self->refused_count = 0;
    self->rounds++;
    self->first_again = self->refused[0];
    uint64_t again[FLIGHT];
    assert_true(count <= FLIGHT);
    memcpy(again, self->refused, count * sizeof *again);
    for (size_t i = 0; i < count; i++)
        offer(self, again[i]);
}

static bool lacks_something(const offers_t *self) {
    return self->rounds == 0 || self->late_count[0] == 0 || self->late_count[1] == 0;
}

static void offer_at(offers_t *self, double per_second, int ms) {
    self->began = now_us();
    self->middle = INT64_MAX;
    long long until = self->began + ms * 1000LL;
    long long end = until + PATIENCE * 1000LL; /* for the first time to come back, and two halves */
    for (long long now = self->began; now < until || (lacks_something(self) && now < end);
         now = now_us()) {
        size_t due = (size_t)((double)(now - self->began) * per_second / 1e6);
        if (now > until && self->rounds == 0) /* they were measured while they stood still */
            due = self->offered + FLIGHT;
        if (self->middle == INT64_MAX && now > until - ms * 500LL && self->late_count[0] > 0)
            self->middle = now;
        for (; self->offered < due; self->offered++) {
            if (self->retry_at || self->unanswered >= FLIGHT || self->next + 1 >= MOST)
                self->turned_away++;
            else
                offer(self, self->next++);
        }
        offer_again(self);
        zmtp_send(self->peer, &(fob_wire_t){.verb = FOB_VERB_BEAT}, NULL);
        take_answers(self, 1);
    }
    while (self->unanswered > 0)
        take_answers(self, PATIENCE);
}

static int by_size(const void *a, const void *b) {
    long left = *(const long *)a, right = *(const long *)b;
    return (left > right) - (left < right);
}

static long late_99(offers_t *self, int half) {
    size_t count = self->late_count[half];
    assert_true(count > 0);
    qsort(self->late[half], count, sizeof(long), by_size);
    return self->late[half][count * 99 / 100];
}

static void offers_begin(offers_t *self, int port) {
    *self = (offers_t){.next = 1, .low = 1};
    self->peer = zmtp_new(port, "DEALER");
    assert_int_equal(zmtp_hello(self->peer, "publisher", 7), FOB_VERB_WELCOME);
    self->sent = calloc(MOST, sizeof *self->sent);
    self->refused = calloc(MOST, sizeof *self->refused);
    self->late[0] = calloc(MOST, sizeof(long));
    self->late[1] = calloc(MOST, sizeof(long));
    assert_true(self->sent && self->refused && self->late[0] && self->late[1]);
}

static void offers_end(offers_t *self) {
    zmtp_destroy(&self->peer);
    free(self->sent);
    free(self->refused);
    free(self->late[0]);
    free(self->late[1]);
}

static void three_times_what_is_handled_leaves_latency_and_memory_as_they_are(void **state) {
    (void)state;
    static offers_t offers;
    scene_t scene;
    handlers_t handlers;
    scene_begin(&scene, "heartbeat = 10s\n"); /* nobody is to be lost for being late */
    char depth[32];
    snprintf(depth, sizeof depth, "max_depth=%d", DEPTH);
    free(stand_do("group", "add", "slow", "slow", depth, NULL));
    handlers_begin(&handlers);
    flood("slow", DEPTH, 200); /* what it takes to measure them */
    double rate = drained(&handlers, 300), least = JOBS * 1000.0 / HANDLE_MS / 4;
    rate = rate > least ? rate : least; /* they may have stood still just then */
    stand_await(&scene.stand, "slow", "acked", DEPTH);
    offers_begin(&offers, scene.stand.port);
    long handled = handlers.handled;
    pair_figures(scene.pair);
    offer_at(&offers, 3 * rate, 1000 * scene_seconds(4));
    long first = late_99(&offers, 0), second = late_99(&offers, 1);
    handled = handlers.handled - handled;
    printf("%.0f handled a second; %zu offered in three times that rate: %zu stored while %ld were "
           "handled, %zu refused, %zu not offered as the topic was closed; confirmed in (99%%) %ld "
           "us, "
           "then %ld us; %zu of %zu times there was room after retry_after\n",
           rate, offers.offered, offers.stored, handled, offers.busy, offers.turned_away, first,
           second, offers.honest, offers.rounds);
    json_t *group = stand_group(&scene.stand, "slow"); /* its books balance */
    assert_int_equal(json_integer_value(json_object_get(group, "limit")), DEPTH);
    assert_int_equal(json_integer_value(json_object_get(group, "accepted")),
                     DEPTH + (long long)offers.stored);
    json_decref(group);
    /* What was accepted is what was handled, and what may wait. */
    assert_in_range(offers.stored, handled, handled + DEPTH + 2 * JOBS);
    assert_true(offers.busy > 0 && offers.rounds > 0);
    if (scene_alone()) { /* others take the handlers' time, and ours */
        assert_true(2 * offers.honest >= offers.rounds);
        assert_true(second <= 5 * first + 200000);
    }
    assert_true(scene_figure(&scene, "busy") >= (long long)offers.busy);
    scene_bears(&scene, "three times the rate", &(scene_bounds_t){.rss_mib = 48});
    stand_await_settled(&scene.stand);
    offers_end(&offers);
    handlers_end(&handlers);
    scene_end(&scene);
}

FOB_MAIN(FOB_CASE(three_times_what_is_handled_leaves_latency_and_memory_as_they_are))
