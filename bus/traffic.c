#include "bus/traffic.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zmq.h>

#define EVENTS                                                                                     \
    (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |                 \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                  \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

/* libzmq does not tell of every handshake that failed (a peer that greets in another protocol is
 * just disconnected), nor whose handshake succeeded, and with several I/O threads a connection's
 * end may be told before its beginning. So it is a balance: `young` is how many were accepted whose
 * handshake is not known to be over (below zero: a success was told before its beginning, or a
 * failure was taken wrongly). A descriptor may be young since it was accepted until nobody is young
 * (which begins another `age`). One that goes while it may be young and some are, failed. */
typedef struct {
    uint64_t age; /* when it was accepted; 0: not young then */
    bool open, gone_early;
    fob_subscriptions_t subscriptions;
} line_t;

struct fob_traffic {
    void *socket, *monitor;
    int64_t young;
    uint64_t age;    /* from 1 */
    uint64_t judged; /* counted as failed; with a negative `young` too many by that */
    line_t *lines;   /* by descriptor */
    size_t line_count;
    _Atomic uint64_t open, accepted, failed;
};

fob_traffic_t *fob_traffic_new(void *zmq, void *socket, const char *name) {
    fob_traffic_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://traffic-%s", name);
    self->age = 1;
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
    for (size_t i = 0; i < self->line_count; i++)
        fob_subscriptions_clear(&self->lines[i].subscriptions);
    free(self->lines);
    free(self);
    *self_p = NULL;
}

void *fob_traffic_socket(fob_traffic_t *self) {
    return self->monitor;
}

/* What is known of a descriptor; NULL: no memory (a failure may go uncounted then: no more than
 * that). */
static line_t *line_of(fob_traffic_t *self, uint32_t fd) {
    if (fd >= self->line_count) {
        if (fd > 1u << 24)
            return NULL;
        size_t count = 2 * ((size_t)fd + 1);
        line_t *lines = realloc(self->lines, count * sizeof *lines);
        if (!lines)
            return NULL;
        memset(lines + self->line_count, 0, (count - self->line_count) * sizeof *lines);
        self->lines = lines;
        self->line_count = count;
    }
    return &self->lines[fd];
}

/* One less is young. */
static void grown_up(fob_traffic_t *self) {
    if (--self->young <= 0)
        self->age++;
}

static void gone(fob_traffic_t *self, line_t *line) {
    bool failed = self->young > 0 && line->age == self->age;
    fob_subscriptions_clear(&line->subscriptions);
    *line = (line_t){0};
    self->open--;
    if (!failed)
        return;
    self->judged++;
    grown_up(self);
}

static void came(fob_traffic_t *self, line_t *line) {
    self->accepted++;
    self->open++;
    self->young++;
    if (!line)
        return;
    bool early = line->gone_early;
    fob_subscriptions_clear(&line->subscriptions); /* what was read late of who had it before */
    *line = (line_t){.open = true, .age = self->young > 0 ? self->age : 0};
    if (early)
        gone(self, line);
}

static void closed(fob_traffic_t *self, line_t *line) {
    if (line && line->open)
        gone(self, line);
    else if (line)
        line->gone_early = true;
}

fob_subscriptions_t *fob_traffic_subscriptions(fob_traffic_t *self, int fd) {
    line_t *line = fd >= 0 ? line_of(self, (uint32_t)fd) : NULL;
    return line ? &line->subscriptions : NULL;
}

void fob_traffic_end(int fd) {
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR); /* an error: it is gone already */
}

void fob_traffic_event(fob_traffic_t *self, uint16_t event, uint32_t value) {
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        came(self, line_of(self, value));
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        grown_up(self);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        closed(self, line_of(self, value));
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
