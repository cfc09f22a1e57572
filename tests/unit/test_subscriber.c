/* The subscriber's shell against a ROUTER and an XPUB of the test's own. */
#include "support/case.h"

#include "proto/envelope.h"
#include "proto/link/conduit.h"
#include <fob/fob_subscriber.h>

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <zmq.h>

#define PATIENCE 60000 /* ms */

/* Its thread owns the sockets; the test posts casts to it. */
typedef struct {
    void *context, *router, *xpub, *orders; /* orders: the thread's end of a pair */
    void *desk;                             /* the test's end */
    pthread_t thread;
    char endpoint[64], xpub_endpoint[64];
    atomic_bool stop, mute, deaf; /* mute: no WELCOME; deaf: no answer to probes */
    atomic_uint subscribed, hellos;
} radio_t;

static uint16_t port_of(const char *endpoint) {
    return (uint16_t)atoi(strrchr(endpoint, ':') + 1);
}

static void say_welcome(radio_t *r, zmq_msg_t *peer) {
    fob_buf_t shards = {0}, header = {0};
    fob_wire_t msg = {.verb = FOB_VERB_WELCOME};
    fob_shard_t shard = {.router = port_of(r->endpoint), .xpub = port_of(r->xpub_endpoint)};
    fob_pack_array(&shards, 1);
    fob_shard_write(&shards, &shard);
    FOB_SET(&msg, version, 1);
    FOB_SET(&msg, heartbeat, 1000);
    FOB_SET(&msg, epoch, 7);
    FOB_SET(&msg, head, 0);
    FOB_SET(&msg, level, fob_slice_str("disk"));
    FOB_SET(&msg, shards, fob_buf_slice(&shards));
    FOB_SET(&msg, max_event, 1000000);
    FOB_SET(&msg, max_batch, 4000000);
    FOB_SET(&msg, window, 1024);
    assert_int_equal(fob_wire_write(&header, &msg), FOB_OK);
    zmq_msg_send(peer, r->router, ZMQ_SNDMORE);
    zmq_send(r->router, header.data, header.size, 0);
    fob_buf_free(&shards);
    fob_buf_free(&header);
}

static void serve_router(radio_t *r) {
    zmq_msg_t peer, header;
    zmq_msg_init(&peer);
    zmq_msg_init(&header);
    while (zmq_msg_recv(&peer, r->router, ZMQ_DONTWAIT) >= 0) {
        fob_wire_t msg;
        zmq_msg_recv(&header, r->router, 0);
        fob_slice_t bytes = fob_slice(zmq_msg_data(&header), zmq_msg_size(&header));
        if (fob_wire_read(bytes, &msg) != FOB_OK || msg.verb != FOB_VERB_HELLO)
            continue;
        atomic_fetch_add(&r->hellos, 1);
        if (!atomic_load(&r->mute))
            say_welcome(r, &peer);
    }
    zmq_msg_close(&peer);
    zmq_msg_close(&header);
}

static void serve_xpub(radio_t *r) {
    uint8_t frame[512];
    int size;
    while ((size = zmq_recv(r->xpub, frame, sizeof frame, ZMQ_DONTWAIT)) > 0) {
        bool probe = size > 12 && memcmp(frame + 1, "$sys.probe.", 11) == 0;
        if (frame[0] != 1)
            continue;
        if (!probe) {
            atomic_fetch_add(&r->subscribed, 1);
        } else if (!atomic_load(&r->deaf)) {
            fob_buf_t head = {0};
            fob_cast_t cast = {.kind = FOB_CAST_PROBE,
                               .topic = fob_slice(frame + 1, (size_t)size - 2)};
            assert_int_equal(fob_cast_write(&head, &cast), FOB_OK);
            zmq_send(r->xpub, head.data, head.size, 0);
            fob_buf_free(&head);
        }
    }
}

static void serve_orders(radio_t *r) {
    zmq_msg_t msg;
    zmq_msg_init(&msg);
    while (zmq_msg_recv(&msg, r->orders, ZMQ_DONTWAIT) >= 0) {
        bool more = zmq_msg_more(&msg);
        zmq_msg_send(&msg, r->xpub, more ? ZMQ_SNDMORE : 0);
    }
    zmq_msg_close(&msg);
}

