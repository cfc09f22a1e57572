/* fake_bus: see fake_bus.h. */
#include "fake_bus.h"

#include "proto/link/conduit.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

struct fake_bus {
    fake_bus_options_t options;
    void *context;
    void *router;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    atomic_uint hellos, beats, goodbyes, session;
    char endpoint[64];
    fob_buf_t header;
    fob_buf_t known; /* peers that said HELLO: size byte, name */
};

int64_t fake_bus_clock(void) {
    return fob_conduit_now().mono_ns / FOB_MS;
}

void fake_bus_pause(void) {
    poll(NULL, 0, 2);
}

void fake_bus_send(fake_bus_t *self, fob_slice_t peer, const fob_wire_t *msg, fob_slice_t body) {
    fob_buf_clear(&self->header);
    fob_status_t status = fob_wire_write(&self->header, msg);
    assert(status == FOB_OK);
    (void)status;
    zmq_send(self->router, peer.data, peer.size, ZMQ_SNDMORE);
    zmq_send(self->router, self->header.data, self->header.size, body.data ? ZMQ_SNDMORE : 0);
    if (body.data)
        zmq_send(self->router, body.data, body.size, 0);
}

void fake_bus_send_raw(fake_bus_t *self, fob_slice_t peer, const fob_slice_t *frames,
                       size_t count) {
    zmq_send(self->router, peer.data, peer.size, ZMQ_SNDMORE);
    for (size_t i = 0; i < count; i++)
        zmq_send(self->router, frames[i].data, frames[i].size, i + 1 < count ? ZMQ_SNDMORE : 0);
}

static void say_welcome(fake_bus_t *self, fob_slice_t peer) {
    fob_buf_t shards = {0};
    fob_shard_t shard = {.xsub = (uint16_t)self->options.xsub_port};
    fob_pack_array(&shards, self->options.xsub_port ? 1 : 0);
    if (self->options.xsub_port)
        fob_shard_write(&shards, &shard);
    fob_wire_t msg = {.verb = FOB_VERB_WELCOME};
    FOB_SET(&msg, version, 1);
    FOB_SET(&msg, bus, fob_slice_str("fake/1"));
    FOB_SET(&msg, heartbeat, self->options.heartbeat_ms ? self->options.heartbeat_ms : 1000);
    FOB_SET(&msg, epoch, 7);
    FOB_SET(&msg, head, 42);
    FOB_SET(&msg, level, fob_slice_str("disk"));
    FOB_SET(&msg, shards, fob_buf_slice(&shards));
    FOB_SET(&msg, last, self->options.last ? self->options.last(self->options.arg) : 0);
    FOB_SET(&msg, max_event, 1000000);
    FOB_SET(&msg, max_batch, 4000000);
    FOB_SET(&msg, window, self->options.window ? self->options.window : 1024);
    fake_bus_send(self, peer, &msg, (fob_slice_t){0});
    fob_buf_free(&shards);
}

static void say_error(fake_bus_t *self, fob_slice_t peer, fob_status_t code) {
    fob_wire_t msg = {.verb = FOB_VERB_ERROR};
    FOB_SET(&msg, code, code);
    FOB_SET(&msg, text, fob_slice_str(fob_status_text(code)));
    FOB_SET(&msg, version_min, 5);
    FOB_SET(&msg, version_max, 9);
    fake_bus_send(self, peer, &msg, (fob_slice_t){0});
}

static bool knows(const fake_bus_t *self, fob_slice_t peer) {
    for (size_t at = 0; at < self->known.size; at += 1 + self->known.data[at])
        if (fob_slice_eq(peer, fob_slice(self->known.data + at + 1, self->known.data[at])))
            return true;
    return false;
}

static void on_hello(fake_bus_t *self, fob_slice_t peer, const fob_wire_t *msg) {
    atomic_store(&self->session, msg->session.data[0]);
    atomic_fetch_add(&self->hellos, 1);
    if (self->options.version) {
        say_error(self, peer, FOB_VERSION);
        return;
    }
    uint8_t size = (uint8_t)peer.size;
    fob_buf_put(&self->known, &size, 1);
    fob_buf_put(&self->known, peer.data, peer.size);
    say_welcome(self, peer);
}

