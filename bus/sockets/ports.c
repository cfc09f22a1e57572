#include "bus/sockets/ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#define CLIENT_HWM                                                                                 \
    256 /* messages in a client's pipe, each way: 4 to 16 MiB, at 16 to 64 KiB each */
/* Subscriptions in a client's pipe. In manual mode libzmq moves all there is to a queue without a
 * bound, in one call, as long as more comes: so little that its own thread cannot keep up. */
#define SUBSCRIPTIONS_HWM 8
#define BACKLOG           1024  /* connections waiting to be accepted */
#define HANDSHAKE_MS      10000 /* then a stranger who greets too slowly is disconnected */
#define SILENT_BEATS      10    /* a client that beats must have said something in them */
/* A message that is begun must have its end in these, for each MiB of the largest batch (frames are
 * twice that): 280 kbit/s, at a beat a second. */
#define UNFINISHED_BEATS 30
/* Bytes of all such messages; in tiny frames libzmq needs 32 times as much memory for them. */
#define MAIL_UNFINISHED  (16u << 20) /* publishers with large batches on slow lines */
#define FIRES_UNFINISHED (8u << 20)  /* fired events are small */
#define TALK_UNFINISHED  (8u << 20)
#define TALK_MESSAGE     (64u << 10)  /* a subscription has 256 bytes */
#define HEADER_ROOM      (128u << 10) /* a header of 64 KiB, and framing, beside the largest frame */
#define UNREAD_BEATS     60  /* and must have taken something in these, if there is something */
#define STRANGERS        64  /* above max_connections: they are told of the limit by name */
#define OUR_FILES        128 /* descriptors for what is not a connection */
#define TALK_BURST       (1u << 20) /* bytes a subscriber may send at once, and each second: it */
#define TALK_RATE        (1u << 20) /* holds 1,024 subscriptions of 256 bytes at the most */
#define KEEPALIVE_IDLE                                                                             \
    60 /* seconds: a machine that went is noticed on idle broadcast connections */
#define KEEPALIVE_EACH  10 /* then it is asked so often, */
#define KEEPALIVE_TRIES 6  /* so many times */

static bool set_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

/* Options that all three have in common. */
static bool set_common(void *socket, const char *bind, size_t max_message) {
    int64_t max = (int64_t)max_message;
    /* With a ZAP domain (and no handler in this context, so nobody is asked) libzmq refuses peers
     * of before ZMTP 3: else it takes random bytes for a client of ZMTP 1.0, and its messages and
     * subscriptions. */
    return zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "fob", 3) == 0 &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max) == 0 &&
           set_int(socket, ZMQ_SNDHWM, CLIENT_HWM) && set_int(socket, ZMQ_RCVHWM, CLIENT_HWM) &&
           set_int(socket, ZMQ_BACKLOG, BACKLOG) && set_int(socket, ZMQ_LINGER, 0) &&
           set_int(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE, 1) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_EACH) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_TRIES) &&
           set_int(socket, ZMQ_IPV6, strchr(bind, ':') != NULL);
}

/* 0: any free port. Brackets around an IPv6 address. */
static void endpoint_of(char *out, size_t size, const char *bind, int port) {
    const char *open = strchr(bind, ':') ? "[" : "";
    const char *close = strchr(bind, ':') ? "]" : "";
    if (port > 0)
        snprintf(out, size, "tcp://%s%s%s:%d", open, bind, close, port);
    else
        snprintf(out, size, "tcp://%s%s%s:*", open, bind, close);
}

static uint16_t bound_port(void *socket) {
    char endpoint[128] = "";
    size_t size = sizeof endpoint;
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
        return 0;
    const char *colon = strrchr(endpoint, ':');
    return colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
}

static fob_status_t why_not(const char *endpoint, int port, char *text, size_t size) {
    int problem = errno;
    if (problem == EADDRINUSE) {
        snprintf(text, size,
                 "port %d is in use: stop what listens there, or choose another with --port", port);
        return FOB_PORT_IN_USE;
    }
    const char *why = problem == ENODEV || problem == EADDRNOTAVAIL
                          ? "that is neither an address of this machine nor an interface of it"
                          : zmq_strerror(problem);
    snprintf(text, size, "cannot listen on %s: %s", endpoint, why);
    return problem == ENOMEM || problem == EMFILE ? FOB_NO_MEMORY : FOB_INVALID;
}

typedef struct {
    void *zmq;
    const char *bind;
    size_t max_message;
    char *text;
    size_t size;
} listen_t;