static void *run(void *arg) {
    radio_t *r = arg;
    while (!atomic_load(&r->stop)) {
        zmq_pollitem_t items[] = {{.socket = r->router, .events = ZMQ_POLLIN},
                                  {.socket = r->xpub, .events = ZMQ_POLLIN},
                                  {.socket = r->orders, .events = ZMQ_POLLIN}};
        zmq_poll(items, 3, 5);
        serve_router(r);
        serve_xpub(r);
        serve_orders(r);
    }
    return NULL;
}

static void *bound(void *context, int type, char *endpoint, size_t size) {
    void *socket = zmq_socket(context, type);
    int zero = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    int64_t until = fob_conduit_now().mono_ns + 60 * FOB_SEC;
    /* The port may be held by what is left of the one before for a moment. */
    while (zmq_bind(socket, endpoint[0] ? endpoint : "tcp://127.0.0.1:*") != 0) {
        assert_true(fob_conduit_now().mono_ns < until);
        poll(NULL, 0, 2);
    }
    zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size);
    return socket;
}

static void radio_start(radio_t *r) {
    r->router = bound(r->context, ZMQ_ROUTER, r->endpoint, sizeof r->endpoint);
    r->xpub = bound(r->context, ZMQ_XPUB, r->xpub_endpoint, sizeof r->xpub_endpoint);
    int one = 1, zero = 0;
    zmq_setsockopt(r->xpub, ZMQ_XPUB_VERBOSE, &one, sizeof one);
    zmq_setsockopt(r->xpub, ZMQ_SNDHWM, &zero, sizeof zero);
    atomic_store(&r->stop, false);
    assert_int_equal(pthread_create(&r->thread, NULL, run, r), 0);
}

static void radio_stop(radio_t *r) {
    atomic_store(&r->stop, true);
    pthread_join(r->thread, NULL);
    zmq_close(r->router);
    zmq_close(r->xpub);
}

static radio_t *radio_new(void) {
    radio_t *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->context = zmq_ctx_new();
    r->orders = zmq_socket(r->context, ZMQ_PAIR);
    r->desk = zmq_socket(r->context, ZMQ_PAIR);
    assert_int_equal(zmq_bind(r->orders, "inproc://orders"), 0);
    assert_int_equal(zmq_connect(r->desk, "inproc://orders"), 0);
    radio_start(r);
    return r;
}

static void radio_free(radio_t *r) {
    radio_stop(r);
    zmq_close(r->orders);
    zmq_close(r->desk);
    zmq_ctx_term(r->context);
    free(r);
}

/* Broadcasts stored events first .. first + count - 1 of a topic, numbered alike. */
static void cast_events(radio_t *r, const char *topic, uint64_t first, uint64_t count) {
    fob_buf_t head = {0}, body = {0};
    fob_cast_t cast = {.kind = FOB_CAST_STORED,
                       .topic = fob_slice_str(topic),
                       .epoch = 7,
                       .offset = first,
                       .count = count,
                       .source = 99,
                       .seq = first,
                       .time_ms = 5};
    for (uint64_t i = 0; i < count; i++) {
        fob_envelope_t event = {.topic = fob_slice_str(topic), .data = fob_slice_str("data")};
        assert_int_equal(fob_envelope_write(&body, 1000, &event), FOB_OK);
    }
    assert_int_equal(fob_cast_write(&head, &cast), FOB_OK);
    zmq_send(r->desk, head.data, head.size, ZMQ_SNDMORE);
    zmq_send(r->desk, body.data, body.size, 0);
    fob_buf_free(&head);
    fob_buf_free(&body);
}

static fob_subscriber_t *subscribe(const radio_t *r, const char *pattern, uint32_t queue) {
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    fob_status_t status;
    options.bus = r->endpoint;
    options.pattern = pattern;
    options.queue = queue;
    options.connect_timeout_ms = PATIENCE;
    fob_subscriber_t *subscriber = fob_subscriber_new(&options, &status);
    assert_int_equal(status, FOB_OK);
    assert_non_null(subscriber);
    return subscriber;
}

