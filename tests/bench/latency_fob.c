/* The works of fob_latency against fob. */
#include "tests/bench/latency.h"

#include <fob/fob_publisher.h>
#include <fob/fob_subscriber.h>
#include <fob/fob_worker.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static fob_publisher_t *open_publisher(const lab_t *lab, fob_receipt_fn *on_receipt, void *arg) {
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = lab->in;
    options.on_receipt = on_receipt;
    options.on_receipt_arg = arg;
    fob_publisher_t *self = fob_publisher_new(&options);
    if (!self || fob_publisher_wait_ready(self, 10000) != FOB_OK)
        rig_die("the publisher cannot reach the bus");
    return self;
}

static rig_t *open_bus(const lab_options_t *options) {
    bench_options_t bus = {.sync = options->sync};
    return rig_new(&bus);
}

/* --- one --- */

static void one_after_the_other(lab_t *lab, uint64_t index) {
    uint64_t share = lab->options->events / lab->options->publishers;
    share += index < lab->options->events % lab->options->publishers;
    uint8_t *data = calloc(1, lab->options->size);
    fob_publisher_t *publisher = open_publisher(lab, NULL, NULL);
    for (uint64_t i = 0; i < share; i++) {
        uint64_t sent = lab_now();
        if (fob_publisher_send(publisher, "bench.one", data, lab->options->size, NULL, NULL) ==
                FOB_OK &&
            fob_publisher_flush(publisher, 20000) == FOB_OK)
            lab_sample(lab->confirm, &lab->confirmed, lab, sent);
    }
    fob_publisher_destroy(&publisher);
    free(data);
}

static bool publish_one(void *arg) {
    lab_t *lab = arg;
    lab->began = rig_now();
    lab_threads(lab, one_after_the_other);
    lab->ended = rig_now();
    return true;
}

bool fob_one(const lab_options_t *options, double out[LAB_FIGURES]) {
    rig_t *bus = open_bus(options);
    lab_t *lab = lab_new(options, rig_endpoint(bus), NULL);
    bool good = rig_join(rig_child(publish_one, lab));
    rig_destroy(&bus);
    return lab_result(&lab, false, out) && good;
}

/* --- cast --- */

static bool fire_all(void *arg) {
    lab_t *lab = arg;
    uint8_t *data = calloc(1, lab->options->size);
    fob_publish_options_t fire = FOB_PUBLISH_OPTIONS;
    fire.fire = 1;
    fob_publisher_t *publisher = open_publisher(lab, NULL, NULL);
    if (fob_publisher_send(publisher, "bench.warm", data, 16, &fire, NULL) != FOB_OK ||
        fob_publisher_flush(publisher, 10000) != FOB_OK)
        return false;
    uint64_t began = lab_now();
    for (uint64_t i = 0; i < lab->options->events; i++) {
        lab_pace(lab, began, i);
        uint64_t now = lab_now();
        memcpy(data, &now, sizeof now);
        if (fob_publisher_send(publisher, "bench.cast", data, lab->options->size, &fire, NULL) !=
            FOB_OK)
            return false;
    }
    fob_publisher_flush(publisher, 10000);
    fob_publisher_destroy(&publisher);
    free(data);
    return true;
}

static bool hear_all(void *arg) {
    lab_t *lab = arg;
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    options.bus = lab->in;
    options.pattern = "bench.cast";
    fob_status_t status;
    fob_event_t *event;
    fob_subscriber_t *subscriber = fob_subscriber_new(&options, &status);
    sem_post(&lab->ready);
    while (subscriber && lab->handled < lab->options->events &&
           fob_subscriber_next(subscriber, &event, 5000) == FOB_OK) {
        uint64_t sent;
        size_t size;
        memcpy(&sent, fob_event_data(event, &size), sizeof sent);
        lab_sample(lab->handle, &lab->handled, lab, sent);
        fob_event_destroy(&event);
    }
    fob_subscriber_destroy(&subscriber);
    return true;
}

bool fob_cast(const lab_options_t *options, double out[LAB_FIGURES]) {
    rig_t *bus = open_bus(options);
    lab_t *lab = lab_new(options, rig_endpoint(bus), NULL);
    pid_t subscriber = rig_child(hear_all, lab);
    rig_await(&lab->ready);
    bool good = rig_join(rig_child(fire_all, lab));
    good = rig_join(subscriber) && good;
    rig_destroy(&bus);
    return lab_result(&lab, true, out) && good;
}

/* --- queue --- */

typedef struct {
    lab_t *lab;
    fob_publisher_t *publisher;
    atomic_bool over;
} confirms_t;

static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    confirms_t *confirms = arg;
    lab_t *lab = confirms->lab;
    if (receipt->status == FOB_OK)
        lab_sample(lab->confirm, &lab->confirmed, lab, (uint64_t)(uintptr_t)receipt->tag);
}

static void *confirm_all(void *arg) {
    confirms_t *confirms = arg;
    while (!atomic_load(&confirms->over))
        fob_publisher_dispatch(confirms->publisher, 50);
    return NULL;
}

static bool store_all(void *arg) {
    lab_t *lab = arg;
    confirms_t confirms = {.lab = lab};
    pthread_t thread;
    uint8_t *data = calloc(1, lab->options->size);
    fob_publish_options_t how = FOB_PUBLISH_OPTIONS;
    confirms.publisher = open_publisher(lab, on_receipt, &confirms);
    if (pthread_create(&thread, NULL, confirm_all, &confirms) != 0)
        return false;
    uint64_t began = lab_now();
    for (uint64_t i = 0; i < lab->options->events; i++) {
        lab_pace(lab, began, i);
        uint64_t now = lab_now();
        memcpy(data, &now, sizeof now);
        how.tag = (void *)(uintptr_t)now;
        if (fob_publisher_send(confirms.publisher, "bench.queue", data, lab->options->size, &how,
                               NULL) != FOB_OK)
            return false;
    }
    fob_publisher_flush(confirms.publisher, 20000);
    atomic_store(&confirms.over, true);
    pthread_join(thread, NULL);
    fob_publisher_destroy(&confirms.publisher);
    free(data);
    return true;
}

static bool handle_all(void *arg) {
    lab_t *lab = arg;
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.bus = lab->in;
    options.group = "bench";
    options.pattern = "bench.queue";
    fob_event_t *event;
    fob_worker_t *worker = fob_worker_new(&options);
    if (!worker || fob_worker_wait_ready(worker, 10000, NULL) != FOB_OK)
        return false;
    sem_post(&lab->ready);
    while (lab->handled < lab->options->events && fob_worker_next(worker, &event, 5000) == FOB_OK) {
        uint64_t sent;
        size_t size;
        memcpy(&sent, fob_event_data(event, &size), sizeof sent);
        lab_sample(lab->handle, &lab->handled, lab, sent);
        fob_worker_settle(worker, &event, FOB_ACK);
    }
    fob_worker_flush(worker, 10000);
    fob_worker_destroy(&worker, 1000);
    return true;
}

bool fob_queue(const lab_options_t *options, double out[LAB_FIGURES]) {
    rig_t *bus = open_bus(options);
    lab_t *lab = lab_new(options, rig_endpoint(bus), NULL);
    pid_t worker = rig_child(handle_all, lab);
    rig_await(&lab->ready);
    bool good = rig_join(rig_child(store_all, lab));
    good = rig_join(worker) && good;
    rig_destroy(&bus);
    good = good && lab->confirmed == options->events;
    return lab_result(&lab, true, out) && good;
}
