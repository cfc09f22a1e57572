/* The flow that is measured: publishers, as fast as their window lets them; groups with workers. */
#include "tests/bench/scale.h"

#include <fob/fob_publisher.h>
#include <fob/fob_worker.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NOW  "scale.now"
#define PAST "scale.past"

/* What one process counts; a cache line each, as all count at once. */
typedef struct {
    alignas(64) atomic_uint_fast64_t done; /* stored; acked */
    atomic_uint_fast64_t failed;
    pid_t pid;
} part_t;

struct flow {
    const char *bus;
    const scale_options_t *options;
    flow_plan_t plan;
    sem_t ready; /* once for each worker, and each publisher */
    sem_t flows; /* a worker acked its first event */
    atomic_bool stop;
    atomic_uint over; /* publishers that ended */
    part_t parts[];   /* publishers, then the workers, group by group */
};

/* One process of it. */
typedef struct {
    flow_t *flow;
    part_t *part;
    uint32_t number;
} role_t;

static uint64_t sum(const part_t *parts, uint32_t count) {
    uint64_t done = 0;
    for (uint32_t i = 0; i < count; i++)
        done += atomic_load(&parts[i].done);
    return done;
}

static uint64_t stored_by_all(const flow_t *flow) {
    return sum(flow->parts, flow->plan.publishers);
}

static const part_t *workers_of(const flow_t *flow, uint32_t group) {
    return &flow->parts[flow->plan.publishers + group * flow->plan.workers];
}

/* --- publishers --- */

static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    part_t *part = arg;
    if (receipt->status == FOB_OK)
        atomic_fetch_add_explicit(&part->done, 1, memory_order_relaxed);
    else if (atomic_fetch_add(&part->failed, 1) == 0)
        fprintf(stderr, "not stored: %s\n", receipt->text);
}

static fob_publisher_t *publisher_of(const char *bus, uint32_t window, part_t *part) {
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = bus;
    options.window = window;
    options.on_receipt = on_receipt;
    options.on_receipt_arg = part;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    if (!publisher || fob_publisher_wait_ready(publisher, 20000) != FOB_OK)
        rig_die("the publisher cannot reach the bus");
    return publisher;
}

/* Names, made before anything is measured: `stem` itself, or `stem.N`. The caller's to free. */
typedef char topic_t[32];
static topic_t *topics_new(const char *stem, uint32_t count) {
    topic_t *topics = calloc(count ? count : 1, sizeof *topics);
    if (!topics)
        rig_die("no memory");
    snprintf(topics[0], sizeof topics[0], "%s", stem);
    for (uint32_t i = 0; count > 1 && i < count; i++)
        snprintf(topics[i], sizeof topics[i], "%s.%u", stem, i);
    return topics;
}

static void send_one(fob_publisher_t *publisher, part_t *part, const char *topic, uint8_t *data,
                     uint64_t size, uint64_t number) {
    memcpy(data, &number, sizeof number);
    if (fob_publisher_send(publisher, topic, data, size, NULL, NULL) != FOB_OK)
        atomic_fetch_add(&part->failed, 1);
    if (number % 512 == 511)
        fob_publisher_dispatch(publisher, 0);
}

typedef struct {
    const char *bus;
    const scale_options_t *options;
    uint64_t count;
    uint32_t topics;
} past_t;

static bool publish_past(void *arg) {
    past_t *past = arg;
    part_t part = {0};
    uint8_t *data = calloc(1, past->options->bus.size);
    topic_t *topics = topics_new(PAST, past->topics);
    fob_publisher_t *publisher = publisher_of(past->bus, past->options->bus.window, &part);
    for (uint64_t i = 0; data && i < past->count; i++)
        send_one(publisher, &part, topics[past->topics ? i % past->topics : 0], data,
                 past->options->bus.size, i);
    fob_publisher_flush(publisher, -1);
    fob_publisher_destroy(&publisher);
    free(topics);
    free(data);
    return atomic_load(&part.done) == past->count;
}

bool flow_history(const rig_t *rig, const scale_options_t *options, uint64_t count,
                  uint32_t topics) {
    past_t past = {.bus = rig_endpoint(rig), .options = options, .count = count, .topics = topics};
    return rig_join(rig_child(publish_past, &past));
}

static bool publish(void *arg) {
    role_t *role = arg;
    flow_t *flow = role->flow;
    uint32_t topics_count = flow->plan.topics, window;
    window = flow->options->bus.window / flow->plan.publishers;
    uint8_t *data = calloc(1, flow->options->bus.size);
    topic_t *topics = topics_new(NOW, topics_count);
    fob_publisher_t *publisher = publisher_of(flow->bus, window ? window : 1, role->part);
    uint64_t sent = 0;
    sem_post(&flow->ready);
    for (; data && !atomic_load(&flow->stop); sent++)
        send_one(publisher, role->part, topics[sent % topics_count], data, flow->options->bus.size,
                 sent);
    fob_publisher_flush(publisher, -1);
    fob_publisher_destroy(&publisher);
    atomic_fetch_add(&flow->over, 1);
    free(topics);
    free(data);
    return atomic_load(&role->part->done) == sent && atomic_load(&role->part->failed) == 0;
}

