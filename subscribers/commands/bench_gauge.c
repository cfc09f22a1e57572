#include "subscribers/commands/bench_gauge.h"

#include "subscribers/commands/bench_seen.h"

#include <fob/fob_subscriber.h>
#include <stdio.h>

#define BATCH   64 /* events taken at once, and a look at the clock */
#define WAIT_MS 20 /* how soon it is seen that the run has ended */
#define QUEUE                                                                                      \
    1000000 /* events held: fire-and-forget ones wait here when the process does not run */

typedef struct {
    fob_client_t *client;
    fob_subscriber_t *subscriber;
    fob_seen_t seen;
    uint64_t gaps;
} gauge_t;

static bool subscribe(gauge_t *self) {
    const fob_bench_plan_t *plan = self->client->plan;
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    char pattern[80], trouble[400] = "", blocked[400] = "";
    fob_status_t status = FOB_OK;
    snprintf(pattern, sizeof pattern, "%s.>", plan->prefix);
    options.bus = plan->bus;
    options.pattern = pattern;
    options.connect_timeout_ms = plan->connect_ms;
    options.queue = QUEUE;
    options.mode = plan->fire ? FOB_SUBSCRIBER_LIVE : FOB_SUBSCRIBER_RELIABLE;
    options.trouble = trouble;
    options.blocked = blocked;
    options.text_size = sizeof trouble;
    self->subscriber = fob_subscriber_new(&options, &status);
    if (!self->subscriber)
        fob_client_fail(self->client, status, blocked[0] ? blocked : trouble);
    return self->subscriber != NULL;
}

static void count_losses(gauge_t *self) {
    atomic_store(&self->client->slot->told,
                 self->gaps + fob_subscriber_lost(self->subscriber, NULL));
}

static bool alive(gauge_t *self, int64_t now_ns) {
    char trouble[400];
    if (!fob_client_looks(self->client, now_ns))
        return true;
    fob_subscriber_trouble(self->subscriber, trouble, sizeof trouble);
    if (!*trouble)
        fob_subscriber_blocked(self->subscriber, trouble, sizeof trouble);
    count_losses(self);
    return fob_client_lives(self->client, now_ns, trouble);
}

static void run(gauge_t *self) {
    fob_event_t *events[BATCH];
    int64_t now = fob_board_clock();
    while (fob_board_phase(self->client->board) != FOB_BENCH_END && alive(self, now)) {
        size_t count;
        fob_status_t status =
            fob_subscriber_next_many(self->subscriber, events, BATCH, &count, WAIT_MS);
        now = fob_board_clock();
        for (size_t i = 0; i < count; i++) {
            fob_seen_note(&self->seen, events[i], now);
            fob_event_destroy(&events[i]);
        }
        if (status == FOB_GAP) {
            self->gaps++;
        } else if (status != FOB_OK && status != FOB_AGAIN) {
            fob_client_fail(self->client, status, NULL);
            return;
        }
    }
}

void fob_bench_gauge(fob_client_t *client) {
    gauge_t self = {.client = client};
    if (!fob_seen_begin(&self.seen, client, client->index)) {
        fob_client_fail(client, FOB_NO_MEMORY, NULL);
    } else if (subscribe(&self)) {
        fob_client_ready(client);
        if (fob_client_await(client, FOB_BENCH_RUN))
            run(&self);
        count_losses(&self);
        fob_subscriber_destroy(&self.subscriber);
    }
    fob_seen_end(&self.seen);
}
