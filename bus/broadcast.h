/* broadcast: the actor between XSUB, XPUB and the broker: fire-and-forget events of publishers and
 * committed events of the broker go out to live subscribers. A slow subscriber loses and blocks
 * nobody.
 *
 * A czmq actor. Signals when it runs; ends on "$TERM"; takes no other commands. Stored events come
 * over an inproc PAIR as [cast frame][events], through fob_broadcast_token (see handover.h). */
#ifndef FOB_BROADCAST_H
#define FOB_BROADCAST_H

#include "bus/guard/gate.h"
#include "bus/report/pace.h"
#include "bus/sockets/traffic.h"

#include <czmq.h>
#include <fob/fob_status.h>
#include <stdatomic.h>

/* All of it belongs to whoever makes it, and stays until the actor ended. The actor closes the
 * sockets. */
typedef struct {
    void *xsub, *xpub; /* bound */
    void *stored;      /* PAIR, from the broker */
    fob_traffic_t *xsub_traffic, *xpub_traffic;
    fob_gate_limits_t limits;   /* of a fire-and-forget message */
    _Atomic uint64_t malformed; /* messages and subscriptions refused */
    _Atomic uint64_t passed;    /* messages sent on */
    _Atomic uint64_t waiting;   /* bytes of stored events on their way from the broker */
    /* Whether somebody may be subscribed: true before a subscription holds, until no connection to
     * XPUB is left. While it is false the broker need not broadcast what it stored. */
    atomic_bool audience;
    /* News for the operator, and why it had to stop by itself; each may be NULL. On its thread. */
    void (*log)(void *arg, const char *line);
    void *log_arg;
    void (*failed)(void *arg, fob_status_t status, const char *text);
    void *failed_arg;
    bool mixed;    /* libzmq does not know whose the subscriptions are that wait to be read */
    uint64_t seed; /* of the hashes of subscriptions; the actor draws it */
    unsigned long planted; /* for FOB_PLANT_RACE only */
    char token;            /* its address tells TSan of what crosses `stored` */
} fob_broadcast_t;

/* A race between the two actors on purpose: a test builds the bus with it, to see that
 * ThreadSanitizer still sees what the actors do. Nothing in any other build. */
#ifdef FOB_PLANTED_RACE
#define FOB_PLANT_RACE(broadcast) ((broadcast)->planted++)
#else
#define FOB_PLANT_RACE(broadcast) ((void)0)
#endif

/* For zactor_new; `args` is a fob_broadcast_t. */
void fob_broadcast_actor(zsock_t *pipe, void *args);

#endif
