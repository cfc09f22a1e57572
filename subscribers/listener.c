#include "subscribers/listener.h"

#include "proto/link/frame.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#define ASK_FIRST (250 * FOB_MS) /* doubling */
#define ASK_TIMES 4              /* then a new socket */

/* Why it is not live. */
#define UNREACHED "cannot be reached: is a firewall in the way of that port?"
#define MUTE      "answers no subscription: is something else in its place?"

#define COPY_MOST 512 /* bytes that are cheaper to copy than to wrap */
/* Bytes; a longer frame ends the connection. */
#define FRAME_MOST ((int64_t)64 << 20)
#define WATCHED                                                                                    \
    (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED | \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                  \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

static void set(void *socket, int option, int value) {
    /* Cannot fail: the options are known and the values in range. */
    (void)zmq_setsockopt(socket, option, &value, sizeof value);
}

static void configure(void *sub, const char *endpoint) {
    int64_t most = FRAME_MOST;
    (void)zmq_setsockopt(sub, ZMQ_MAXMSGSIZE, &most, sizeof most);
    set(sub, ZMQ_LINGER, 0);
    set(sub, ZMQ_RCVHWM, FOB_LISTENER_HWM);
    set(sub, ZMQ_RECONNECT_IVL, -1); /* a new connection is a pause, which must not pass unseen */
    set(sub, ZMQ_HEARTBEAT_IVL, 1000);
    set(sub, ZMQ_HEARTBEAT_TIMEOUT, 3000);
    set(sub, ZMQ_IPV6, strchr(endpoint, '[') != NULL);
}

/* Watches the SUB from its first moment on. False: no descriptors. */
static bool watch(fob_listener_t *self, void *context) {
    static atomic_ulong counter;
    char name[64];
    snprintf(name, sizeof name, "inproc://fob-listener-%lu", atomic_fetch_add(&counter, 1));
    if (zmq_socket_monitor(self->sub, name, WATCHED) != 0)
        return false;
    self->monitor = zmq_socket(context, ZMQ_PAIR);
    if (!self->monitor)
        return false;
    set(self->monitor, ZMQ_LINGER, 0);
    return zmq_connect(self->monitor, name) == 0;
}

/* A subscription to a topic that nobody else has. */
static void ask(fob_listener_t *self, fob_now_t now) {
    uint8_t random[FOB_SESSION_SIZE];
    fob_conduit_secret(random);
    if (self->probe[0])
        (void)zmq_setsockopt(self->sub, ZMQ_UNSUBSCRIBE, self->probe, strlen(self->probe) + 1);
    int at = snprintf(self->probe, sizeof self->probe, "$sys.probe.");
    for (size_t i = 0; i < sizeof random; i++)
        at += snprintf(self->probe + at, sizeof self->probe - (size_t)at, "%02x", random[i]);
    (void)zmq_setsockopt(self->sub, ZMQ_SUBSCRIBE, self->probe, (size_t)at + 1);
    self->due = now.mono_ns + (ASK_FIRST << self->asked++);
}

void fob_listener_open(fob_listener_t *self, fob_conduit_t *conduit, fob_now_t now) {
    fob_listener_close(self, conduit);
    if (self->rests)
        return;
    void *context = fob_conduit_zmq(conduit);
    self->sub = zmq_socket(context, ZMQ_SUB);
    if (self->sub) {
        configure(self->sub, self->endpoint);
        if (watch(self, context) && zmq_connect(self->sub, self->endpoint) == 0) {
            fob_conduit_attach(conduit, self->sub);
            fob_conduit_attach(conduit, self->monitor);
            (void)zmq_setsockopt(self->sub, ZMQ_SUBSCRIBE, self->prefix, self->prefix_size);
            ask(self, now);
            return;
        }
    }
    snprintf(self->trouble, sizeof self->trouble, "cannot be subscribed to (%s)",
             zmq_strerror(errno));
    fob_listener_close(self, conduit);
    self->failed++;
    self->due = now.mono_ns + FOB_SEC;
}

void fob_listener_rest(fob_listener_t *self, fob_conduit_t *conduit, fob_now_t now, bool rest) {
    if (self->rests == rest)
        return;
    self->rests = rest;
    if (rest)
        fob_listener_close(self, conduit);
    else
        fob_listener_open(self, conduit, now);
}

void fob_listener_close(fob_listener_t *self, fob_conduit_t *conduit) {
    void *sockets[] = {self->sub, self->monitor};
    if (self->sub)
        (void)zmq_socket_monitor(self->sub, NULL, 0);
    for (size_t i = 0; i < 2; i++) {
        if (!sockets[i])
            continue;
        fob_conduit_detach(conduit, sockets[i]);
        zmq_close(sockets[i]);
    }
    self->sub = self->monitor = NULL;
    self->live = self->reached = false;
    self->asked = 0;
    self->probe[0] = 0;
    self->due = FOB_NEVER;
}

/* Why the socket is of no use, or was not; the next one has another go. */
static void fail(fob_listener_t *self, const char *why) {
    snprintf(self->trouble, sizeof self->trouble, "%s", why);
    self->failed++;
}

/* What a frame of the monitor tells; 0: it is an event's second one. */
static unsigned event_of(zmq_msg_t *msg) {
    uint16_t event;
    if (!zmq_msg_more(msg) || zmq_msg_size(msg) < sizeof event)
        return 0;
    memcpy(&event, zmq_msg_data(msg), sizeof event);
    return event;
}

bool fob_listener_gone(fob_listener_t *self) {
    bool gone = false;
    zmq_msg_t msg;
    zmq_msg_init(&msg);
    /* Any other event that is watched means the end; all are read so that none is left. */
    while (fob_frame_receive(&msg, self->monitor)) {
        unsigned event = event_of(&msg);
        self->reached |= event == ZMQ_EVENT_CONNECTED;
        gone |= event && event != ZMQ_EVENT_CONNECTED;
    }
    zmq_msg_close(&msg);
    if (gone)
        fail(self, self->reached ? "ends each connection" : UNREACHED);
    return gone;
}

const char *fob_listener_obstacle(const fob_listener_t *self) {
    if (self->trouble[0])
        return self->trouble;
    return self->reached ? MUTE : UNREACHED;
}

void fob_listener_tick(fob_listener_t *self, fob_conduit_t *conduit, fob_now_t now) {
    if (now.mono_ns < self->due)
        return;
    if (self->sub && self->asked < ASK_TIMES) {
        ask(self, now);
        return;
    }
    if (self->sub)
        fail(self, self->reached ? MUTE : UNREACHED);
    fob_listener_open(self, conduit, now);
}

bool fob_listener_answered(fob_listener_t *self, fob_slice_t topic) {
    if (!self->probe[0] || !fob_slice_eq(topic, fob_slice_str(self->probe)))
        return false;
    (void)zmq_setsockopt(self->sub, ZMQ_UNSUBSCRIBE, self->probe, strlen(self->probe) + 1);
    self->probe[0] = 0;
    self->asked = self->failed = 0;
    self->live = true;
    self->due = FOB_NEVER;
    self->trouble[0] = 0;
    return true;
}

static fob_blob_t *body_of(zmq_msg_t *msg) {
    if (zmq_msg_size(msg) > COPY_MOST)
        return fob_frame_take(msg);
    return fob_blob_copy(fob_slice(zmq_msg_data(msg), zmq_msg_size(msg)));
}

fob_status_t fob_listener_read(fob_listener_t *self, zmq_msg_t *head, fob_cast_t *cast,
                               fob_blob_t **body) {
    *body = NULL;
    if (!fob_frame_receive(head, self->sub))
        return FOB_AGAIN;
    fob_status_t status = fob_cast_read(fob_slice(zmq_msg_data(head), zmq_msg_size(head)), cast);
    unsigned frames = 1;
    zmq_msg_t next;
    zmq_msg_init(&next);
    for (bool more = zmq_msg_more(head); more; more = zmq_msg_more(&next)) {
        if (!fob_frame_receive(&next, self->sub))
            break;
        if (++frames == 2 && !zmq_msg_more(&next) && status == FOB_OK) {
            *body = body_of(&next);
            status = *body ? FOB_OK : FOB_NO_MEMORY;
            break;
        }
    }
    zmq_msg_close(&next);
    bool probe = cast->kind == FOB_CAST_PROBE;
    if (status == FOB_OK && (probe ? frames == 1 : frames == 2 && *body))
        return FOB_OK;
    fob_blob_unref(body);
    return status == FOB_NO_MEMORY && !probe ? status : FOB_PROTOCOL;
}
