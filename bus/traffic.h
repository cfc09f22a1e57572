/* traffic: the connections of one bound socket, as libzmq's monitor tells of them: how many are
 * open, and how many strangers came that did not speak ZMTP (random bytes on a port).
 *
 * The owner of the socket reads the monitor; any thread may ask for the figures. */
#ifndef FOB_TRAFFIC_H
#define FOB_TRAFFIC_H

#include "bus/subscriptions.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fob_traffic fob_traffic_t;

/* Watches a socket. `name` is unique in the context. NULL: no memory, or libzmq's errno. */
fob_traffic_t *fob_traffic_new(void *zmq, void *socket, const char *name);
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
 * ended by itself meanwhile and its number be another's, that one has to connect again. */
void fob_traffic_end(int fd);

typedef struct {
    uint64_t open;     /* connections now */
    uint64_t accepted; /* ever */
    uint64_t failed;   /* of these, ended without having spoken ZMTP */
} fob_traffic_stats_t;
/* Any thread. */
void fob_traffic_stats(fob_traffic_t *self, fob_traffic_stats_t *out);

#endif
