#include "tests/support/case.h"

#include "bus/sockets/traffic.h"

#include "proto/now.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
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
    fob_traffic_event(traffic, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, EAGAIN); /* too slow */
    closed(traffic, 14);
    accepted(traffic, 14);
    fob_traffic_event(traffic, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 4711);
    closed(traffic, 14);
    assert_int_equal(figures(traffic).failed, 3);
    assert_int_equal(figures(traffic).open, 0);
    fob_traffic_destroy(&traffic);
}

static void left(fob_traffic_t *traffic) {
    fob_traffic_event(traffic, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ECONNRESET);
}

static void one_that_gives_up_before_it_was_answered_is_no_failure(void **state) {
    (void)state;
    fob_traffic_t *traffic = make();
    for (uint32_t fd = 14; fd < 17; fd++)
        accepted(traffic, fd);
    left(traffic);
    closed(traffic, 15);
    left(traffic);
    closed(traffic, 14);
    closed(traffic, 16); /* and this one was another's bytes */
    assert_int_equal(figures(traffic).failed, 1);
    left(traffic); /* told before its beginning */
    closed(traffic, 14);
    accepted(traffic, 14);
    assert_int_equal(figures(traffic).failed, 1);
    left(traffic); /* whose end is never told: it does not excuse whoever comes later */
    accepted(traffic, 15);
    greeted(traffic);
    closed(traffic, 15);
    accepted(traffic, 16);
    closed(traffic, 16);
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

/* A TCP connection on this machine: `ends[0]` is the bus's. */
static void connect_pair(int ends[2]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(ends[1], (struct sockaddr *)&at, size), 0);
    ends[0] = accept(listener, NULL, NULL);
    assert_true(ends[0] >= 0);
    close(listener);
}

/* Sends so much, and the bus's end takes it. */
static void say(const int ends[2], size_t bytes) {
    static char part[4096];
    memset(part, 'x', sizeof part);
    for (; bytes > 0; bytes -= sizeof part) {
        assert_int_equal(send(ends[1], part, sizeof part, 0), sizeof part);
        assert_int_equal(recv(ends[0], part, sizeof part, MSG_WAITALL), sizeof part);
    }
}

/* Looks at all of them for so many ms. */
static void rounds(fob_traffic_t *traffic, int64_t *now_ns, int ms) {
    for (int i = 0; i <= ms; i += 100)
        fob_traffic_round(traffic, *now_ns += 100 * FOB_MS, 0, true);
}

#define PEERS 4

typedef struct {
    fob_traffic_t *traffic;
    int ends[PEERS][2];
    int64_t now_ns;
} room_t;

/* So many bytes may be unfinished together. */
static void room_begin(room_t *self, uint64_t most) {
    *self = (room_t){.traffic = make()};
    fob_traffic_rule(self->traffic,
                     &(fob_traffic_rules_t){.conduct = {.message = 1 << 20}, .unfinished = most});
    for (int i = 0; i < PEERS; i++) {
        connect_pair(self->ends[i]);
        accepted(self->traffic, (uint32_t)self->ends[i][0]);
        greeted(self->traffic);
    }
    rounds(self->traffic, &self->now_ns, 1000);
}

static void room_end(room_t *self) {
    for (int i = 0; i < PEERS; i++) {
        close(self->ends[i][0]);
        close(self->ends[i][1]);
    }
    fob_traffic_destroy(&self->traffic);
}

static bool was_ended(const room_t *self, int peer) {
    return fob_traffic_ended(self->traffic, self->ends[peer][0]);
}

static void too_much_that_is_unfinished_costs_who_holds_the_most(void **state) {
    (void)state;
    room_t self;
    room_begin(&self, 100000);
    say(self.ends[0], 40960);
    say(self.ends[1], 81920); /* and with it all of them are above */
    say(self.ends[2], 20480);
    rounds(self.traffic, &self.now_ns, 500);
    assert_int_equal(figures(self.traffic).ended[FOB_ENDED_UNFINISHED], 0); /* no second yet */
    rounds(self.traffic, &self.now_ns, 1000);
    assert_int_equal(figures(self.traffic).ended[FOB_ENDED_UNFINISHED], 1);
    assert_true(was_ended(&self, 1));
    rounds(self.traffic, &self.now_ns, 10000); /* enough is free */
    assert_int_equal(figures(self.traffic).ended[FOB_ENDED_UNFINISHED], 1);
    room_end(&self);
}

static void more_of_an_unfinished_message_is_known_by_the_connections_name(void **state) {
    (void)state;
    room_t self;
    room_begin(&self, 0);
    uint64_t name = fob_traffic_heard(self.traffic, self.ends[0][0]);
    uint64_t other = fob_traffic_heard(self.traffic, self.ends[1][0]);
    assert_true(name != 0 && other != 0 && name != other);
    rounds(self.traffic, &self.now_ns, 1000);
    assert_int_equal(fob_traffic_more(self.traffic, name), 0);
    say(self.ends[0], 8192);
    rounds(self.traffic, &self.now_ns, 0);
    int64_t then = self.now_ns;
    rounds(self.traffic, &self.now_ns, 1000);
    assert_int_equal(fob_traffic_more(self.traffic, name), then);
    assert_int_equal(fob_traffic_more(self.traffic, other), 0);
    closed(self.traffic, (uint32_t)self.ends[0][0]);
    accepted(self.traffic, (uint32_t)self.ends[0][0]); /* another, with the same number */
    assert_true(fob_traffic_heard(self.traffic, self.ends[0][0]) != name);
    say(self.ends[0], 8192);
    rounds(self.traffic, &self.now_ns, 1000);
    assert_int_equal(fob_traffic_more(self.traffic, name), 0);
    room_end(&self);
}

static void who_ends_its_messages_makes_no_room(void **state) {
    (void)state;
    room_t self;
    room_begin(&self, 100000);
    for (int i = 0; i < 30; i++) { /* the first says the most, and ends it; the last says nothing */
        say(self.ends[0], 204800);
        say(self.ends[1], i < 10 ? 8192 : 0);
        say(self.ends[2], i < 10 ? 4096 : 0);
        fob_traffic_heard(self.traffic, self.ends[0][0]);
        rounds(self.traffic, &self.now_ns, 0);
    }
    assert_int_equal(figures(self.traffic).ended[FOB_ENDED_UNFINISHED], 1);
    assert_true(was_ended(&self, 1));
    assert_false(was_ended(&self, 0));
    room_end(&self);
}

FOB_MAIN(FOB_CASE(too_much_that_is_unfinished_costs_who_holds_the_most),
         FOB_CASE(who_ends_its_messages_makes_no_room),
         FOB_CASE(more_of_an_unfinished_message_is_known_by_the_connections_name),
         FOB_CASE(a_client_that_comes_and_goes_is_no_failure),
         FOB_CASE(one_that_goes_without_a_greeting_failed),
         FOB_CASE(one_that_gives_up_before_it_was_answered_is_no_failure),
         FOB_CASE(an_old_client_that_goes_while_others_come_is_no_failure),
         FOB_CASE(a_connection_costs_the_same_however_many_there_were),
         FOB_CASE(a_connection_begins_without_what_the_one_before_held),
         FOB_CASE(subscriptions_held_and_refused_are_bounded_together),
         FOB_CASE(only_what_is_open_on_its_socket_is_ended), FOB_CASE(a_wrong_guess_is_put_right),
         FOB_CASE(an_end_told_before_its_beginning_is_no_other_ones))