/* --- workers --- */

/* All is acked, or will not be: nothing came for twenty seconds after all was sent. What is of the
 * past need not end. */
static bool all_done(const role_t *role, double heard) {
    const flow_t *flow = role->flow;
    if (flow->plan.of_past)
        return atomic_load(&flow->stop);
    if (atomic_load(&flow->over) < flow->plan.publishers)
        return false;
    const part_t *group = workers_of(flow, role->number / flow->plan.workers);
    return sum(group, flow->plan.workers) >= stored_by_all(flow) || rig_now() - heard > 20;
}

static fob_worker_t *worker_of(const role_t *role) {
    const flow_plan_t *plan = &role->flow->plan;
    char group[32];
    snprintf(group, sizeof group, "scale-%u", role->number / plan->workers);
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.bus = role->flow->bus;
    options.group = plan->of_past ? FLOW_DEEP : group;
    options.pattern = plan->of_past ? PAST : plan->topics > 1 ? NOW ".>" : NOW;
    options.prefetch = 4096;
    fob_worker_t *worker = fob_worker_new(&options);
    if (!worker || fob_worker_wait_ready(worker, 20000, NULL) != FOB_OK)
        rig_die("a worker cannot join");
    return worker;
}

static bool work(void *arg) {
    role_t *role = arg;
    flow_t *flow = role->flow;
    fob_worker_t *worker = worker_of(role);
    sem_post(&flow->ready);
    fob_status_t status = FOB_OK;
    double heard = rig_now();
    while ((status == FOB_OK || status == FOB_AGAIN) && !all_done(role, heard)) {
        fob_event_t *event;
        if ((status = fob_worker_next(worker, &event, 50)) != FOB_OK)
            continue;
        heard = rig_now();
        fob_worker_settle(worker, &event, FOB_ACK);
        if (atomic_fetch_add_explicit(&role->part->done, 1, memory_order_relaxed) == 0)
            sem_post(&flow->flows);
    }
    if (!flow->plan.of_past)
        fob_worker_flush(worker, 20000);
    uint64_t refused = fob_worker_refused(worker);
    fob_worker_destroy(&worker, 1000);
    return refused == 0 && (status == FOB_OK || status == FOB_AGAIN);
}

bool flow_deep_group(const rig_t *rig) {
    return rig_fob(rig,
                   (const char *[]){"group", "add", FLOW_DEEP, PAST, "max_depth=100000000", NULL});
}

/* --- all of them --- */

static uint32_t workers_count(const flow_plan_t *plan) {
    return plan->groups * plan->workers;
}

flow_t *flow_new(const rig_t *rig, const scale_options_t *options, const flow_plan_t *plan) {
    uint32_t workers = workers_count(plan);
    flow_t *flow = rig_shared(sizeof *flow + (plan->publishers + workers) * sizeof flow->parts[0]);
    flow->bus = rig_endpoint(rig);
    flow->options = options;
    flow->plan = *plan;
    sem_init(&flow->ready, 1, 0);
    sem_init(&flow->flows, 1, 0);
    for (uint32_t i = 0; i < workers; i++) {
        part_t *part = &flow->parts[plan->publishers + i];
        part->pid = rig_child(work, &(role_t){.flow = flow, .part = part, .number = i});
    }
    for (uint32_t i = 0; i < workers; i++)
        rig_await(&flow->ready);
    for (uint32_t i = 0; i < plan->publishers; i++) {
        part_t *part = &flow->parts[i];
        part->pid = rig_child(publish, &(role_t){.flow = flow, .part = part, .number = i});
    }
    for (uint32_t i = 0; i < plan->publishers; i++)
        rig_await(&flow->ready);
    if (workers)
        rig_await(&flow->flows);
    return flow;
}

void flow_look(const flow_t *self, uint64_t *stored, uint64_t *acked) {
    *stored = stored_by_all(self);
    *acked = sum(workers_of(self, 0), workers_count(&self->plan));
}

bool flow_destroy(flow_t **self_p) {
    flow_t *flow = *self_p;
    uint32_t workers = workers_count(&flow->plan);
    bool good = true;
    atomic_store(&flow->stop, true);
    for (uint32_t i = 0; i < flow->plan.publishers + workers; i++)
        good = rig_join(flow->parts[i].pid) && good;
    uint64_t stored, acked;
    flow_look(flow, &stored, &acked);
    if (!flow->plan.of_past && acked != stored * flow->plan.groups) {
        printf("  WRONG: %llu stored, %llu acked by %u groups\n", (unsigned long long)stored,
               (unsigned long long)acked, flow->plan.groups);
        good = false;
    }
    *self_p = NULL;
    return good;
}