/* Opens one socket, watches and binds it. */
static fob_status_t listen_on(const listen_t *how, int type, int port, const char *name,
                              void **socket, fob_traffic_t **traffic, uint16_t *bound) {
    char endpoint[128];
    endpoint_of(endpoint, sizeof endpoint, how->bind, port);
    *socket = zmq_socket(how->zmq, type);
    if (!*socket || !set_common(*socket, how->bind, how->max_message))
        return why_not(endpoint, port, how->text, how->size);
    if (type == ZMQ_ROUTER && !set_int(*socket, ZMQ_ROUTER_MANDATORY, 1))
        return why_not(endpoint, port, how->text, how->size);
    if (type == ZMQ_XPUB &&
        (!set_int(*socket, ZMQ_XPUB_MANUAL, 1) || !set_int(*socket, ZMQ_RCVHWM, SUBSCRIPTIONS_HWM)))
        return why_not(endpoint, port, how->text, how->size);
    *traffic = fob_traffic_new(how->zmq, *socket, name);
    if (!*traffic || zmq_bind(*socket, endpoint) != 0)
        return why_not(endpoint, port, how->text, how->size);
    *bound = bound_port(*socket);
    return FOB_OK;
}

fob_status_t fob_ports_open(fob_ports_t *self, void *zmq, const char *bind, int port,
                            size_t max_message, char *text, size_t size) {
    *self = (fob_ports_t){0};
    listen_t how = {zmq, bind, max_message, text, size};
    int next = port > 0 ? 1 : 0;
    if (port > 65533) {
        snprintf(text, size, "port %d is too high: the bus needs it and the next two", port);
        return FOB_INVALID;
    }
    fob_status_t status = listen_on(&how, ZMQ_ROUTER, port, "router", &self->router,
                                    &self->router_traffic, &self->router_port);
    if (status == FOB_OK)
        status = listen_on(&how, ZMQ_XSUB, port + next, "xsub", &self->xsub, &self->xsub_traffic,
                           &self->xsub_port);
    if (status == FOB_OK)
        status = listen_on(&how, ZMQ_XPUB, port + 2 * next, "xpub", &self->xpub,
                           &self->xpub_traffic, &self->xpub_port);
    if (status != FOB_OK)
        fob_ports_close(self);
    else
        endpoint_of(self->endpoint, sizeof self->endpoint, bind, self->router_port);
    return status;
}

static uint64_t descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur > 2 * OUR_FILES ? limit.rlim_cur - OUR_FILES : OUR_FILES;
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t larger_than_any(const fob_ports_rules_t *how) {
    return (uint64_t)how->max_message + HEADER_ROOM;
}

void fob_ports_rule(fob_ports_t *self, const fob_ports_rules_t *how) {
    fob_traffic_rules_t rules = {.most = (uint64_t)how->max_connections + STRANGERS,
                                 .crowd = &self->crowd,
                                 .log = how->log,
                                 .log_arg = how->log_arg};
    self->crowd.most = descriptors();
    rules.conduct.message = larger_than_any(how);
    rules.conduct.unfinished_ns =
        UNFINISHED_BEATS * (int64_t)(how->max_message >> 21) * how->heartbeat_ns;
    rules.conduct.unread_ns = UNREAD_BEATS * how->heartbeat_ns;
    rules.unfinished = larger(FIRES_UNFINISHED, 2 * rules.conduct.message);
    fob_traffic_rule(self->xsub_traffic, &rules);
    rules.conduct.message = TALK_MESSAGE;
    rules.unfinished = TALK_UNFINISHED;
    rules.conduct.burst = TALK_BURST;
    rules.conduct.rate = TALK_RATE;
    fob_traffic_rule(self->xpub_traffic, &rules);
    rules.conduct.burst = rules.conduct.rate = 0;
    rules.conduct.message = larger_than_any(how);
    rules.unfinished = larger(MAIL_UNFINISHED, 2 * rules.conduct.message);
    rules.conduct.silent_ns = SILENT_BEATS * how->heartbeat_ns;
    fob_traffic_rule(self->router_traffic, &rules);
}

static void close_one(void **socket, fob_traffic_t **traffic) {
    fob_traffic_destroy(traffic);
    if (*socket)
        zmq_close(*socket);
    *socket = NULL;
}

void fob_ports_close(fob_ports_t *self) {
    close_one(&self->router, &self->router_traffic);
    close_one(&self->xsub, &self->xsub_traffic);
    close_one(&self->xpub, &self->xpub_traffic);
}
