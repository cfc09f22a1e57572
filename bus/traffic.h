/* traffic: the connections of one bound socket, as libzmq's monitor tells of them: how many are
 * open, how many strangers came that did not speak ZMTP (random bytes on a port), and which were
 * ended for how they behave (conduct.h).
 *
 * The owner of the socket reads the monitor; any thread may ask for the figures. */
#ifndef FOB_TRAFFIC_H
#define FOB_TRAFFIC_H

#include "bus/conduct.h"
#include "bus/subscriptions.h"
#include "proto/now.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct fob_traffic fob_traffic_t;

/* How many connections several sockets may have together. Begins with `most`; outlives them. */
typedef struct {
    uint64_t most;
    _Atomic uint64_t open;
} fob_crowd_t;

/* What a socket's connections may do. */
typedef struct {
    fob_conduct_limits_t conduct;
    uint64_t most;      /* connections of this socket at the most; 0: any number */
    fob_crowd_t *crowd; /* and of it and others together; NULL: any number */
    /* Told of connections that are ended, a line a second at the most; NULL: nobody is. */
    void (*log)(void *arg, const char *line);
    void *log_arg;
} fob_traffic_rules_t;

/* Watches a socket. `name` is unique in the context. NULL: no memory, or libzmq's errno. */
fob_traffic_t *fob_traffic_new(void *zmq, void *socket, const char *name);
/* From now on these hold. Before anybody connects. */
void fob_traffic_rule(fob_traffic_t *self, const fob_traffic_rules_t *rules);
/* Before the watched socket is closed. Nulls; null-safe. */
void fob_traffic_destroy(fob_traffic_t **self_p);

/* The socket to poll for reading; then fob_traffic_read takes all that waits. The owner's thread.
 */
void *fob_traffic_socket(fob_traffic_t *self);
void fob_traffic_read(fob_traffic_t *self);

/* One event, as ZMQ_EVENT_ and its value: the pure part of fob_traffic_read, for tests too. */
void fob_traffic_event(fob_traffic_t *self, uint16_t event, uint32_t value);

/* What the connection on a descriptor subscribed to, which the owner keeps: nothing when it was
 * accepted, and freed when it ended. Good until the next call. NULL: no descriptor, or no memory.
 * The owner's thread. */
fob_subscriptions_t *fob_traffic_subscriptions(fob_traffic_t *self, int fd);

/* Ends the connection on a descriptor, as ZMQ_SRCFD tells it of a frame; negative: nothing. libzmq
 * has no call for that: the system is asked, and libzmq finds the connection closed. Should it have
 * ended by itself meanwhile and its number be another's, that one has to connect again. The owner's
 * thread. */
void fob_traffic_end(fob_traffic_t *self, int fd, fob_ended_t reason);

/* Whether the connection on this descriptor was ended by fob_traffic_end, and what comes of it is
 * from before. The owner's thread. */
bool fob_traffic_ended(const fob_traffic_t *self, int fd);

/* A message of the connection on this descriptor was handed over whole. The owner's thread, as all
 * that follows. */
void fob_traffic_heard(fob_traffic_t *self, int fd);

/* After a round of reading the socket: `messages` were read, and it was `drained` where nothing was
 * left. Now and then looks at every connection, and ends those that misbehave. */
void fob_traffic_round(fob_traffic_t *self, int64_t mono_ns, size_t messages, bool drained);
/* When the next round is wanted (mono_ns) though nothing comes; FOB_NEVER: nobody is there. */
int64_t fob_traffic_deadline(const fob_traffic_t *self);

typedef struct {
    uint64_t open;                   /* connections now */
    uint64_t accepted;               /* ever */
    uint64_t failed;                 /* of these, ended without having spoken ZMTP */
    uint64_t ended[FOB_ENDED_COUNT]; /* by the bus, for this reason */
} fob_traffic_stats_t;
/* Any thread. */
void fob_traffic_stats(fob_traffic_t *self, fob_traffic_stats_t *out);

#endif
