/* Fire-and-forget over real sockets: what is fired, as one hears it who listens on the wire. */
#include "support/case.h"

#include "publisher_bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <zmq.h>

typedef struct {
    void *context, *socket;
    unsigned port;
    pthread_t thread;
    unsigned expected;          /* events */
    uint64_t got[MODEL_TOPICS]; /* the last seq of each topic */
    unsigned events, messages;
} ear_t;

static void ear_open(ear_t *self) {
    *self = (ear_t){.context = zmq_ctx_new()};
    self->socket = zmq_socket(self->context, ZMQ_XSUB);
    assert_int_equal(zmq_bind(self->socket, "tcp://127.0.0.1:*"), 0);
    char endpoint[64];
    size_t size = sizeof endpoint;
    zmq_getsockopt(self->socket, ZMQ_LAST_ENDPOINT, endpoint, &size);
    self->port = (unsigned)atoi(strrchr(endpoint, ':') + 1);
    int wait = 20000;
    zmq_setsockopt(self->socket, ZMQ_RCVTIMEO, &wait, sizeof wait);
    zmq_send(self->socket, "\x01", 1, 0); /* everything */
}

static void ear_hear(ear_t *self) {
    zmq_msg_t head, body;
    zmq_msg_init(&head);
    zmq_msg_init(&body);
    assert_true(zmq_msg_recv(&head, self->socket, 0) > 0);
    assert_true(zmq_msg_more(&head));
    assert_true(zmq_msg_recv(&body, self->socket, 0) > 0);
    fob_cast_t cast;
    assert_int_equal(fob_cast_read(fob_slice(zmq_msg_data(&head), zmq_msg_size(&head)), &cast),
                     FOB_OK);
    assert_int_equal(cast.kind, FOB_CAST_FIRE);
    assert_true(cast.source != 0 && cast.time_ms > 0);
    unsigned topic = cast.topic.data[1] - '0';
    assert_int_equal(cast.seq, self->got[topic] + 1); /* no hole */
    fob_cursor_t cursor = fob_cursor(fob_slice(zmq_msg_data(&body), zmq_msg_size(&body)));
    uint64_t count = 0;
    for (; !fob_cursor_end(&cursor); count++) {
        fob_envelope_t event;
        uint64_t serial;
        assert_int_equal(fob_envelope_read(&cursor, 1000, &event), FOB_OK);
        assert_true(fob_slice_eq(event.topic, cast.topic));
        memcpy(&serial, event.data.data, sizeof serial);
        assert_int_equal(serial, ++self->got[topic]);
    }
    assert_int_equal(count, cast.count);
    self->events += (unsigned)count;
    self->messages++;
    zmq_msg_close(&head);
    zmq_msg_close(&body);
}

static void *ear_listen(void *arg) {
    ear_t *self = arg;
    while (self->events < self->expected)
        ear_hear(self);
    return NULL;
}

/* A socket serves its peers only while its thread is at it: so it listens from the beginning. */
static void ear_start(ear_t *self, unsigned expected) {
    self->expected = expected;
    pthread_create(&self->thread, NULL, ear_listen, self);
}

static void ear_close(ear_t *self) {
    pthread_join(self->thread, NULL);
    zmq_close(self->socket);
    zmq_ctx_term(self->context);
}

static void fired_events_arrive_in_order_and_without_a_hole(void **state) {
    (void)state;
    ear_t ear;
    ear_open(&ear);
    ear_start(&ear, 3000);
    bench_t *b = bench_new(&(fake_bus_options_t){.xsub_port = ear.port});
    publisher_start(b, (fob_publisher_options_t){0});
    fob_publish_options_t options = {.version = 1, .fire = 1, .id = "me"};
    uint64_t number = 77;
    for (uint64_t n = 1; n <= 3000; n++) {
        char name[] = {'t', (char)('0' + n % 3), 0};
        uint64_t serial = (n + 2) / 3;
        assert_int_equal(
            fob_publisher_send(b->publisher, name, &serial, sizeof serial, &options, &number),
            FOB_OK);
    }
    assert_int_equal(number, 0);
    assert_int_equal(fob_publisher_flush(b->publisher, 60000), FOB_OK);
    assert_int_equal(b->receipts, 3000);
    assert_string_equal(b->level, "none");
    assert_string_equal(b->id, "me");
    assert_int_equal(b->last.offset, 0);
    fob_publisher_destroy(&b->publisher); /* lingers: nothing handed over is lost */
    ear_close(&ear);
    assert_true(ear.messages < 1500); /* by topic, in batches */
    bench_free(b);
}

static void a_fired_event_waits_for_the_bus_and_no_longer_than_its_deadline(void **state) {
    (void)state;
    ear_t ear;
    ear_open(&ear);
    ear_start(&ear, 1);
    bench_t *b = bench_new(&(fake_bus_options_t){.xsub_port = ear.port});
    fake_bus_stop(b->bus);
    publisher_start(b, (fob_publisher_options_t){.connect_timeout_ms = -1});
    fob_publish_options_t brief = {.version = 1, .fire = 1, .deadline_ms = 100};
    fob_publish_options_t patient = {.version = 1, .fire = 1};
    uint64_t serial = 1;
    assert_int_equal(fob_publisher_send(b->publisher, "t0", &serial, sizeof serial, &brief, NULL),
                     FOB_OK);
    assert_int_equal(fob_publisher_send(b->publisher, "t0", &serial, sizeof serial, &patient, NULL),
                     FOB_OK);
    assert_int_equal(fob_publisher_dispatch(b->publisher, 20000), 1);
    assert_int_equal(b->last.status, FOB_UNREACHABLE);
    fake_bus_start(b->bus);
    assert_int_equal(fob_publisher_dispatch(b->publisher, 20000), 1);
    assert_int_equal(b->last.status, FOB_OK);
    ear_close(&ear);
    assert_int_equal(ear.events, 1);
    bench_free(b);
}

FOB_MAIN(FOB_CASE(fired_events_arrive_in_order_and_without_a_hole),
         FOB_CASE(a_fired_event_waits_for_the_bus_and_no_longer_than_its_deadline))
