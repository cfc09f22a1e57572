/* broadcast: one publisher, some subscribers, fire-and-forget or stored. What does not arrive must
 * have been counted as lost. */
#include "tests/bench/rig.h"

#include <fob/fob_publisher.h>
#include <fob/fob_subscriber.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define CAST_QUEUE      1000000 /* events that a subscriber may have waiting */
#define CAST_MOST       64      /* subscribers */
#define CAST_CLOCK_EACH 64      /* events: how often a subscriber looks at the clock */

/* What one subscriber saw. */
typedef struct {
    uint64_t received, lost, pauses, disordered;
    double first, last, cpu;
} ear_t;

typedef struct {
    const bench_options_t *options;
    const char *bus;
    bool fire;
    uint32_t next; /* subscriber that starts */
    sem_t live;
    atomic_bool sent;
    double send_began, send_ended, publisher_cpu;
    ear_t ears[CAST_MOST];
} cast_t;

/* Processor seconds of this process, all its threads. */
static double cpu_used(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool publish(void *arg) {
    cast_t *cast = arg;
    uint64_t failed = 0, size = cast->options->size;
    uint8_t *data = calloc(1, size);
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = cast->bus;
    options.window = cast->options->window;
    fob_publish_options_t publish = FOB_PUBLISH_OPTIONS;
    publish.fire = cast->fire;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    if (!data || !publisher || fob_publisher_wait_ready(publisher, 10000) != FOB_OK)
        rig_die("the publisher cannot reach the bus");
    double cpu = cpu_used();
    cast->send_began = rig_now();
    for (uint64_t i = 0; i < cast->options->events; i++) {
        memcpy(data, &i, sizeof i);
        failed += fob_publisher_send(publisher, "bench.cast", data, size, &publish, NULL) != FOB_OK;
        if (i % 512 == 511)
            fob_publisher_dispatch(publisher, 0);
    }
    fob_publisher_flush(publisher, -1);
    cast->send_ended = rig_now();
    cast->publisher_cpu = cpu_used() - cpu;
    fob_publisher_destroy(&publisher);
    atomic_store(&cast->sent, true);
    free(data);
    return failed == 0;
}

/* One event that came. */
static void hear(ear_t *ear, fob_event_t *event, uint64_t *expected) {
    size_t size;
    uint64_t number;
    memcpy(&number, fob_event_data(event, &size), sizeof number);
    ear->disordered += number < *expected;
    *expected = number + 1;
    if (ear->received++ % CAST_CLOCK_EACH == 0)
        ear->last = rig_now();
    if (ear->received == 1)
        ear->first = ear->last;
}

static void listen_to(const cast_t *cast, fob_subscriber_t *subscriber, ear_t *ear) {
    uint64_t expected = 0, events = cast->options->events;
    for (bool quiet = false; ear->received < events && !quiet;) {
        fob_event_t *event;
        fob_status_t status = fob_subscriber_next(subscriber, &event, 0);
        if (status == FOB_AGAIN) {
            ear->last = ear->received ? rig_now() : 0;
            if (ear->received + fob_subscriber_lost(subscriber, NULL) >= events)
                break;
            status = fob_subscriber_next(subscriber, &event, 2000);
        }
        if (status == FOB_OK) {
            hear(ear, event, &expected);
            fob_event_destroy(&event);
        } else {
            /* Two seconds without an event, all being sent: what is not here will not come. */
            quiet = status != FOB_AGAIN || atomic_load(&cast->sent);
        }
    }
}

static bool subscribe(void *arg) {
    cast_t *cast = arg;
    ear_t *ear = &cast->ears[cast->next];
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    options.bus = cast->bus;
    options.pattern = "bench.cast";
    options.queue = CAST_QUEUE;
    fob_status_t status;
    fob_subscriber_t *subscriber = fob_subscriber_new(&options, &status);
    if (!subscriber)
        return false;
    sem_post(&cast->live);
    double cpu = cpu_used();
    listen_to(cast, subscriber, ear);
    if (ear->received == cast->options->events)
        ear->last = rig_now();
    ear->cpu = cpu_used() - cpu;
    ear->lost = fob_subscriber_lost(subscriber, &ear->pauses);
    fob_subscriber_destroy(&subscriber);
    return true;
}

/* What all subscribers saw together: from the first event of any to the last. */
static ear_t all_ears(const cast_t *cast) {
    ear_t all = cast->ears[0];
    for (uint32_t i = 1; i < cast->options->subscribers; i++) {
        const ear_t *ear = &cast->ears[i];
        all.received += ear->received;
        all.lost += ear->lost;
        all.pauses += ear->pauses;
        all.disordered += ear->disordered;
        all.cpu += ear->cpu;
        all.first = ear->first < all.first ? ear->first : all.first;
        all.last = ear->last > all.last ? ear->last : all.last;
    }
    return all;
}

static bool report(const cast_t *cast, double bus_cpu) {
    double events = (double)cast->options->events, subscribers = cast->options->subscribers;
    ear_t all = all_ears(cast);
    bench_row("sent", events / (cast->send_ended - cast->send_began), "events/s");
    bench_row("received by each", (double)all.received / (all.last - all.first) / subscribers,
              "events/s");
    bench_row("lost, and counted", (double)all.lost, "events");
    /* A last run of losses shows only when something comes after it. */
    uint64_t due = cast->options->events * cast->options->subscribers;
    bench_row("missing at the end", (double)(due - all.received - all.lost), "events");
    bench_row("processor: publisher", cast->publisher_cpu / events * 1e9, "ns an event");
    bench_row("processor: bus", bus_cpu / events * 1e9, "ns an event");
    bench_row("processor: each subscriber", all.cpu / (double)all.received * 1e9, "ns an event");
    if (all.disordered || all.pauses)
        printf("  WRONG: %llu out of order, %llu pauses\n", (unsigned long long)all.disordered,
               (unsigned long long)all.pauses);
    return all.received > 0 && all.disordered == 0 && all.pauses == 0;
}

static bool bench_cast(const bench_options_t *options, bool fire) {
    if (options->size < 8 || options->subscribers > CAST_MOST)
        rig_die("broadcast: at least 8 bytes, at most %d subscribers", CAST_MOST);
    printf("%s: %llu events of %llu B, 1 publisher, %u subscriber%s\n",
           fire ? "broadcast, fire-and-forget" : "broadcast, stored",
           (unsigned long long)options->events, (unsigned long long)options->size,
           options->subscribers, options->subscribers == 1 ? "" : "s");
    cast_t *cast = rig_shared(sizeof *cast);
    rig_t *rig = rig_new(options);
    cast->options = options;
    cast->bus = rig_endpoint(rig);
    cast->fire = fire;
    sem_init(&cast->live, 1, 0);
    pid_t subscribers[CAST_MOST];
    for (uint32_t i = 0; i < options->subscribers; i++) {
        cast->next = i;
        subscribers[i] = rig_child(subscribe, cast);
        rig_await(&cast->live);
    }
    double cpu = rig_cpu(rig);
    bool good = rig_join(rig_child(publish, cast));
    for (uint32_t i = 0; i < options->subscribers; i++)
        good = rig_join(subscribers[i]) && good;
    good = report(cast, rig_cpu(rig) - cpu) && good;
    rig_destroy(&rig);
    return good;
}

bool bench_fire(const bench_options_t *options) {
    return bench_cast(options, true);
}

bool bench_stored(const bench_options_t *options) {
    return bench_cast(options, false);
}