static void expect(fob_subscriber_t *subscriber, const char *topic, uint64_t offset) {
    fob_event_t *event;
    assert_int_equal(fob_subscriber_next(subscriber, &event, PATIENCE), FOB_OK);
    assert_string_equal(fob_event_topic(event), topic);
    assert_int_equal(fob_event_offset(event), offset);
    assert_int_equal(fob_event_attempt(event), 0);
    fob_event_destroy(&event);
}

/* --- cases --- */

static void what_is_published_once_it_is_live_arrives_in_order(void **state) {
    (void)state;
    radio_t *r = radio_new();
    fob_subscriber_t *subscriber = subscribe(r, "orders.*", 0);
    cast_events(r, "orders.eu", 1, 3);
    cast_events(r, "ordersx.eu", 1, 1); /* begins alike, but is another topic */
    cast_events(r, "orders.eu.late", 1, 1);
    cast_events(r, "orders.us", 4, 2);
    for (uint64_t n = 1; n <= 3; n++)
        expect(subscriber, "orders.eu", n);
    expect(subscriber, "orders.us", 4);
    expect(subscriber, "orders.us", 5);
    assert_int_equal(fob_subscriber_lost(subscriber, NULL), 0);
    fob_subscriber_destroy(&subscriber);
    radio_free(r);
}

static void a_hole_in_the_numbers_is_counted_as_lost(void **state) {
    (void)state;
    radio_t *r = radio_new();
    fob_subscriber_t *subscriber = subscribe(r, "t", 0);
    cast_events(r, "t", 1, 1);
    cast_events(r, "t", 5, 1);
    expect(subscriber, "t", 1);
    expect(subscriber, "t", 5);
    uint64_t pauses = 7;
    assert_int_equal(fob_subscriber_lost(subscriber, &pauses), 3);
    assert_int_equal(pauses, 0);
    fob_subscriber_loss_t loss;
    size_t at = 0;
    assert_int_equal(fob_subscriber_loss(subscriber, &at, &loss), 1);
    assert_int_equal(loss.source, 99);
    assert_int_equal(loss.lost, 3);
    assert_string_equal(loss.topic, "t");
    assert_int_equal(fob_subscriber_loss(subscriber, &at, &loss), 0);
    fob_subscriber_destroy(&subscriber);
    radio_free(r);
}

static void what_cannot_be_read_is_counted_as_malformed(void **state) {
    (void)state;
    static const uint8_t later_kind[] = {'t', 0, 0x99, 4, 0, 0, 0, 0, 0, 0, 0, 0};
    radio_t *r = radio_new();
    fob_subscriber_t *subscriber = subscribe(r, "t", 0);
    zmq_send(r->desk, "t\0nonsense", 10, ZMQ_SNDMORE);
    zmq_send(r->desk, "x", 1, 0);
    zmq_send(r->desk, later_kind, sizeof later_kind, 0); /* not nonsense: passed over */
    cast_events(r, "t", 1, 1);
    expect(subscriber, "t", 1);
    assert_int_equal(fob_subscriber_malformed(subscriber), 1);
    assert_int_equal(fob_subscriber_lost(subscriber, NULL), 0);
    fob_subscriber_destroy(&subscriber);
    radio_free(r);
}

static void a_full_queue_loses_the_newest_and_counts_them(void **state) {
    (void)state;
    radio_t *r = radio_new();
    fob_subscriber_t *subscriber = subscribe(r, "t", 10);
    cast_events(r, "t", 1, 8);
    cast_events(r, "t", 9, 8);
    int64_t until = fob_conduit_now().mono_ns + 60 * FOB_SEC;
    while (fob_subscriber_lost(subscriber, NULL) < 6 && fob_conduit_now().mono_ns < until)
        poll(NULL, 0, 1);
    assert_int_equal(fob_subscriber_lost(subscriber, NULL), 6);
    for (uint64_t n = 1; n <= 10; n++)
        expect(subscriber, "t", n);
    fob_event_t *event;
    assert_int_equal(fob_subscriber_next(subscriber, &event, 0), FOB_AGAIN);
    cast_events(r, "t", 17, 1);
    expect(subscriber, "t", 17);
    assert_int_equal(fob_subscriber_lost(subscriber, NULL), 6);
    fob_subscriber_destroy(&subscriber);
    radio_free(r);
}

