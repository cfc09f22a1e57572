/* ports: the three listening sockets of a bus, with every option that they need before they are
 * bound. */
#ifndef FOB_SOCKETS_PORTS_H
#define FOB_SOCKETS_PORTS_H

#include "bus/sockets/traffic.h"

#include <fob/fob_status.h>
#include <stddef.h>

typedef struct {
    void *router, *xsub, *xpub; /* NULL: closed, or handed to an actor */
    fob_traffic_t *router_traffic, *xsub_traffic, *xpub_traffic;
    uint16_t router_port, xsub_port, xpub_port;
    char endpoint[96]; /* of the ROUTER, for clients on this machine */
    fob_crowd_t crowd; /* of all three: descriptors are what they share */
} fob_ports_t;

/* Opens and binds. `bind` is an address; `port` the ROUTER's, the others on the next two, or -1:
 * free ones. `max_message` is the size of one frame at the most. FOB_OK; PORT_IN_USE, INVALID,
 * NO_MEMORY, with a sentence in `text` and nothing left open. */
fob_status_t fob_ports_open(fob_ports_t *self, void *zmq, const char *bind, int port,
                            size_t max_message, char *text, size_t size) FOB_MUST_USE;

typedef struct {
    uint32_t max_connections;
    size_t max_message; /* as at fob_ports_open */
    int64_t heartbeat_ns;
    void (*log)(void *arg, const char *line); /* may be NULL */
    void *log_arg;
} fob_ports_rules_t;

/* What the connections may do from now on. Before the sockets are handed over, whose owners enforce
 * it; this object stays as long as they. */
void fob_ports_rule(fob_ports_t *self, const fob_ports_rules_t *how);

/* Closes what was not handed over. */
void fob_ports_close(fob_ports_t *self);

#endif
