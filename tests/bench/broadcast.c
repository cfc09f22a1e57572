/* broadcast: one publisher, one subscriber, fire-and-forget or stored. What does not arrive must
 * have been counted as lost. */
#include "tests/bench/rig.h"

#include <fob/fob_publisher.h>
#include <fob/fob_subscriber.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const bench_options_t *options;
    const char *bus;
    bool fire;
    sem_t live;
    atomic_bool sent;
    uint64_t received, lost, pauses, disordered;
    double send_began, send_ended, first, last;
} cast_t;

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
    cast->send_began = rig_now();
    for (uint64_t i = 0; i < cast->options->events; i++) {
        memcpy(data, &i, sizeof i);
        failed += fob_publisher_send(publisher, "bench.cast", data, size, &publish, NULL) != FOB_OK;
        if (i % 512 == 511)
            fob_publisher_dispatch(publisher, 0);
    }
    fob_publisher_flush(publisher, -1);
    cast->send_ended = rig_now();
    fob_publisher_destroy(&publisher);
    atomic_store(&cast->sent, true);
    free(data);
    return failed == 0;
}

static bool subscribe(void *arg) {
    cast_t *cast = arg;
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    options.bus = cast->bus;
    options.pattern = "bench.cast";
    options.queue = 1000000;
    fob_status_t status;
    fob_subscriber_t *subscriber = fob_subscriber_new(&options, &status);
    if (!subscriber)
        return false;
    sem_post(&cast->live);
    uint64_t expected = 0;
    bool quiet = false;
    while (cast->received + fob_subscriber_lost(subscriber, NULL) < cast->options->events &&
           !quiet) {
        fob_event_t *event;
        status = fob_subscriber_next(subscriber, &event, 2000);
        if (status == FOB_OK) {
            size_t size;
            uint64_t number;
            memcpy(&number, fob_event_data(event, &size), sizeof number);
            cast->disordered += number < expected;
            expected = number + 1;
            fob_event_destroy(&event);
            cast->last = rig_now();
            if (cast->received++ == 0)
                cast->first = cast->last;
        } else {
            /* Two seconds without an event, all being sent: what is not here will not come. */
            quiet = status != FOB_AGAIN || atomic_load(&cast->sent);
        }
    }
    cast->lost = fob_subscriber_lost(subscriber, &cast->pauses);
    fob_subscriber_destroy(&subscriber);
    return true;
}

static bool bench_cast(const bench_options_t *options, bool fire) {
    if (options->size < 8)
        rig_die("broadcast: at least 8 bytes");
    printf("%s: %llu events of %llu B, 1 publisher, 1 subscriber\n",
           fire ? "broadcast, fire-and-forget" : "broadcast, stored",
           (unsigned long long)options->events, (unsigned long long)options->size);
    cast_t *cast = rig_shared(sizeof *cast);
    rig_t *rig = rig_new(options);
    cast->options = options;
    cast->bus = rig_endpoint(rig);
    cast->fire = fire;
    sem_init(&cast->live, 1, 0);
    pid_t subscriber = rig_child(subscribe, cast);
    rig_await(&cast->live);
    bool good = rig_join(rig_child(publish, cast));
    good = rig_join(subscriber) && good;

    double sent = (double)options->events / (cast->send_ended - cast->send_began);
    bench_row("sent", sent, "events/s");
    bench_row("received", (double)cast->received / (cast->last - cast->first), "events/s");
    bench_row("lost, and counted", (double)cast->lost, "events");
    /* A last run of losses shows only when something comes after it. */
    uint64_t silent = options->events - cast->received - cast->lost;
    bench_row("missing at the end", (double)silent, "events");
    rig_destroy(&rig);
    if (cast->disordered || cast->pauses)
        printf("  WRONG: %llu out of order, %llu pauses\n", (unsigned long long)cast->disordered,
               (unsigned long long)cast->pauses);
    return good && cast->received > 0 && cast->disordered == 0 && cast->pauses == 0;
}

bool bench_fire(const bench_options_t *options) {
    return bench_cast(options, true);
}

bool bench_stored(const bench_options_t *options) {
    return bench_cast(options, false);
}
