/* The flow that is measured: one publisher, as fast as its window lets it; one group, two workers.
 */
#include "tests/bench/scale.h"

#include <fob/fob_publisher.h>
#include <fob/fob_worker.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 2

struct flow {
    const char *bus;
    const scale_options_t *options;
    sem_t ready; /* once for each worker, and for the publisher */
    sem_t flows; /* the first event was acked */
    atomic_uint_fast64_t stored, acked, handled, failed;
    atomic_bool stop, over;
    pid_t children[WORKERS + 1];
};

static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    flow_t *flow = arg;
    if (receipt->status == FOB_OK)
        atomic_fetch_add(&flow->stored, 1);
    else if (atomic_fetch_add(&flow->failed, 1) == 0)
        fprintf(stderr, "not stored: %s\n", receipt->text);
}

static fob_publisher_t *publisher_of(flow_t *flow) {
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = flow->bus;
    options.window = flow->options->bus.window;
    options.on_receipt = on_receipt;
    options.on_receipt_arg = flow;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    if (!publisher || fob_publisher_wait_ready(publisher, 10000) != FOB_OK)
        rig_die("the publisher cannot reach the bus");
    return publisher;
}

/* --- the past --- */

typedef struct {
    flow_t *flow;
    uint64_t count;
    uint32_t topics;
} past_t;

static bool publish_past(void *arg) {
    past_t *past = arg;
    flow_t *flow = past->flow;
    uint8_t *data = calloc(1, flow->options->bus.size);
    fob_publisher_t *publisher = publisher_of(flow);
    char topic[64] = "scale.past";
    for (uint64_t i = 0; data && i < past->count; i++) {
        if (past->topics)
            snprintf(topic, sizeof topic, "scale.past.%llu",
                     (unsigned long long)(i % past->topics));
        memcpy(data, &i, sizeof i);
        if (fob_publisher_send(publisher, topic, data, flow->options->bus.size, NULL, NULL) !=
            FOB_OK)
            atomic_fetch_add(&flow->failed, 1);
        if (i % 512 == 511)
            fob_publisher_dispatch(publisher, 0);
    }
    fob_publisher_flush(publisher, -1);
    fob_publisher_destroy(&publisher);
    free(data);
    return atomic_load(&flow->stored) == past->count;
}

bool flow_history(const rig_t *rig, const scale_options_t *options, uint64_t count,
                  uint32_t topics) {
    flow_t flow = {.bus = rig_endpoint(rig), .options = options};
    past_t past = {.flow = &flow, .count = count, .topics = topics};
    return rig_join(rig_child(publish_past, &past));
}

/* --- the present --- */

static bool publish(void *arg) {
    flow_t *flow = arg;
    uint8_t *data = calloc(1, flow->options->bus.size);
    fob_publisher_t *publisher = publisher_of(flow);
    uint64_t sent = 0;
    sem_post(&flow->ready);
    for (; data && !atomic_load(&flow->stop); sent++) {
        memcpy(data, &sent, sizeof sent);
        if (fob_publisher_send(publisher, "scale.now", data, flow->options->bus.size, NULL, NULL) !=
            FOB_OK)
            atomic_fetch_add(&flow->failed, 1);
        if (sent % 512 == 511)
            fob_publisher_dispatch(publisher, 0);
    }
    fob_publisher_flush(publisher, -1);
    fob_publisher_destroy(&publisher);
    atomic_store(&flow->over, true);
    free(data);
    return atomic_load(&flow->stored) == sent && atomic_load(&flow->failed) == 0;
}

/* All is acked, or will not be: nothing came for twenty seconds after all was sent. */
static bool all_done(const flow_t *flow, double heard) {
    return atomic_load(&flow->over) &&
           (atomic_load(&flow->handled) >= atomic_load(&flow->stored) || rig_now() - heard > 20);
}

static bool work(void *arg) {
    flow_t *flow = arg;
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.bus = flow->bus;
    options.group = "scale";
    options.pattern = "scale.now";
    options.prefetch = 4096;
    fob_worker_t *worker = fob_worker_new(&options);
    if (!worker || fob_worker_wait_ready(worker, 10000, NULL) != FOB_OK)
        return false;
    sem_post(&flow->ready);
    fob_status_t status = FOB_OK;
    double heard = rig_now();
    while (!all_done(flow, heard) && (status == FOB_OK || status == FOB_AGAIN)) {
        fob_event_t *event;
        if ((status = fob_worker_next(worker, &event, 50)) != FOB_OK)
            continue;
        heard = rig_now();
        atomic_fetch_add(&flow->handled, 1);
        fob_worker_settle(worker, &event, FOB_ACK);
        if (atomic_fetch_add(&flow->acked, 1) == 0)
            sem_post(&flow->flows);
    }
    fob_worker_flush(worker, 20000);
    uint64_t refused = fob_worker_refused(worker);
    fob_worker_destroy(&worker, 1000);
    return refused == 0 && (status == FOB_OK || status == FOB_AGAIN);
}

flow_t *flow_new(const rig_t *rig, const scale_options_t *options) {
    flow_t *flow = rig_shared(sizeof *flow);
    flow->bus = rig_endpoint(rig);
    flow->options = options;
    sem_init(&flow->ready, 1, 0);
    sem_init(&flow->flows, 1, 0);
    for (int i = 0; i < WORKERS; i++)
        flow->children[i] = rig_child(work, flow);
    for (int i = 0; i < WORKERS; i++)
        rig_await(&flow->ready);
    flow->children[WORKERS] = rig_child(publish, flow);
    rig_await(&flow->ready);
    rig_await(&flow->flows);
    return flow;
}

void flow_look(const flow_t *self, uint64_t *stored, uint64_t *acked) {
    *stored = atomic_load(&self->stored);
    *acked = atomic_load(&self->acked);
}

bool flow_destroy(flow_t **self_p) {
    flow_t *flow = *self_p;
    bool good = true;
    atomic_store(&flow->stop, true);
    for (int i = WORKERS; i >= 0; i--)
        good = rig_join(flow->children[i]) && good;
    uint64_t stored = atomic_load(&flow->stored), handled = atomic_load(&flow->handled);
    if (handled != stored)
        printf("  WRONG: %llu stored, %llu handled\n", (unsigned long long)stored,
               (unsigned long long)handled);
    *self_p = NULL;
    return good && handled == stored;
}
