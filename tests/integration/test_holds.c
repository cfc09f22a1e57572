/* Until when a worker is sure of its lease, over real sockets and a net that breaks: never longer
 * than the bus keeps the event for it. */
#include "bus_up.h"

#include "tests/support/proxy.h"
#include <fob/fob_publisher.h>
#include <fob/fob_worker.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BEAT     pace_ms(1000)
#define PATIENCE PACE_PATIENCE /* ms */

static fob_bus_t *bus;
static proxy_t *proxy;
static fob_worker_t *near, *far; /* far: over the proxy */
static fob_event_t *held;        /* far's */

static long long now_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (long long)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static fob_worker_t *worker_to(const char *endpoint) {
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.bus = endpoint;
    options.connect_timeout_ms = PATIENCE;
    options.group = "billing";
    options.pattern = "order_placed";
    fob_worker_t *worker = fob_worker_new(&options);
    assert_non_null(worker);
    assert_int_equal(fob_worker_wait_ready(worker, PATIENCE, NULL), FOB_OK);
    return worker;
}

static void publish_one(const char *endpoint) {
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = endpoint;
    options.connect_timeout_ms = PATIENCE;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    assert_non_null(publisher);
    assert_int_equal(fob_publisher_send(publisher, "order_placed", "1", 1, NULL, NULL), FOB_OK);
    assert_int_equal(fob_publisher_flush(publisher, PATIENCE), FOB_OK);
    fob_publisher_destroy(&publisher);
}

static void wait_until_sure(bool sure) {
    for (long long end = now_ms() + PATIENCE; (fob_worker_holds(far, held) == 1) != sure;) {
        assert_true(now_ms() < end);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* `far` has an event and is sure of it; `near` waits for one. */
static int setup(void **state) {
    (void)state;
    char endpoint[64];
    bus = bus_up_with((fob_bus_options_t){.heartbeat_ms = BEAT});
    proxy = proxy_new(atoi(strrchr(fob_bus_endpoint(bus), ':') + 1));
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", proxy_port(proxy));
    far = worker_to(endpoint);
    publish_one(fob_bus_endpoint(bus));
    assert_int_equal(fob_worker_next(far, &held, PATIENCE), FOB_OK);
    near = worker_to(fob_bus_endpoint(bus));
    wait_until_sure(true);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fob_worker_destroy(&near, 0); /* and what is out with it */
    fob_worker_destroy(&far, 0);
    proxy_destroy(&proxy);
    fob_bus_destroy(&bus);
    return 0;
}

static void next_is_never_sure_too(void) {
    fob_event_t *event;
    assert_int_equal(fob_worker_next(near, &event, PATIENCE), FOB_OK);
    assert_int_equal(fob_worker_holds(far, held), 0);
    assert_int_equal(fob_event_attempt(event), 2);
    assert_int_equal(fob_worker_settle(near, &event, FOB_ACK), FOB_OK);
}

/* All that the bus says arrives, and nothing that the worker says. */
static void a_worker_that_only_hears_is_not_sure_when_its_event_goes_to_another(void **state) {
    (void)state;
    long long began = now_ms();
    proxy_hold(proxy, PROXY_TO_BUS, true);
    wait_until_sure(false);
    printf("not sure after %lld ms\n", now_ms() - began);
    next_is_never_sure_too();
    printf("with another after %lld ms\n", now_ms() - began);
}

static void a_worker_that_only_speaks_is_not_sure_and_keeps_its_event(void **state) {
    (void)state;
    proxy_hold(proxy, PROXY_FROM_BUS, true);
    wait_until_sure(false);
    proxy_hold(proxy, PROXY_FROM_BUS, false);
    wait_until_sure(true);
    assert_int_equal(fob_worker_settle(far, &held, FOB_ACK), FOB_OK);
    assert_int_equal(fob_worker_flush(far, PATIENCE), FOB_OK);
    assert_int_equal(fob_worker_refused(far), 0);
}

/* The bus learns at once that the transport is gone; the worker is back before three beats are
 * over. */
static void a_worker_whose_connection_is_cut_goes_on_with_its_event(void **state) {
    (void)state;
    fob_event_t *event;
    assert_true(proxy_cut(proxy) > 0);
    wait_until_sure(true);
    assert_int_equal(fob_worker_next(near, &event, 4 * BEAT), FOB_AGAIN);
    assert_int_equal(fob_worker_settle(far, &held, FOB_ACK), FOB_OK);
    assert_int_equal(fob_worker_flush(far, PATIENCE), FOB_OK);
    assert_int_equal(fob_worker_refused(far), 0);
}

FOB_MAIN(FOB_CASE_WITH(a_worker_that_only_hears_is_not_sure_when_its_event_goes_to_another, setup,
                       teardown),
         FOB_CASE_WITH(a_worker_that_only_speaks_is_not_sure_and_keeps_its_event, setup, teardown),
         FOB_CASE_WITH(a_worker_whose_connection_is_cut_goes_on_with_its_event, setup, teardown))
