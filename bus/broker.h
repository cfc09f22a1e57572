/* broker: the actor that owns the ROUTER, the core and its journal.
 *
 * A czmq actor: signals when it serves; ends on "$TERM" (stops taking messages, commits, takes a
 * checkpoint, says GOODBYE); takes no other commands. Its loop: read what came, let the core
 * decide, append, and let out what is durable. It never blocks on a client, the disk or the
 * broadcast. */
#ifndef FOB_BROKER_H
#define FOB_BROKER_H

#include "bus/broadcast.h"
#include "bus/ledger/ledger.h"
#include "bus/service/letters.h"

typedef struct fob_broker fob_broker_t;

typedef struct {
    void *router;               /* bound */
    void *casts;                /* PAIR to the broadcast */
    fob_traffic_t *traffic;     /* of the ROUTER */
    fob_broadcast_t *broadcast; /* outlives the broker */
    fob_ledger_t *ledger;
    fob_house_t house;
    uint32_t max_connections;
    uint64_t max_disk; /* bytes: what a group's max_bytes may be a share of */
    uint64_t source;   /* random: of this run's stored broadcasts */
    fob_log_fn *log;   /* may be NULL */
    void *log_arg;
    /* Told once, when it has to stop by itself: DISK_FAILED, NO_MEMORY. On the actor's thread. */
    void (*failed)(void *arg, fob_status_t status, const char *text);
    void *failed_arg;
} fob_broker_options_t;

/* Takes sockets, traffic and ledger on success; on failure (NULL: no memory) they are still the
 * caller's. */
fob_broker_t *fob_broker_new(const fob_broker_options_t *options);
/* After the actor ended. Nulls; null-safe. */
void fob_broker_destroy(fob_broker_t **self_p);

/* For zactor_new; `args` is a fob_broker_t. */
void fob_broker_actor(zsock_t *pipe, void *args);

#endif
