#include "tests/support/lossy.h"
#include "tests/support/case.h"

#include "proto/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <zmq.h>

#define LOOK_MS 20 /* whether to end */

struct lossy {
    void *context, *from, *to; /* XSUB at the bus, XPUB for its subscribers */
    pthread_t thread;
    unsigned passed; /* stored ones */
    atomic_bool stop;
    atomic_uint_fast64_t offset;
    atomic_uint nth, lost;
};

static bool is_lost(lossy_t *self, zmq_msg_t *head) {
    fob_cast_t cast;
    fob_slice_t frame = fob_slice(zmq_msg_data(head), zmq_msg_size(head));
    if (fob_cast_read(frame, &cast) != FOB_OK || cast.kind != FOB_CAST_STORED)
        return false;
    uint64_t offset = atomic_load(&self->offset);
    unsigned nth = atomic_load(&self->nth);
    bool chosen = offset >= cast.offset && offset - cast.offset < cast.count;
    return chosen || (nth && ++self->passed % nth == 0);
}

/* What the bus says, a message at a time. False: nothing more. */
static bool pass_down(lossy_t *self) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    bool any = zmq_msg_recv(&frame, self->from, ZMQ_DONTWAIT) >= 0;
    bool lost = any && is_lost(self, &frame);
    for (bool more = any; more;) {
        more = zmq_msg_more(&frame);
        if (!lost)
            zmq_msg_send(&frame, self->to, more ? ZMQ_SNDMORE : 0);
        if (more && zmq_msg_recv(&frame, self->from, 0) < 0)
            break;
    }
    zmq_msg_close(&frame);
    if (lost)
        atomic_fetch_add(&self->lost, 1);
    return any;
}

/* Subscriptions. */
static bool pass_up(lossy_t *self) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    bool any = zmq_msg_recv(&frame, self->to, ZMQ_DONTWAIT) >= 0;
    if (any)
        zmq_msg_send(&frame, self->from, 0);
    zmq_msg_close(&frame);
    return any;
}

static void *run(void *arg) {
    lossy_t *self = arg;
    while (!atomic_load(&self->stop)) {
        zmq_pollitem_t items[] = {{.socket = self->from, .events = ZMQ_POLLIN},
                                  {.socket = self->to, .events = ZMQ_POLLIN}};
        zmq_poll(items, 2, LOOK_MS);
        while (pass_up(self))
            ;
        while (pass_down(self))
            ;
    }
    return NULL;
}

static void *open_socket(lossy_t *self, int type) {
    int zero = 0;
    void *socket = zmq_socket(self->context, type);
    assert_non_null(socket);
    /* No loss but what is asked for. */
    zmq_setsockopt(socket, ZMQ_RCVHWM, &zero, sizeof zero);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &zero, sizeof zero);
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    return socket;
}

lossy_t *lossy_new(int port) {
    char endpoint[64];
    lossy_t *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->context = zmq_ctx_new();
    self->from = open_socket(self, ZMQ_XSUB);
    self->to = open_socket(self, ZMQ_XPUB);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    assert_int_equal(zmq_connect(self->from, endpoint), 0);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.2:%d", port);
    assert_int_equal(zmq_bind(self->to, endpoint), 0);
    assert_int_equal(pthread_create(&self->thread, NULL, run, self), 0);
    return self;
}

void lossy_lose(lossy_t *self, uint64_t offset) {
    atomic_store(&self->offset, offset);
}

void lossy_lose_each(lossy_t *self, unsigned nth) {
    atomic_store(&self->nth, nth);
}

unsigned lossy_lost(lossy_t *self) {
    return atomic_load(&self->lost);
}

void lossy_destroy(lossy_t **self_p) {
    lossy_t *self = *self_p;
    if (!self)
        return;
    atomic_store(&self->stop, true);
    pthread_join(self->thread, NULL);
    zmq_close(self->from);
    zmq_close(self->to);
    zmq_ctx_term(self->context);
    free(self);
    *self_p = NULL;
}
