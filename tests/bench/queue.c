/* queue: one publisher, one group, some workers that ack every event; each a process of its own.
 * Counts every sequence number. */
#include "tests/bench/rig.h"

#include <fob/fob_publisher.h>
#include <fob/fob_worker.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 128 /* events sent in one call; handled at once, and settled in one call */

typedef struct {
    const bench_options_t *options;
    const char *bus;
    sem_t ready;                       /* once for each worker that has joined */
    atomic_uint_fast64_t acked, again; /* handled the first time; a further time */
    atomic_bool over;                  /* the publisher has ended, or failed */
    double began, stored, settled[64];
    atomic_uint slot;
    _Atomic uint8_t seen[]; /* by sequence number */
} queue_t;

static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    uint64_t *failed = arg;
    if (receipt->status != FOB_OK && (*failed)++ == 0)
        fprintf(stderr, "not stored: %s\n", receipt->text);
}

static bool publish_all(queue_t *queue) {
    uint64_t failed = 0, size = queue->options->size;
    uint8_t *data = calloc(MANY, size);
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = queue->bus;
    options.window = queue->options->window;
    options.on_receipt = on_receipt;
    options.on_receipt_arg = &failed;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    if (!data || !publisher || fob_publisher_wait_ready(publisher, 10000) != FOB_OK)
        rig_die("the publisher cannot reach the bus");
    queue->began = rig_now();
    fob_publish_t events[MANY];
    for (size_t i = 0; i < MANY; i++)
        events[i] = (fob_publish_t){.topic = "bench.queue", .data = data + i * size, .size = size};
    for (uint64_t i = 0, count; i < queue->options->events; i += count) {
        uint64_t left = queue->options->events - i;
        count = left < MANY ? left : MANY;
        for (uint64_t n = 0; n < count; n++)
            memcpy(data + n * size, &(uint64_t){i + n}, sizeof i);
        failed += fob_publisher_send_many(publisher, events, count, NULL) != FOB_OK;
        fob_publisher_dispatch(publisher, 0);
    }
    fob_publisher_flush(publisher, -1);
    queue->stored = rig_now();
    fob_publisher_destroy(&publisher);
    free(data);
    return failed == 0;
}

static bool publish(void *arg) {
    queue_t *queue = arg;
    bool good = publish_all(queue);
    atomic_store(&queue->over, true);
    return good;
}

static void handle(queue_t *queue, const fob_event_t *event) {
    size_t size;
    const void *data = fob_event_data(event, &size);
    uint64_t number = UINT64_MAX;
    if (size >= sizeof number)
        memcpy(&number, data, sizeof number);
    if (number >= queue->options->events)
        rig_die("an event that nobody sent");
    if (atomic_fetch_add(&queue->seen[number], 1) == 0)
        atomic_fetch_add(&queue->acked, 1);
    else
        atomic_fetch_add(&queue->again, 1);
}

/* Everything is handled, or will not be: nothing came for five seconds after all was sent. */
static bool all_done(queue_t *queue, double heard) {
    return atomic_load(&queue->acked) == queue->options->events ||
           (heard > 0 && atomic_load(&queue->over) && rig_now() - heard > 5);
}

static bool work(void *arg) {
    queue_t *queue = arg;
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.bus = queue->bus;
    options.group = "bench";
    options.pattern = "bench.queue";
    options.prefetch = 4096;
    options.jobs = MANY;
    fob_worker_t *worker = fob_worker_new(&options);
    if (!worker || fob_worker_wait_ready(worker, 10000, NULL) != FOB_OK)
        return false;
    sem_post(&queue->ready);
    fob_status_t status = FOB_OK;
    double heard = rig_now();
    while (!all_done(queue, heard) && (status == FOB_OK || status == FOB_AGAIN)) {
        fob_event_t *events[MANY];
        size_t count;
        if ((status = fob_worker_next_many(worker, events, MANY, &count, 50)) == FOB_OK) {
            for (size_t i = 0; i < count; i++)
                handle(queue, events[i]);
            fob_worker_settle_many(worker, events, count, FOB_ACK, NULL);
            heard = 0;
        } else if (heard == 0) {
            heard = rig_now();
        }
    }
    fob_worker_flush(worker, 10000);
    queue->settled[atomic_fetch_add(&queue->slot, 1)] = rig_now();
    uint64_t refused = fob_worker_refused(worker);
    fob_worker_destroy(&worker, 1000);
    return refused == 0 && (status == FOB_OK || status == FOB_AGAIN);
}

static bool counted_right(queue_t *queue) {
    uint64_t missing = 0, events = queue->options->events;
    for (uint64_t i = 0; i < events; i++)
        missing += atomic_load(&queue->seen[i]) == 0;
    if (missing || atomic_load(&queue->again))
        printf("  WRONG: %llu missing, %llu handed out twice\n", (unsigned long long)missing,
               (unsigned long long)atomic_load(&queue->again));
    return missing == 0 && atomic_load(&queue->again) == 0;
}

bool bench_queue(const bench_options_t *options) {
    if (options->size < 8 || options->workers < 1 || options->workers > 64)
        rig_die("queue: at least 8 bytes, 1 to 64 workers");
    printf("queue: %llu events of %llu B, sync %s, 1 publisher (window %u), 1 group, %u workers\n",
           (unsigned long long)options->events, (unsigned long long)options->size, options->sync,
           options->window, options->workers);
    queue_t *queue = rig_shared(sizeof *queue + options->events);
    rig_t *rig = rig_new(options);
    queue->options = options;
    queue->bus = rig_endpoint(rig);
    sem_init(&queue->ready, 1, 0);
    pid_t workers[64];
    for (uint32_t i = 0; i < options->workers; i++)
        workers[i] = rig_child(work, queue);
    for (uint32_t i = 0; i < options->workers; i++)
        rig_await(&queue->ready);
    double cpu = rig_cpu(rig);
    bool good = rig_join(rig_child(publish, queue));
    for (uint32_t i = 0; i < options->workers; i++)
        good = rig_join(workers[i]) && good;
    cpu = rig_cpu(rig) - cpu;

    double settled = 0, events = (double)options->events;
    for (uint32_t i = 0; i < options->workers; i++)
        settled = queue->settled[i] > settled ? queue->settled[i] : settled;
    bench_row("stored", events / (queue->stored - queue->began), "events/s");
    bench_row("stored, handled and acked", events / (settled - queue->began), "events/s");
    bench_row("processor time of the bus", cpu * 1e6 / events, "us/event");
    rig_destroy(&rig);
    return counted_right(queue) && good;
}
