#include "subscribers/commands/bench_gauge.h"
#include "subscribers/commands/bench_seen.h"

#include <fob/fob_worker.h>
#include <stdio.h>

#define BATCH      64   /* events handled at once, and a look at the clock */
#define WAIT_MS    20   /* how soon it is seen that the run has ended */
#define GOODBYE_MS 2000 /* for the last settles to be confirmed */

typedef struct {
    fob_client_t *client;
    fob_worker_t *worker;
    fob_seen_t seen;
} take_t;

static void fail(take_t *self, fob_status_t status) {
    char trouble[400] = "";
    if (self->worker)
        fob_worker_trouble(self->worker, trouble, sizeof trouble);
    fob_client_fail(self->client, status, trouble);
}

static bool join(take_t *self) {
    const fob_bench_plan_t *plan = self->client->plan;
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    char pattern[80], group[80];
    snprintf(pattern, sizeof pattern, "%s.>", plan->prefix);
    snprintf(group, sizeof group, "%s.%u", plan->prefix, self->client->index / plan->workers);
    options.bus = plan->bus;
    options.group = group;
    options.pattern = pattern;
    options.prefetch = plan->prefetch;
    options.jobs = plan->prefetch < BATCH ? plan->prefetch : BATCH;
    options.temporary = 1;
    options.connect_timeout_ms = plan->connect_ms;
    self->worker = fob_worker_new(&options);
    fob_status_t status =
        self->worker ? fob_worker_wait_ready(self->worker, plan->connect_ms, NULL) : FOB_NO_MEMORY;
    if (status != FOB_OK)
        fail(self, status == FOB_AGAIN ? FOB_UNREACHABLE : status);
    return status == FOB_OK;
}

static bool alive(take_t *self, int64_t now_ns) {
    char trouble[400];
    if (!fob_client_looks(self->client, now_ns))
        return true;
    fob_worker_trouble(self->worker, trouble, sizeof trouble);
    return fob_client_lives(self->client, now_ns, trouble);
}

static void run(take_t *self) {
    fob_event_t *events[BATCH];
    int64_t now = fob_board_clock();
    while (fob_board_phase(self->client->board) != FOB_BENCH_END && alive(self, now)) {
        size_t count;
        fob_status_t status = fob_worker_next_many(self->worker, events, BATCH, &count, WAIT_MS);
        now = fob_board_clock();
        for (size_t i = 0; i < count; i++)
            fob_seen_note(&self->seen, events[i], now);
        if (count > 0)
            fob_worker_settle_many(self->worker, events, count, FOB_ACK,
                                   NULL); /* a stale one comes again */
        if (status != FOB_OK && status != FOB_AGAIN) {
            fail(self, status);
            return;
        }
    }
}

void fob_bench_take(fob_client_t *client) {
    take_t self = {.client = client};
    const fob_bench_plan_t *plan = client->plan;
    if (!fob_seen_begin(&self.seen, client, plan->subscribers + client->index / plan->workers)) {
        fob_client_fail(client, FOB_NO_MEMORY, NULL);
    } else if (join(&self)) {
        fob_client_ready(client);
        if (fob_client_await(client, plan->hold ? FOB_BENCH_DRAIN : FOB_BENCH_RUN))
            run(&self);
        if (!fob_client_failed(client))
            fob_worker_flush(self.worker, GOODBYE_MS);
    }
    fob_worker_destroy(&self.worker, 0);
    fob_seen_end(&self.seen);
}
