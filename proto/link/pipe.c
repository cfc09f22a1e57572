/* pipe: see pipe.h. */
#include "proto/link/pipe.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PIPE_HWM 64 /* messages: few, so that a slow bus is felt here and not in libzmq's queue */
#define PIPE_EVENTS                                                                                \
    (ZMQ_EVENT_CONNECT_DELAYED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED |                          \
     ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |   \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

static void set(void *socket, int option, int value) {
    /* Cannot fail: the options are known and the values in range. */
    (void)zmq_setsockopt(socket, option, &value, sizeof value);
}

/* Every pipe of the process has a monitor of its own name. */
static void *monitor_open(void *context, void *dealer) {
    static atomic_ulong counter;
    char name[64];
    snprintf(name, sizeof name, "inproc://fob-pipe-%lu", atomic_fetch_add(&counter, 1));
    if (zmq_socket_monitor(dealer, name, PIPE_EVENTS) != 0)
        return NULL;
    void *monitor = zmq_socket(context, ZMQ_PAIR);
    if (!monitor)
        return NULL;
    set(monitor, ZMQ_LINGER, 0);
    if (zmq_connect(monitor, name) != 0) {
        zmq_close(monitor);
        return NULL;
    }
    return monitor;
}

static void dealer_configure(void *dealer, const char *endpoint) {
    int64_t frame_max = FOB_PIPE_FRAME_MAX;
    (void)zmq_setsockopt(dealer, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max);
    set(dealer, ZMQ_LINGER, 0);
    set(dealer, ZMQ_RECONNECT_IVL, -1);
    set(dealer, ZMQ_IMMEDIATE,
        1); /* room only once connected: HELLO waits in the pipe, not in libzmq */
    set(dealer, ZMQ_SNDHWM, PIPE_HWM);
    set(dealer, ZMQ_RCVHWM, PIPE_HWM);
    /* Only where it is asked for: else "localhost" may become ::1, where the bus does
     * not listen. */
    set(dealer, ZMQ_IPV6, strchr(endpoint, '[') != NULL);
}

const char *fob_pipe_open(fob_pipe_t *self, void *context, const char *endpoint) {
    *self = (fob_pipe_t){.dealer = zmq_socket(context, ZMQ_DEALER), .fd = -1};
    if (!self->dealer)
        return "no socket can be made: too many descriptors are open";
    dealer_configure(self->dealer, endpoint);
    self->monitor = monitor_open(context, self->dealer);
    if (self->monitor && zmq_connect(self->dealer, endpoint) == 0)
        return NULL;
    const char *why = zmq_strerror(errno);
    fob_pipe_close(self, 0);
    return why;
}

static void pending_drop(fob_pipe_t *self) {
    if (!self->pending)
        return;
    zmq_msg_close(&self->head);
    if (self->has_body)
        zmq_msg_close(&self->body);
    self->pending = self->has_body = false;
}

void fob_pipe_close(fob_pipe_t *self, int linger_ms) {
    pending_drop(self);
    if (!self->dealer)
        return;
    set(self->dealer, ZMQ_LINGER, linger_ms);
    zmq_socket_monitor(self->dealer, NULL, 0);
    if (self->monitor)
        zmq_close(self->monitor);
    zmq_close(self->dealer);
    self->dealer = self->monitor = NULL;
    self->fd = -1;
}

static int frame_send(void *socket, zmq_msg_t *msg, int flags) {
    int rc;
    do
        rc = zmq_msg_send(msg, socket, flags | ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc;
}

fob_pipe_sent_t fob_pipe_flush(fob_pipe_t *self) {
    if (!self->pending)
        return FOB_PIPE_SENT;
    if (frame_send(self->dealer, &self->head, self->has_body ? ZMQ_SNDMORE : 0) < 0) {
        if (errno == EAGAIN)
            return FOB_PIPE_FULL;
        pending_drop(self);
        return FOB_PIPE_BROKEN;
    }
    self->pending = false; /* libzmq has emptied the head */
    if (!self->has_body)
        return FOB_PIPE_SENT;
    /* The first frame found room, so the second has it too: else the connection went
     * between them. */
    self->has_body = false;
    int rc = frame_send(self->dealer, &self->body, 0);
    if (rc < 0)
        zmq_msg_close(&self->body);
    return rc < 0 ? FOB_PIPE_BROKEN : FOB_PIPE_SENT;
}

fob_pipe_sent_t fob_pipe_send(fob_pipe_t *self, fob_slice_t header, fob_blob_t *body) {
    if (body && !fob_frame_make(&self->body, body))
        return FOB_PIPE_BROKEN;
    if (!fob_frame_copy(&self->head, header)) {
        if (body)
            zmq_msg_close(&self->body);
        return FOB_PIPE_BROKEN;
    }
    self->pending = true;
    self->has_body = body != NULL;
    return fob_pipe_flush(self);
}

/* One event: a frame with a 16-bit number and a 32-bit value, then one with the address.
 * 0: none. */
static unsigned event_next(void *monitor, uint32_t *value) {
    zmq_msg_t msg;
    zmq_msg_init(&msg);
    unsigned event = 0;
    if (fob_frame_receive(&msg, monitor) && zmq_msg_size(&msg) >= 6) {
        uint16_t number;
        const uint8_t *data = zmq_msg_data(&msg);
        memcpy(&number, data, sizeof number);
        memcpy(value, data + sizeof number, sizeof *value);
        event = number;
        while (zmq_msg_more(&msg) && fob_frame_receive(&msg, monitor))
            ;
    }
    zmq_msg_close(&msg);
    return event;
}

const char *fob_pipe_trouble(fob_pipe_t *self) {
    uint32_t value;
    for (unsigned event; (event = event_next(self->monitor, &value)) != 0;) {
        switch (event) {
        case ZMQ_EVENT_CONNECT_DELAYED:
            self->stage = FOB_PIPE_DIALLED;
            break;
        case ZMQ_EVENT_CONNECTED:
            self->stage = FOB_PIPE_CONNECTED;
            self->fd = (int)value;
            break;
        case ZMQ_EVENT_CLOSED:
        case ZMQ_EVENT_CONNECT_RETRIED:
            return "no connection: nothing listens there, or it cannot be reached";
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            return "what listens there does not speak ZeroMQ";
        default:
            return "the connection was lost";
        }
    }
    return NULL;
}

/* libzmq's thread may have closed the descriptor, and it may be another's by now: then the monitor
 * says so at the next look, and what was learned here goes with the pipe. */
bool fob_pipe_received(const fob_pipe_t *self, uint64_t *bytes) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (!self->dealer || self->fd < 0 ||
        getsockopt(self->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return false;
    *bytes = info.tcpi_bytes_received;
    return true;
}

const char *fob_pipe_late(const fob_pipe_t *self) {
    switch (self->stage) {
    case FOB_PIPE_BEGUN:
        return "no connection in time: is the name of the host known here?";
    case FOB_PIPE_DIALLED:
        return "no connection in time: the host does not answer";
    case FOB_PIPE_CONNECTED:
        break;
    }
    return "connected, but no answer in time: is it a bus?";
}
