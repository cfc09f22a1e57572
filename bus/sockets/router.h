/* router: the ROUTER socket and what waits for clients that do not read. A thin shell over libzmq.
 *
 * Nothing here blocks. What the socket does not take for a client (its pipe is full) waits in a
 * bounded queue of that client's own; one whose queue runs over is given up, so nothing is lost
 * without somebody being told. One thread at a time. */
#ifndef FOB_SOCKETS_ROUTER_H
#define FOB_SOCKETS_ROUTER_H

#include "bus/service/letters.h"
#include "bus/service/mail.h"
#include "bus/sockets/traffic.h"

typedef struct fob_router fob_router_t;

/* Takes a bound ROUTER on success; on failure (NULL: no memory) it is still the caller's. */
fob_router_t *fob_router_new(void *socket);
/* Closes the socket, sending what it took for `linger_ms` at the most; drops what still waits.
 * Nulls. */
void fob_router_destroy(fob_router_t **self_p, int linger_ms);

/* Tells of each message whose it was, and has those ended who send what nobody may. It outlives the
 * router's receiving; NULL (as it begins): nobody is told. */
void fob_router_watch(fob_router_t *self, fob_traffic_t *traffic);

void *fob_router_socket(fob_router_t *self);

/* The next message; false: none now. */
bool fob_router_receive(fob_router_t *self, fob_mail_t *out);

/* Sends header and body (whose hold passes, whatever comes of it) to the connection `conn` at
 * `route`. With conn 0 nothing is queued: what the socket does not take is dropped (answers to
 * strangers). */
fob_send_t fob_router_send(fob_router_t *self, uint64_t conn, fob_slice_t route, fob_slice_t header,
                           fob_body_t body);

/* Tries again to send what waits; costs what waits, not what is connected. Calls `gone` for
 * connections that ended meanwhile. */
void fob_router_retry(fob_router_t *self, void (*gone)(void *arg, uint64_t conn), void *arg);
/* Whether anything waits. */
bool fob_router_waits(const fob_router_t *self);
/* Drops what waits for a connection. */
void fob_router_forget(fob_router_t *self, uint64_t conn);

#endif