static void a_restart_of_the_bus_is_a_pause_that_is_counted(void **state) {
    (void)state;
    radio_t *r = radio_new();
    fob_subscriber_t *subscriber = subscribe(r, "t", 0);
    cast_events(r, "t", 1, 1);
    expect(subscriber, "t", 1);
    radio_stop(r);
    radio_start(r);
    fob_event_t *event = NULL;
    int64_t until = fob_conduit_now().mono_ns + 60 * FOB_SEC;
    uint64_t n = 2;
    /* It says nothing of being live again: so cast until something arrives. */
    while (!event && fob_conduit_now().mono_ns < until) {
        cast_events(r, "t", n++, 1);
        (void)!fob_subscriber_next(subscriber, &event, 10);
    }
    assert_non_null(event);
    uint64_t pauses, offset = fob_event_offset(event);
    assert_int_equal(fob_subscriber_lost(subscriber, &pauses), offset - 2);
    assert_int_equal(pauses, 1);
    fob_event_destroy(&event);
    fob_subscriber_destroy(&subscriber);
    radio_free(r);
}

static void a_probe_without_an_answer_is_sent_again(void **state) {
    (void)state;
    radio_t *r = radio_new();
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    fob_status_t status;
    options.bus = r->endpoint;
    options.pattern = "t";
    options.connect_timeout_ms = 300;
    atomic_store(&r->deaf, true);
    assert_null(fob_subscriber_new(&options, &status));
    assert_int_equal(status, FOB_UNREACHABLE);
    atomic_store(&r->deaf, false);
    fob_subscriber_t *subscriber = subscribe(r, "t", 0);
    fob_subscriber_destroy(&subscriber);
    radio_free(r);
}

typedef struct {
    fob_subscriber_t *subscriber;
    atomic_uint got;
    atomic_int end;
} reader_t;

static void *read_to_the_end(void *arg) {
    reader_t *reader = arg;
    fob_event_t *event;
    fob_status_t status;
    while ((status = fob_subscriber_next(reader->subscriber, &event, -1)) == FOB_OK) {
        atomic_fetch_add(&reader->got, 1);
        fob_event_destroy(&event);
    }
    atomic_store(&reader->end, (int)status);
    return NULL;
}

static void closing_ends_a_waiting_next(void **state) {
    (void)state;
    radio_t *r = radio_new();
    reader_t reader = {.subscriber = subscribe(r, ">", 0)};
    struct pollfd fd = {.fd = fob_subscriber_fd(reader.subscriber), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 0), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_to_the_end, &reader), 0);
    cast_events(r, "t", 1, 1);
    /* Once it has read all it makes the descriptor quiet, and waits. */
    int64_t until = fob_conduit_now().mono_ns + 60 * FOB_SEC;
    while ((!atomic_load(&reader.got) || poll(&fd, 1, 0)) && fob_conduit_now().mono_ns < until)
        poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&reader.got), 1);
    fob_subscriber_close(reader.subscriber);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&reader.end), FOB_CLOSED);
    assert_int_equal(poll(&fd, 1, 0), 1);
    fob_subscriber_destroy(&reader.subscriber);
    radio_free(r);
}

static void the_descriptor_is_readable_while_events_wait(void **state) {
    (void)state;
    radio_t *r = radio_new();
    fob_subscriber_t *subscriber = subscribe(r, "t", 0);
    struct pollfd fd = {.fd = fob_subscriber_fd(subscriber), .events = POLLIN};
    cast_events(r, "t", 1, 2);
    assert_int_equal(poll(&fd, 1, PATIENCE), 1);
    expect(subscriber, "t", 1);
    assert_int_equal(poll(&fd, 1, 0), 1);
    expect(subscriber, "t", 2);
    fob_event_t *event;
    assert_int_equal(fob_subscriber_next(subscriber, &event, 0), FOB_AGAIN);
    assert_int_equal(poll(&fd, 1, 0), 0);
    fob_subscriber_destroy(&subscriber);
    radio_free(r);
}

