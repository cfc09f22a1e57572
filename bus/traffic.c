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
 * just disconnected), nor whose handshake succeeded, and with several I/O threads a connection's
 * end may be told before its beginning. So it is a balance: `young` is how many were accepted whose
 * handshake is not known to be over (below zero: a success was told before its beginning, or a
 * failure was taken wrongly). A descriptor is `maybe` young since it was accepted until nobody is
 * young. One that goes while it may be young and some are, failed. */
struct fob_traffic {
    void *socket, *monitor;
    int64_t young;
    uint64_t judged; /* counted as failed; with a negative `young` too many by that */
    uint8_t *flags;  /* by descriptor */
    size_t flag_count;
    _Atomic uint64_t open, accepted, failed;
};

enum { OPEN = 1, MAYBE = 2, GONE_EARLY = 4 };

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
    free(self->flags);
    free(self);
    *self_p = NULL;
}

void *fob_traffic_socket(fob_traffic_t *self) {
    return self->monitor;
}

/* The flags of a descriptor; NULL: no memory (a failure may go uncounted then: no more than that).
 */
static uint8_t *flags_of(fob_traffic_t *self, uint32_t fd) {
    if (fd >= self->flag_count) {
        if (fd > 1u << 24)
            return NULL;
        size_t count = 2 * ((size_t)fd + 1);
        uint8_t *flags = realloc(self->flags, count);
        if (!flags)
            return NULL;
        memset(flags + self->flag_count, 0, count - self->flag_count);
        self->flags = flags;
        self->flag_count = count;
    }
    return &self->flags[fd];
}

/* One less is young. */
static void grown_up(fob_traffic_t *self) {
    if (--self->young > 0)
        return;
    for (size_t i = 0; i < self->flag_count; i++)
        self->flags[i] &= (uint8_t)~MAYBE;
}

static void gone(fob_traffic_t *self, uint8_t *flags) {
    bool failed = self->young > 0 && (*flags & MAYBE);
    *flags = 0;
    self->open--;
    if (!failed)
        return;
    self->judged++;
    grown_up(self);
}

static void came(fob_traffic_t *self, uint8_t *flags) {
    bool early = flags && (*flags & GONE_EARLY);
    self->accepted++;
    self->open++;
    self->young++;
    if (!flags)
        return;
    *flags = self->young > 0 ? OPEN | MAYBE : OPEN;
    if (early)
        gone(self, flags);
}

static void closed(fob_traffic_t *self, uint8_t *flags) {
    if (flags && (*flags & OPEN))
        gone(self, flags);
    else if (flags)
        *flags = GONE_EARLY;
}

void fob_traffic_event(fob_traffic_t *self, uint16_t event, uint32_t value) {
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        came(self, flags_of(self, value));
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        grown_up(self);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        closed(self, flags_of(self, value));
        break;
    default: /* a failed handshake: DISCONNECTED follows, and counts it */
        return;
    }
    uint64_t wrong = self->young < 0 ? (uint64_t)-self->young : 0;
    self->failed = self->judged > wrong ? self->judged - wrong : 0;
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