static void handle(fake_bus_t *self, fob_slice_t peer, fob_slice_t header, fob_slice_t body) {
    fob_wire_t msg;
    if (self->options.mute || fob_wire_read(header, &msg) != FOB_OK)
        return;
    if (msg.verb == FOB_VERB_HELLO)
        on_hello(self, peer, &msg);
    else if (!knows(self, peer))
        say_error(self, peer, FOB_HELLO_FIRST);
    else if (msg.verb == FOB_VERB_BEAT)
        atomic_fetch_add(&self->beats, 1);
    else if (msg.verb == FOB_VERB_GOODBYE)
        atomic_fetch_add(&self->goodbyes, 1);
    else if (self->options.handle)
        self->options.handle(self->options.arg, self, peer, &msg, body);
}

/* Reads one whole message; false: none. */
static bool message_read(fake_bus_t *self) {
    zmq_msg_t frames[3];
    int count = 0;
    bool more = true;
    while (more && count < 3) {
        zmq_msg_init(&frames[count]);
        if (zmq_msg_recv(&frames[count], self->router, ZMQ_DONTWAIT) < 0)
            break;
        more = zmq_msg_more(&frames[count++]);
    }
#define FRAME(i) fob_slice(zmq_msg_data(&frames[i]), zmq_msg_size(&frames[i]))
    if (count >= 2)
        handle(self, FRAME(0), FRAME(1), count > 2 ? FRAME(2) : (fob_slice_t){0});
#undef FRAME
    for (int i = 0; i < count; i++)
        zmq_msg_close(&frames[i]);
    return count > 0;
}

static void beat_all(fake_bus_t *self) {
    fob_wire_t beat = {.verb = FOB_VERB_BEAT};
    for (size_t at = 0; at < self->known.size; at += 1 + self->known.data[at])
        fake_bus_send(self, fob_slice(self->known.data + at + 1, self->known.data[at]), &beat,
                      (fob_slice_t){0});
}

static void *run(void *arg) {
    fake_bus_t *self = arg;
    int64_t beat_at = fake_bus_clock();
    while (!atomic_load(&self->stop)) {
        zmq_pollitem_t item = {.socket = self->router, .events = ZMQ_POLLIN};
        zmq_poll(&item, 1, 5);
        while (message_read(self))
            ;
        if (!self->options.no_beats && fake_bus_clock() >= beat_at) {
            beat_all(self);
            beat_at = fake_bus_clock() + 200;
        }
    }
    return NULL;
}

void fake_bus_start(fake_bus_t *self) {
    self->context = zmq_ctx_new();
    self->router = zmq_socket(self->context, ZMQ_ROUTER);
    int zero = 0;
    zmq_setsockopt(self->router, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(self->router, ZMQ_SNDHWM, &zero, sizeof zero); /* a ROUTER that is full drops */
    /* The port may be held by what is left of the bus before for a moment. */
    int64_t until = fake_bus_clock() + 10000;
    const char *where = self->endpoint[0] ? self->endpoint : "tcp://127.0.0.1:*";
    while (zmq_bind(self->router, where) != 0) {
        assert(fake_bus_clock() < until);
        (void)until;
        fake_bus_pause();
    }
    size_t size = sizeof self->endpoint;
    zmq_getsockopt(self->router, ZMQ_LAST_ENDPOINT, self->endpoint, &size);
    fob_buf_clear(&self->known);
    atomic_store(&self->stop, false);
    self->running = true;
    pthread_create(&self->thread, NULL, run, self);
}

void fake_bus_stop(fake_bus_t *self) {
    if (!self->running)
        return;
    atomic_store(&self->stop, true);
    pthread_join(self->thread, NULL);
    zmq_close(self->router);
    zmq_ctx_term(self->context); /* which waits: from now on nothing listens */
    self->running = false;
}

fake_bus_t *fake_bus_new(const fake_bus_options_t *options) {
    fake_bus_t *self = calloc(1, sizeof *self);
    assert(self);
    if (options)
        self->options = *options;
    fake_bus_start(self);
    return self;
}

void fake_bus_destroy(fake_bus_t **self_p) {
    fake_bus_t *self = *self_p;
    fake_bus_stop(self);
    fob_buf_free(&self->header);
    fob_buf_free(&self->known);
    free(self);
    *self_p = NULL;
}

const char *fake_bus_endpoint(const fake_bus_t *self) {
    return self->endpoint;
}

unsigned fake_bus_hellos(fake_bus_t *self) {
    return atomic_load(&self->hellos);
}

unsigned fake_bus_session(fake_bus_t *self) {
    return atomic_load(&self->session);
}

unsigned fake_bus_beats(fake_bus_t *self) {
    return atomic_load(&self->beats);
}

unsigned fake_bus_goodbyes(fake_bus_t *self) {
    return atomic_load(&self->goodbyes);
}
