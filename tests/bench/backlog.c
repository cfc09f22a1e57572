/* backlog: what a queue that nobody works costs, and how it comes back: events are stored for one
 * group and drained; the same once the bus was ended, or killed, and started with nothing in
 * memory.
 */
#include "tests/bench/rig.h"

#include <fob/fob_publisher.h>
#include <fob/fob_worker.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKERS 2

typedef struct {
    const bench_options_t *options;
    rig_t *rig;
    atomic_uint_fast64_t handled;
    atomic_uint_fast64_t first; /* when the first one came, in ns; 0: none did */
    double grown;               /* the bus's resident memory, by storing them */
} backlog_t;

static bool fill(void *arg) {
    backlog_t *self = arg;
    uint64_t size = self->options->size;
    uint8_t *data = calloc(1, size);
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = rig_endpoint(self->rig);
    options.window = self->options->window;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    bool good = data && publisher;
    for (uint64_t i = 0; good && i < self->options->events; i++) {
        good = fob_publisher_send(publisher, "bench.queue", data, size, NULL, NULL) == FOB_OK;
        if (i % 512 == 511)
            fob_publisher_dispatch(publisher, 0);
    }
    good = good && fob_publisher_flush(publisher, -1) == FOB_OK;
    fob_publisher_destroy(&publisher);
    free(data);
    return good;
}

static fob_worker_t *worker_of(const backlog_t *self) {
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.bus = rig_endpoint(self->rig);
    options.group = "bench";
    options.pattern = "bench.queue";
    options.prefetch = 4096;
    return fob_worker_new(&options);
}

static void note_first(backlog_t *self) {
    uint_fast64_t none = 0;
    if (atomic_load_explicit(&self->first, memory_order_relaxed) == 0)
        atomic_compare_exchange_strong(&self->first, &none, (uint64_t)(rig_now() * 1e9));
}

static bool work(void *arg) {
    backlog_t *self = arg;
    fob_worker_t *worker = worker_of(self);
    fob_status_t status = worker ? FOB_OK : FOB_NO_MEMORY;
    double heard = rig_now();
    while (atomic_load(&self->handled) < self->options->events && rig_now() - heard < 10 &&
           (status == FOB_OK || status == FOB_AGAIN)) {
        fob_event_t *event;
        while ((status = fob_worker_next(worker, &event, 50)) == FOB_OK) {
            fob_worker_settle(worker, &event, FOB_ACK);
            note_first(self);
            if (atomic_fetch_add(&self->handled, 1) + 1 >= self->options->events)
                break;
            heard = rig_now();
        }
    }
    fob_worker_flush(worker, 10000);
    fob_worker_destroy(&worker, 1000);
    return status == FOB_OK || status == FOB_AGAIN;
}

/* Events a second. */
static double drain(backlog_t *self, bool *good) {
    pid_t workers[WORKERS];
    uint64_t before = atomic_load(&self->handled);
    double began = rig_now();
    for (int i = 0; i < WORKERS; i++)
        workers[i] = rig_child(work, self);
    for (int i = 0; i < WORKERS; i++)
        *good = rig_join(workers[i]) && *good;
    *good = *good && atomic_load(&self->handled) == self->options->events;
    return (double)(atomic_load(&self->handled) - before) / (rig_now() - began);
}

/* A bus with all of it queued. */
static double begin(backlog_t *self, bool *good) {
    self->rig = rig_new(self->options);
    *good =
        rig_fob(self->rig, (const char *[]){"group", "add", "bench", "bench.queue", NULL}) && *good;
    atomic_store(&self->handled, 0);
    atomic_store(&self->first, 0);
    double empty = (double)rig_rss(self->rig), began = rig_now();
    *good = rig_join(rig_child(fill, self)) && *good;
    self->grown = (double)rig_rss(self->rig) - empty;
    return (double)self->options->events / (rig_now() - began);
}

static void stored_and_drained(backlog_t *self, bool *good) {
    double payload = (double)(self->options->events * self->options->size);
    bench_row("stored", begin(self, good), "events/s");
    bench_row("memory of the bus grew by", self->grown / 1048576, "MiB");
    bench_row("on disk, of the payload", (double)rig_disk(self->rig) / payload, "times");
    bench_row("drained", drain(self, good), "events/s");
    rig_destroy(&self->rig);
}

/* How a bus is ended, and what the next finds. */
typedef struct {
    const char *name;
    int signal;
    bool cold; /* what it had written is in no memory either */
} end_t;

static void started_again(backlog_t *self, const end_t *end, bool *good) {
    begin(self, good);
    rig_stop(self->rig, end->signal);
    if (end->cold)
        rig_forget_cached(self->rig);
    rig_start(self->rig, self->options);
    double ready = rig_now(), rate = drain(self, good), began = rig_started(self->rig);
    double first = (double)atomic_load(&self->first) / 1e9;
    printf("  %s\n", end->name);
    bench_row("  started: ready in", (ready - began) * 1e3, "ms");
    bench_row("  the first delivery in", (first - began) * 1e3, "ms");
    bench_row("  drained", rate, "events/s");
    rig_destroy(&self->rig);
}

bool bench_backlog(const bench_options_t *options) {
    printf("backlog: %llu events of %llu B for one group, sync %s, drained by %d workers\n",
           (unsigned long long)options->events, (unsigned long long)options->size, options->sync,
           WORKERS);
    backlog_t *self = rig_shared(sizeof *self);
    bool good = true;
    self->options = options;
    stored_and_drained(self, &good);
    static const end_t ends[] = {{"ended in order", SIGTERM, false},
                                 {"killed by kill -9", SIGKILL, false},
                                 {"killed, and all of it to be read from the disk", SIGKILL, true}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        started_again(self, &ends[i], &good);
    return good;
}