static void a_flood_arrives_whole_or_is_counted(void **state) {
    (void)state;
    enum { MESSAGES = 2000, EACH = 50 };
    radio_t *r = radio_new();
    fob_subscriber_t *subscriber = subscribe(r, "t", 0);
    for (uint64_t i = 0; i < MESSAGES; i++)
        cast_events(r, "t", 1 + i * EACH, EACH);
    fob_event_t *event;
    uint64_t got = 0, last = 0;
    /* The last may be lost too, which nothing tells: so more are cast until one arrives. */
    uint64_t n = 1 + MESSAGES * EACH;
    while (last <= MESSAGES * EACH) {
        if (fob_subscriber_next(subscriber, &event, 50) != FOB_OK) {
            cast_events(r, "t", n++, 1);
            continue;
        }
        assert_true(fob_event_offset(event) > last);
        last = fob_event_offset(event);
        got++;
        fob_event_destroy(&event);
    }
    assert_int_equal(got + fob_subscriber_lost(subscriber, NULL), last);
    fob_subscriber_destroy(&subscriber);
    radio_free(r);
}

/* This bus has no capability "fetch". */
static void with_a_bus_that_cannot_be_asked_it_is_live_and_says_so(void **state) {
    (void)state;
    char text[300];
    fob_gap_t gap;
    radio_t *r = radio_new();
    fob_subscriber_t *subscriber = subscribe(r, "t", 0);
    fob_subscriber_degraded(subscriber, text, sizeof text);
    assert_non_null(strstr(text, "its version is older"));
    fob_subscriber_trouble(subscriber, text, sizeof text);
    assert_string_equal(text, "");
    assert_int_equal(fob_subscriber_behind(subscriber, NULL, NULL), 0);
    assert_int_equal(fob_subscriber_gap(subscriber, &gap), 0);
    cast_events(r, "t", 5, 1);
    expect(subscriber, "t", 5);
    fob_subscriber_destroy(&subscriber);
    radio_free(r);
}

static void is_invalid(fob_subscriber_options_t options) {
    fob_status_t status = FOB_OK;
    options.bus = "tcp://127.0.0.1:1";
    options.pattern = "a";
    assert_null(fob_subscriber_new(&options, &status));
    assert_int_equal(status, FOB_INVALID);
}

static void a_place_or_a_mode_that_is_none_is_refused(void **state) {
    (void)state;
    is_invalid((fob_subscriber_options_t){.version = 0});
    is_invalid((fob_subscriber_options_t){.version = 4});
    is_invalid((fob_subscriber_options_t){.version = 2, .mode = (fob_subscriber_mode_t)3});
    is_invalid((fob_subscriber_options_t){.version = 2, .from = (fob_from_t)5});
    is_invalid((fob_subscriber_options_t){.version = 2, .from = FOB_FROM_OFFSET});
    is_invalid((fob_subscriber_options_t){.version = 3, .from_value = 5, .from_epoch = 7});
    is_invalid((fob_subscriber_options_t){
        .version = 2, .mode = FOB_SUBSCRIBER_LIVE, .from = FOB_FROM_EARLIEST});
}

static void bad_options_are_named(void **state) {
    (void)state;
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    fob_status_t status;
    options.bus = "tcp://127.0.0.1:1";
    assert_null(fob_subscriber_new(&options, &status));
    assert_int_equal(status, FOB_INVALID);
    options.pattern = "a.>.b";
    assert_null(fob_subscriber_new(&options, &status));
    assert_int_equal(status, FOB_BAD_PATTERN);
    options.pattern = "a";
    options.connect_timeout_ms = 50;
    assert_null(fob_subscriber_new(&options, &status));
    assert_int_equal(status, FOB_UNREACHABLE);
}

FOB_MAIN(FOB_CASE(what_is_published_once_it_is_live_arrives_in_order),
         FOB_CASE(a_hole_in_the_numbers_is_counted_as_lost),
         FOB_CASE(what_cannot_be_read_is_counted_as_malformed),
         FOB_CASE(a_full_queue_loses_the_newest_and_counts_them),
         FOB_CASE(a_restart_of_the_bus_is_a_pause_that_is_counted),
         FOB_CASE(a_probe_without_an_answer_is_sent_again), FOB_CASE(closing_ends_a_waiting_next),
         FOB_CASE(the_descriptor_is_readable_while_events_wait),
         FOB_CASE(a_flood_arrives_whole_or_is_counted),
         FOB_CASE(with_a_bus_that_cannot_be_asked_it_is_live_and_says_so),
         FOB_CASE(a_place_or_a_mode_that_is_none_is_refused), FOB_CASE(bad_options_are_named))
