#include "tests/support/case.h"

#include "bus/traffic.h"

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static fob_traffic_t *make(void) {
    fob_traffic_t *traffic = fob_traffic_new(NULL, NULL, "test");
    assert_non_null(traffic);
    return traffic;
}

static fob_traffic_stats_t figures(fob_traffic_t *traffic) {
    fob_traffic_stats_t stats;
    fob_traffic_stats(traffic, &stats);
    return stats;
}

static void accepted(fob_traffic_t *traffic, uint32_t fd) {
    fob_traffic_event(traffic, ZMQ_EVENT_ACCEPTED, fd);
}
static void greeted(fob_traffic_t *traffic) {
    fob_traffic_event(traffic, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
}
static void closed(fob_traffic_t *traffic, uint32_t fd) {
    fob_traffic_event(traffic, ZMQ_EVENT_DISCONNECTED, fd);
}

static void a_client_that_comes_and_goes_is_no_failure(void **state) {
    (void)state;
    fob_traffic_t *traffic = make();
    accepted(traffic, 14);
    assert_int_equal(figures(traffic).open, 1);
    greeted(traffic);
    closed(traffic, 14);
    assert_int_equal(figures(traffic).open, 0);
    assert_int_equal(figures(traffic).accepted, 1);
    assert_int_equal(figures(traffic).failed, 0);
    fob_traffic_destroy(&traffic);
}

static void one_that_goes_without_a_greeting_failed(void **state) {
    (void)state;
    fob_traffic_t *traffic = make();
    accepted(traffic, 14);
    closed(traffic, 14);
    accepted(traffic, 14);
    fob_traffic_event(traffic, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 104);
    closed(traffic, 14);
    assert_int_equal(figures(traffic).failed, 2);
    assert_int_equal(figures(traffic).open, 0);
    fob_traffic_destroy(&traffic);
}

static void an_old_client_that_goes_while_others_come_is_no_failure(void **state) {
    (void)state;
    fob_traffic_t *traffic = make();
    accepted(traffic, 14);
    greeted(traffic);
    accepted(traffic, 15);
    closed(traffic, 14);
    assert_int_equal(figures(traffic).failed, 0);
    closed(traffic, 15);
    assert_int_equal(figures(traffic).failed, 1);
    fob_traffic_destroy(&traffic);
}

static void a_wrong_guess_is_put_right(void **state) {
    (void)state;
    fob_traffic_t *traffic = make();
    accepted(traffic, 14);
    accepted(traffic, 15);
    greeted(traffic); /* 14's, which nobody says */
    closed(traffic, 14);
    assert_int_equal(figures(traffic).failed, 1);
    greeted(traffic);
    assert_int_equal(figures(traffic).failed, 0);
    fob_traffic_destroy(&traffic);
}

static void an_end_told_before_its_beginning_is_no_other_ones(void **state) {
    (void)state;
    fob_traffic_t *traffic = make();
    closed(traffic, 14);
    accepted(traffic, 14);
    assert_int_equal(figures(traffic).failed, 1);
    assert_int_equal(figures(traffic).open, 0);
    greeted(traffic);
    accepted(traffic, 15);
    closed(traffic, 15);
    assert_int_equal(figures(traffic).failed, 1);
    assert_int_equal(figures(traffic).open, 0);
    greeted(traffic);
    closed(traffic, 16);
    accepted(traffic, 16);
    assert_int_equal(figures(traffic).failed, 1);
    accepted(traffic, 16);
    greeted(traffic);
    closed(traffic, 16);
    assert_int_equal(figures(traffic).failed, 1);
    assert_int_equal(figures(traffic).open, 0);
    fob_traffic_destroy(&traffic);
}

static void a_connection_costs_the_same_however_many_there_were(void **state) {
    (void)state;
    fob_traffic_t *traffic = make();
    accepted(traffic, 1 << 20);
    greeted(traffic);
    clock_t from = clock();
    for (uint32_t i = 0; i < 100000; i++) {
        accepted(traffic, 14);
        greeted(traffic);
        closed(traffic, 14);
    }
    assert_true((clock() - from) / CLOCKS_PER_SEC < 5); /* 10^11 descriptors would take longer */
    assert_int_equal(figures(traffic).failed, 0);
    assert_int_equal(figures(traffic).open, 1);
    fob_traffic_destroy(&traffic);
}

static void a_connection_begins_without_what_the_one_before_held(void **state) {
    (void)state;
    fob_traffic_t *traffic = make();
    accepted(traffic, 14);
    fob_slice_t prefix = fob_slice_str("topic");
    assert_int_equal(fob_traffic_subscribe(traffic, 14, prefix, 1), FOB_OK);
    greeted(traffic);
    assert_int_equal(fob_traffic_held(traffic, 14), 1);
    closed(traffic, 14);
    assert_int_equal(fob_traffic_held(traffic, 14), 0);
    /* read late */
    assert_int_equal(fob_traffic_subscribe(traffic, 14, prefix, 1), FOB_OK);
    accepted(traffic, 14);
    assert_int_equal(fob_traffic_held(traffic, 14), 0);
    assert_int_equal(fob_traffic_subscribe(traffic, 14, prefix, 1), FOB_OK);
    fob_traffic_unsubscribe(traffic, 14, prefix, 1);
    assert_int_equal(fob_traffic_held(traffic, 14), 0);
    fob_traffic_destroy(&traffic);
}

static void subscriptions_held_and_refused_are_bounded_together(void **state) {
    (void)state;
    fob_traffic_t *traffic = make();
    accepted(traffic, 14);
    for (int i = 0; i < FOB_SUBSCRIPTIONS_MAX - 1; i++)
        assert_int_equal(fob_traffic_refuse(traffic, 14), FOB_OK);
    assert_int_equal(fob_traffic_subscribe(traffic, 14, fob_slice_str("a"), 1), FOB_OK);
    assert_int_equal(fob_traffic_subscribe(traffic, 14, fob_slice_str("b"), 1), FOB_TOO_LARGE);
    assert_int_equal(fob_traffic_refuse(traffic, 14), FOB_TOO_LARGE);
    /* nobody's, as its connection is not known any more */
    assert_int_equal(fob_traffic_subscribe(traffic, -1, fob_slice_str("b"), 1), FOB_OK);
    assert_int_equal(fob_traffic_refuse(traffic, -1), FOB_OK);
    fob_traffic_destroy(&traffic);
}

/* What libzmq closed may be another's, who has nothing to do with the bus. */
static void only_what_is_open_on_its_socket_is_ended(void **state) {
    (void)state;
    fob_traffic_t *traffic = make();
    int ends[2];
    char byte = 'x';
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    uint32_t fd = (uint32_t)ends[0];
    fob_traffic_end(traffic, ends[0], FOB_ENDED_FRAMES); /* never one of this socket */
    accepted(traffic, fd);
    greeted(traffic);
    closed(traffic, fd);
    fob_traffic_end(traffic, ends[0], FOB_ENDED_TALK); /* it has gone */
    assert_int_equal(figures(traffic).ended[FOB_ENDED_FRAMES], 0);
    assert_int_equal(figures(traffic).ended[FOB_ENDED_TALK], 0);
    assert_false(fob_traffic_ended(traffic, ends[0]));
    assert_int_equal(send(ends[1], &byte, 1, 0), 1);
    assert_int_equal(recv(ends[0], &byte, 1, 0), 1);

    accepted(traffic, fd);
    fob_traffic_end(traffic, ends[0], FOB_ENDED_TALK);
    fob_traffic_end(traffic, ends[0], FOB_ENDED_TALK); /* more of it was read */
    assert_int_equal(figures(traffic).ended[FOB_ENDED_TALK], 1);
    assert_true(fob_traffic_ended(traffic, ends[0]));
    assert_int_equal(recv(ends[1], &byte, 1, 0), 0);
    closed(traffic, fd);
    fob_traffic_end(traffic, ends[0], FOB_ENDED_TALK);
    assert_int_equal(figures(traffic).ended[FOB_ENDED_TALK], 1);
    close(ends[0]);
    close(ends[1]);
    fob_traffic_destroy(&traffic);
}

FOB_MAIN(FOB_CASE(a_client_that_comes_and_goes_is_no_failure),
         FOB_CASE(one_that_goes_without_a_greeting_failed),
         FOB_CASE(an_old_client_that_goes_while_others_come_is_no_failure),
         FOB_CASE(a_connection_costs_the_same_however_many_there_were),
         FOB_CASE(a_connection_begins_without_what_the_one_before_held),
         FOB_CASE(subscriptions_held_and_refused_are_bounded_together),
         FOB_CASE(only_what_is_open_on_its_socket_is_ended), FOB_CASE(a_wrong_guess_is_put_right),
         FOB_CASE(an_end_told_before_its_beginning_is_no_other_ones))
