/* traffic: the connections of one bound socket, as libzmq's monitor tells of them: how many are
 * open, how many strangers came that did not speak ZMTP (random bytes on a port), and which were
 * ended for how they behave (conduct.h).
 *
 * Any thread, unless it says otherwise: one lock is around all of it. The socket's own thread may
 * be held up inside libzmq by the very connection that is to be ended, so another one looks too. */
#ifndef FOB_SOCKETS_TRAFFIC_H
#define FOB_SOCKETS_TRAFFIC_H

#include "bus/guard/conduct.h"
#include "bus/guard/subscriptions.h"
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
    uint64_t most;       /* connections of this socket at the most; 0: any number */
    uint64_t unfinished; /* bytes of all messages that were begun and not ended; 0: any number */
    fob_crowd_t *crowd;  /* and of it and others together; NULL: any number */
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

/* A descriptor that is readable when there is news for fob_traffic_read, which takes all of it. */
int fob_traffic_fd(const fob_traffic_t *self);
void fob_traffic_read(fob_traffic_t *self);

/* One event, as ZMQ_EVENT_ and its value: the pure part of fob_traffic_read, for tests too. */
void fob_traffic_event(fob_traffic_t *self, uint16_t event, uint32_t value);

/* Of the connection on a descriptor, what it subscribed to: nothing when it was accepted, forgotten
 * when it ended. It subscribes to this prefix, is refused one, or gives one back; statuses and seed
 * as in subscriptions.h. FOB_OK too where there is no descriptor (negative) to count it for. */
fob_status_t fob_traffic_subscribe(fob_traffic_t *self, int fd, fob_slice_t prefix,
                                   uint64_t seed) FOB_MUST_USE;
fob_status_t fob_traffic_refuse(fob_traffic_t *self, int fd) FOB_MUST_USE;
void fob_traffic_unsubscribe(fob_traffic_t *self, int fd, fob_slice_t prefix, uint64_t seed);
/* How many it holds. */
uint32_t fob_traffic_held(fob_traffic_t *self, int fd);

/* Ends the connection on a descriptor, as ZMQ_SRCFD tells it of a frame; negative: nothing. libzmq
 * has no call for that: the system is asked, and libzmq finds the connection closed. Should it have
 * ended by itself meanwhile, nothing is done; should its number be another connection's of this
 * socket, that one has to connect again. */
void fob_traffic_end(fob_traffic_t *self, int fd, fob_ended_t reason);

/* Whether the connection on this descriptor was ended by the bus, and what comes of it is from
 * before. */
bool fob_traffic_ended(fob_traffic_t *self, int fd);

/* A message of the connection on this descriptor was handed over whole. Returns a name of that
 * connection, which no other one gets; 0: there is none. */
uint64_t fob_traffic_heard(fob_traffic_t *self, int fd);
/* When (mono_ns) more was seen to come of a message that the connection of this name has begun and
 * not ended; 0: none was, or it is over. */
int64_t fob_traffic_more(fob_traffic_t *self, uint64_t name);

/* After a round of reading the socket: `messages` were read, and it was `drained` where nothing was
 * left (false: who calls does not know). Now and then looks at every connection, and ends those
 * that misbehave. */
void fob_traffic_round(fob_traffic_t *self, int64_t mono_ns, size_t messages, bool drained);
/* When the next round is wanted (mono_ns) though nothing comes; FOB_NEVER: nobody is there. */
int64_t fob_traffic_deadline(fob_traffic_t *self);

/* Connections now, as far as fob_traffic_read has heard; it costs nothing. */
uint64_t fob_traffic_open(const fob_traffic_t *self);

typedef struct {
    uint64_t open;                   /* connections now */
    uint64_t accepted;               /* ever */
    uint64_t failed;                 /* of these, ended without having spoken ZMTP */
    uint64_t ended[FOB_ENDED_COUNT]; /* by the bus, for this reason */
} fob_traffic_stats_t;
void fob_traffic_stats(fob_traffic_t *self, fob_traffic_stats_t *out);

#endif
