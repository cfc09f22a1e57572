#include "bus/traffic.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define EVENTS                                                                                     \
    (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |                 \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                  \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

/* libzmq does not tell of every handshake that failed (a peer that greets in another protocol is
 * just disconnected), nor whose handshake succeeded. So it is a balance: `young` connections were
 * accepted and their handshake is not known to be over; a descriptor is `maybe` young since it was
 * accepted until nobody is young. One that goes while it may be young and some are, failed. Taken
 * wrongly (its handshake was over, another's was not), the balance shows it when the other
 * succeeds, and is put right. */
struct fob_traffic {
    void *socket, *monitor;
    int64_t young;
    uint8_t *maybe; /* bits, by descriptor */
    size_t maybe_bytes;
    _Atomic uint64_t open, accepted, failed;
};

fob_traffic_t *fob_traffic_new(void *zmq, void *socket, const char *name) {
    fob_traffic_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://traffic-%s", name);
    self->socket = socket;
    if (!socket)
        return self; /* for tests of the pure part */
    int none = 0;
    self->monitor = zmq_socket(zmq, ZMQ_PAIR);
    if (!self->monitor || zmq_socket_monitor(socket, endpoint, EVENTS) != 0 ||
        zmq_setsockopt(self->monitor, ZMQ_LINGER, &none, sizeof none) != 0 ||
        zmq_setsockopt(self->monitor, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
        zmq_connect(self->monitor, endpoint) != 0)
        fob_traffic_destroy(&self);
    return self;
}

void fob_traffic_destroy(fob_traffic_t **self_p) {
    fob_traffic_t *self = *self_p;
    if (!self)
        return;
    if (self->socket)
        zmq_socket_monitor(self->socket, NULL, 0);
    if (self->monitor)
        zmq_close(self->monitor);
    free(self->maybe);
    free(self);
    *self_p = NULL;
}

void *fob_traffic_socket(fob_traffic_t *self) {
    return self->monitor;
}

static bool may_be_young(const fob_traffic_t *self, uint32_t fd) {
    return fd / 8 < self->maybe_bytes && (self->maybe[fd / 8] >> (fd % 8) & 1);
}

static void set_maybe(fob_traffic_t *self, uint32_t fd, bool value) {
    if (fd / 8 >= self->maybe_bytes) {
        if (!value || fd > 1u << 24)
            return;
        size_t bytes = 2 * (fd / 8 + 1);
        uint8_t *maybe = realloc(self->maybe, bytes);
        if (!maybe)
            return; /* a failure might go uncounted: no more than that */
        memset(maybe + self->maybe_bytes, 0, bytes - self->maybe_bytes);
        self->maybe = maybe;
        self->maybe_bytes = bytes;
    }
    uint8_t bit = (uint8_t)(1u << (fd % 8));
    if (value)
        self->maybe[fd / 8] |= bit;
    else
        self->maybe[fd / 8] &= (uint8_t)~bit;
}

static void grown_up(fob_traffic_t *self) {
    if (--self->young > 0)
        return;
    if (self->young < 0) { /* one was counted as failed that was not */
        self->young = 0;
        if (self->failed > 0)
            self->failed--;
    }
    if (self->maybe)
        memset(self->maybe, 0, self->maybe_bytes);
}

static void gone(fob_traffic_t *self, uint32_t fd) {
    if (self->open > 0)
        self->open--;
    bool failed = self->young > 0 && may_be_young(self, fd);
    set_maybe(self, fd, false);
    if (!failed)
        return;
    self->failed++;
    grown_up(self);
}

void fob_traffic_event(fob_traffic_t *self, uint16_t event, uint32_t value) {
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        self->accepted++;
        self->open++;
        self->young++;
        set_maybe(self, value, true);
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        grown_up(self);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        gone(self, value);
        break;
    default: /* a failed handshake: DISCONNECTED follows, and counts it */
        break;
    }
}

void fob_traffic_read(fob_traffic_t *self) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, self->monitor, ZMQ_DONTWAIT) >= 0) {
        uint16_t event = 0;
        uint32_t value = 0;
        if (zmq_msg_size(&frame) == sizeof event + sizeof value) {
            memcpy(&event, zmq_msg_data(&frame), sizeof event);
            memcpy(&value, (uint8_t *)zmq_msg_data(&frame) + sizeof event, sizeof value);
            fob_traffic_event(self, event, value);
        }
        while (zmq_msg_more(&frame) && zmq_msg_recv(&frame, self->monitor, ZMQ_DONTWAIT) >= 0)
            ; /* the endpoint's name */
    }
    zmq_msg_close(&frame);
}

void fob_traffic_stats(fob_traffic_t *self, fob_traffic_stats_t *out) {
    out->open = self->open;
    out->accepted = self->accepted;
    out->failed = self->failed;
}
