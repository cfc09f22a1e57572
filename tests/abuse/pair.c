#include "tests/abuse/pair.h"

#include "tests/support/case.h"
#include "tests/support/process.h"

#include <fob/fob_publisher.h>
#include <fob/fob_worker.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define MOST     200000 /* trips that are kept: the later ones count only */
#define EACH_MS  1      /* between two trips: it is no load of its own */
#define PATIENCE PACE_PATIENCE

struct pair {
    fob_publisher_t *publisher;
    fob_worker_t *worker;
    pthread_t thread;
    _Atomic int stop;
    const char *problem; /* why it ended before it was told */
    pthread_mutex_t lock;
    long *confirms, *trips; /* since it was asked last */
    size_t count, total;
    long long since;
};

static long long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* One event all the way. */
static bool trip(pair_t *self) {
    fob_event_t *event = NULL;
    long long from = now_us();
    if (fob_publisher_send(self->publisher, "healthy.event", &from, sizeof from, NULL, NULL) !=
            FOB_OK ||
        fob_publisher_flush(self->publisher, PATIENCE) != FOB_OK) {
        self->problem = "an event of the healthy publisher was not stored";
        return false;
    }
    long long confirmed = now_us();
    if (fob_worker_next(self->worker, &event, PATIENCE) != FOB_OK) {
        self->problem = "an event did not come to the healthy worker";
        return false;
    }
    long long handled = now_us();
    fob_status_t settled = fob_worker_settle(self->worker, &event, FOB_ACK);
    if (settled == FOB_STALE)
        return true; /* a machine so slow that beats were missed: it comes again */
    if (settled != FOB_OK) {
        self->problem = "the healthy worker could not settle";
        return false;
    }
    pthread_mutex_lock(&self->lock);
    if (self->count < MOST) {
        self->confirms[self->count] = (long)(confirmed - from);
        self->trips[self->count++] = (long)(handled - from);
    }
    self->total++;
    pthread_mutex_unlock(&self->lock);
    return true;
}

static void *run(void *arg) {
    pair_t *self = arg;
    struct timespec pause = {0, EACH_MS * 1000000};
    while (!self->stop && trip(self))
        nanosleep(&pause, NULL); /* the pace of its load */
    return NULL;
}

pair_t *pair_new(void) {
    pair_t *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->confirms = calloc(MOST, sizeof *self->confirms);
    self->trips = calloc(MOST, sizeof *self->trips);
    assert_true(self->confirms && self->trips);
    fob_publisher_options_t publisher = FOB_PUBLISHER_OPTIONS;
    fob_worker_options_t worker = FOB_WORKER_OPTIONS;
    publisher.connect_timeout_ms = PATIENCE;
    publisher.deadline_ms = PATIENCE;
    worker.group = "healthy";
    worker.pattern = "healthy.>";
    worker.connect_timeout_ms = PATIENCE;
    self->publisher = fob_publisher_new(&publisher);
    self->worker = fob_worker_new(&worker);
    assert_true(self->publisher && self->worker);
    assert_int_equal(fob_worker_wait_ready(self->worker, PATIENCE, NULL), FOB_OK);
    pthread_mutex_init(&self->lock, NULL);
    self->since = now_us();
    assert_true(trip(self));
    assert_int_equal(pthread_create(&self->thread, NULL, run, self), 0);
    return self;
}

static int by_size(const void *a, const void *b) {
    long left = *(const long *)a, right = *(const long *)b;
    return (left > right) - (left < right);
}

pair_figures_t pair_figures(pair_t *self) {
    pair_figures_t out = {0};
    pthread_mutex_lock(&self->lock);
    long long now = now_us();
    size_t count = self->count;
    out.trips = count;
    out.seconds = (double)(now - self->since) / 1e6;
    out.per_second = (double)count / out.seconds;
    if (count > 0) {
        qsort(self->confirms, count, sizeof *self->confirms, by_size);
        qsort(self->trips, count, sizeof *self->trips, by_size);
        out.confirm_median = self->confirms[count / 2];
        out.confirm_99 = self->confirms[count * 99 / 100];
        out.trip_median = self->trips[count / 2];
        out.trip_worst = self->trips[count - 1];
    }
    self->count = 0;
    self->since = now;
    pthread_mutex_unlock(&self->lock);
    return out;
}

size_t pair_trips(pair_t *self) {
    pthread_mutex_lock(&self->lock);
    size_t total = self->total;
    pthread_mutex_unlock(&self->lock);
    return total;
}

void pair_destroy(pair_t **self_p) {
    pair_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    self->stop = 1;
    pthread_join(self->thread, NULL);
    if (self->problem)
        fail_msg("%s", self->problem);
    fob_publisher_destroy(&self->publisher);
    fob_worker_destroy(&self->worker, 5000);
    pthread_mutex_destroy(&self->lock);
    free(self->confirms);
    free(self->trips);
    free(self);
}
