#include "tests/support/case.h"

#include "bus/sockets/router.h"

#include <stdlib.h>
#include <time.h>
#include <zmq.h>

#define PATIENCE 60000 /* ms */
#define BODY     1000

static void *context, *client, *monitor;
static fob_router_t *router;
static fob_traffic_t *traffic;
static uint8_t route[5];

/* A client that is there, and whose routing id is known. */
static int open_pair(void **state) {
    (void)state;
    int few = 2, never = -1, wait = PATIENCE, none = 0, small = 65536;
    char endpoint[256];
    size_t size = sizeof endpoint;
    fob_mail_t mail;
    context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    client = zmq_socket(context, ZMQ_DEALER);
    monitor = zmq_socket(context, ZMQ_PAIR);
    int must = 1;
    zmq_setsockopt(socket, ZMQ_SNDHWM, &few, sizeof few);
    zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &must, sizeof must);
    zmq_setsockopt(socket, ZMQ_SNDBUF, &small, sizeof small);
    zmq_setsockopt(client, ZMQ_RCVBUF, &small, sizeof small);
    zmq_setsockopt(client, ZMQ_RCVHWM, &few, sizeof few);
    zmq_setsockopt(client, ZMQ_RCVTIMEO, &wait, sizeof wait);
    zmq_setsockopt(client, ZMQ_RECONNECT_IVL, &never, sizeof never);
    zmq_setsockopt(client, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(monitor, ZMQ_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(zmq_bind(socket, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    /* It ends only what it saw come. */
    traffic = fob_traffic_new(context, socket, "router");
    assert_non_null(traffic);
    assert_int_equal(zmq_socket_monitor(client, "inproc://client", ZMQ_EVENT_DISCONNECTED), 0);
    assert_int_equal(zmq_connect(monitor, "inproc://client"), 0);
    assert_int_equal(zmq_connect(client, endpoint), 0);
    assert_int_equal(zmq_send(client, "hello", 5, 0), 5);
    router = fob_router_new(socket);
    assert_non_null(router);
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    assert_int_equal(zmq_poll(&item, 1, PATIENCE), 1);
    assert_true(fob_router_receive(router, &mail));
    assert_int_equal(mail.frames, 1);
    assert_int_equal(mail.route.size, sizeof route);
    memcpy(route, mail.route.data, sizeof route);
    return 0;
}

static int close_pair(void **state) {
    (void)state;
    fob_router_watch(router, NULL);
    fob_traffic_destroy(&traffic);
    fob_router_destroy(&router, 0);
    zmq_socket_monitor(client, NULL, 0);
    if (client)
        zmq_close(client);
    zmq_close(monitor);
    zmq_ctx_term(context);
    return 0;
}

static fob_send_t send_number(uint64_t conn, uint64_t number) {
    static uint8_t bytes[BODY];
    fob_body_t body = {.blob = fob_blob_copy(fob_slice(bytes, sizeof bytes)), .size = BODY};
    return fob_router_send(router, conn, fob_slice(route, sizeof route),
                           fob_slice(&number, sizeof number), body);
}

/* Sends until the system and both ends are full, and some more. Returns how many. */
static uint64_t fill(uint64_t conn) {
    uint64_t number = 0;
    while (!fob_router_waits(router) && number < 1000000)
        assert_int_equal(send_number(conn, number++), FOB_SEND_DONE);
    assert_true(fob_router_waits(router));
    for (int i = 0; i < 2000; i++)
        assert_int_equal(send_number(conn, number++), FOB_SEND_DONE);
    return number;
}

static void nobody_is_gone(void *arg, uint64_t conn) {
    (void)arg;
    fail_msg("connection %llu is gone", (unsigned long long)conn);
}

static void what_a_slow_client_does_not_take_comes_later_and_in_order(void **state) {
    (void)state;
    uint64_t count = fill(7), number;
    static uint8_t body[BODY];
    for (uint64_t i = 0; i < count; i++) {
        for (int tries = 0; zmq_recv(client, &number, sizeof number, ZMQ_DONTWAIT) < 0; tries++) {
            zmq_pollitem_t item = {client, 0, ZMQ_POLLIN, 0};
            assert_true(tries < PATIENCE);
            fob_router_retry(router, nobody_is_gone, NULL);
            zmq_poll(&item, 1, 1);
        }
        assert_int_equal(number, i);
        assert_int_equal(zmq_recv(client, body, sizeof body, 0), BODY);
    }
    assert_false(fob_router_waits(router));
}

static void one_that_never_reads_is_given_up(void **state) {
    (void)state;
    fob_send_t sent = FOB_SEND_DONE;
    fill(7);
    for (int i = 0; i < 100000 && sent == FOB_SEND_DONE; i++)
        sent = send_number(7, 1);
    assert_int_equal(sent, FOB_SEND_UNREAD);
    fob_router_forget(router, 7);
    assert_false(fob_router_waits(router));
    fob_router_retry(router, nobody_is_gone, NULL);
}

static void trying_again_costs_what_waits_not_what_was_connected(void **state) {
    (void)state;
    uint64_t high = 1u << 20;
    fill(high); /* so many slots */
    fob_router_forget(router, high);
    fill(7);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(send_number(9, 0), FOB_SEND_DONE);
    fob_router_forget(router, 7);
    clock_t from = clock();
    for (int i = 0; i < 10000; i++)
        fob_router_retry(router, nobody_is_gone, NULL);
    assert_true(fob_router_waits(router));
    assert_true((clock() - from) / CLOCKS_PER_SEC < 5); /* 10^10 slots would take longer */
}

static int gone_count;

static void on_gone(void *arg, uint64_t conn) {
    (void)arg;
    assert_int_equal(conn, 7);
    gone_count++;
}

static void one_that_went_while_something_waited_is_told_of(void **state) {
    (void)state;
    fill(7);
    gone_count = 0;
    zmq_socket_monitor(client, NULL, 0);
    zmq_close(client);
    client = NULL;
    for (int i = 0; i < PATIENCE && gone_count == 0; i++) {
        zmq_pollitem_t item = {fob_router_socket(router), 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 1);
        fob_router_retry(router, on_gone, NULL);
    }
    assert_int_equal(gone_count, 1);
    assert_false(fob_router_waits(router));
}

static void far_too_many_frames_end_the_connection(void **state) {
    (void)state;
    fob_mail_t mail = {0};
    fob_router_watch(router, traffic);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zmq_send(client, "x", 1, i < 99 ? ZMQ_SNDMORE : 0), 1);
    zmq_pollitem_t item = {fob_router_socket(router), 0, ZMQ_POLLIN, 0};
    assert_int_equal(zmq_poll(&item, 1, PATIENCE), 1);
    assert_true(fob_router_receive(router, &mail));
    assert_int_equal(mail.frames, 100);
    fob_blob_unref(&mail.body);
    uint8_t event[6];
    assert_int_equal(zmq_recv(monitor, event, sizeof event, 0), sizeof event); /* DISCONNECTED */
    fob_traffic_stats_t stats;
    fob_traffic_stats(traffic, &stats);
    assert_int_equal(stats.ended[FOB_ENDED_FRAMES], 1);
}

FOB_MAIN(FOB_CASE_WITH(what_a_slow_client_does_not_take_comes_later_and_in_order, open_pair,
                       close_pair),
         FOB_CASE_WITH(one_that_never_reads_is_given_up, open_pair, close_pair),
         FOB_CASE_WITH(trying_again_costs_what_waits_not_what_was_connected, open_pair, close_pair),
         FOB_CASE_WITH(one_that_went_while_something_waited_is_told_of, open_pair, close_pair),
         FOB_CASE_WITH(far_too_many_frames_end_the_connection, open_pair, close_pair))
