/* listener: a subscriber's SUB socket: opened for one connection, told live by the bus's answer to
 * a probe, watched by a monitor, thrown away when the connection goes. On the conduit's thread
 * only. */
#ifndef FOB_LISTENER_H
#define FOB_LISTENER_H

#include "proto/link/conduit.h"

#include <zmq.h>

#define FOB_LISTENER_HWM   256            /* messages in libzmq's queue; a batch may be 256 KiB */
#define FOB_LISTENER_PAUSE (200 * FOB_MS) /* before a new socket, when one was lost */

typedef struct {
    void *sub, *monitor; /* NULL: closed */
    bool live;
    bool rests;      /* it stays closed for now */
    bool reached;    /* there was a connection */
    int64_t due;     /* not live: when to ask again, or to open again; else FOB_NEVER */
    unsigned asked;  /* probes without an answer */
    unsigned failed; /* sockets in vain since it was live, or the bus was reached again */
    char probe[64];  /* the topic under way; "" none */
    char endpoint[300];
    uint8_t prefix[FOB_NAME_MAX + 1];
    size_t prefix_size;
    char trouble[400];
} fob_listener_t;

/* Opens the socket to the endpoint that is set, subscribes and sends a probe. Where that fails,
 * `trouble` says why and `due` when to try again. */
void fob_listener_open(fob_listener_t *self, fob_conduit_t *conduit, fob_now_t now);
/* Closes it until it is to go on, or opens it again. (Did it only unsubscribe, all that waits for
 * it in pipes, up to 16 MiB and what the kernel holds, would still have to be sent.) */
void fob_listener_rest(fob_listener_t *self, fob_conduit_t *conduit, fob_now_t now, bool rest);
/* Closes it; what was not read is lost. A closed one stays so. */
void fob_listener_close(fob_listener_t *self, fob_conduit_t *conduit);
/* The monitor is readable. True: the connection is gone, or there is none; `trouble` says so. */
bool fob_listener_gone(fob_listener_t *self);
/* At `due`: asks again, at last with a new socket. */
void fob_listener_tick(fob_listener_t *self, fob_conduit_t *conduit, fob_now_t now);
/* A probe's answer came. True: it is ours, and so this is live now. */
bool fob_listener_answered(fob_listener_t *self, fob_slice_t topic);
/* What keeps it from being live, in a part of a sentence: "cannot be reached: ...". */
const char *fob_listener_obstacle(const fob_listener_t *self);
/* The next message, if there is one: its frame 1 as *cast (whose slices are good until the next
 * call that is given `head`) and frame 2 as *body (the caller's; NULL for none). AGAIN: none;
 * PROTOCOL: one was stepped over; NO_MEMORY: likewise, for want of memory, and *cast says what it
 * was. */
fob_status_t fob_listener_read(fob_listener_t *self, zmq_msg_t *head, fob_cast_t *cast,
                               fob_blob_t **body);

#endif
