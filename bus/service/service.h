/* service: what the bus does for those who speak to it, without a socket: each message is judged,
 * becomes a command for the core, and what follows from it becomes letters once it is durable.
 * Beats, silence and forgetting are here too. Pure: no socket, clock or thread; the broker gives it
 * its sockets, the simulator a network of its own.
 *
 * A round: fob_service_round, news of the journal if there are any, the messages that came,
 * fob_service_turn, fob_service_perform. One thread at a time. */
#ifndef FOB_SERVICE_H
#define FOB_SERVICE_H

#include "bus/fetch/fetches.h"
#include "bus/ledger/ledger.h"
#include "bus/service/letters.h"
#include "bus/service/mail.h"
#include "bus/service/peers.h"

#define FOB_SERVICE_MESSAGES 1024 /* of one round at the most */

typedef struct fob_service fob_service_t;

/* The doors to the world. */
typedef struct {
    /* Sends one message, as fob_router_send says. */
    fob_send_t (*send)(void *arg, uint64_t conn, fob_slice_t route, fob_slice_t header,
                       fob_body_t body);
    /* A connection is over: drops what waits for it. */
    void (*drop)(void *arg, uint64_t conn);
    /* A client did not read and is given up. */
    void (*unread)(void *arg);
    /* Whether anybody listens to the broadcast; while nobody does, what is stored is not told.
     * NULL: somebody always may. */
    bool (*audience)(void *arg);
    /* Broadcasts two frames; the body's hold passes. False: dropped. */
    bool (*cast)(void *arg, fob_slice_t header, fob_body_t body);
    /* Makes the REPLY to a question that is not the core's (status FOB_AGAIN), or its refusal with
     * a sentence. FOB_OK, FOB_NO_MEMORY. */
    fob_status_t (*answer)(void *arg, fob_now_t now, const fob_wire_t *msg, fob_status_t status,
                           const char *text, fob_buf_t *header, fob_body_t *body);
    /* The bus cannot go on: DISK_FAILED, NO_MEMORY. Told once. */
    void (*failed)(void *arg, fob_status_t status, const char *text);
    /* When more came of a message that is not whole, as fob_peers_config_t says. NULL: nobody
     * knows. */
    int64_t (*more)(void *arg, uint64_t line);
} fob_service_ops_t;

typedef struct {
    fob_ledger_t *ledger;     /* outlives the service */
    const fob_house_t *house; /* likewise */
    uint32_t max_connections;
    uint64_t max_disk;  /* bytes: what a group's max_bytes may be a share of */
    uint64_t source;    /* random: of this run's stored broadcasts */
    int64_t fetch_rate; /* bytes a second read and sent for FETCH; 0: FOB_FETCH_RATE */
    const fob_service_ops_t *ops;
    void *arg;
} fob_service_options_t;

typedef struct {
    uint64_t dropped_casts;  /* events that were not broadcast */
    uint64_t dropped_unread; /* connections given up, as they did not read */
} fob_service_counts_t;

fob_service_t *fob_service_new(const fob_service_options_t *options); /* NULL: no memory */
void fob_service_destroy(fob_service_t **self_p);

/* Begins a round. */
void fob_service_round(fob_service_t *self, fob_now_t now);
/* The journal has news. */
void fob_service_news(fob_service_t *self);
/* One message; the body's hold stays the caller's. */
void fob_service_message(fob_service_t *self, const fob_mail_t *mail);
/* Ends the turn: beats, what follows, a step of the upkeep. `drained`: all that had come was told.
 */
void fob_service_turn(fob_service_t *self, bool drained);
/* Lets out what is durable. */
void fob_service_perform(fob_service_t *self);

/* The same in parts, for the end: decides and appends what is left, without the upkeep. */
void fob_service_decide(fob_service_t *self, fob_now_t now);
/* Tells everybody that the bus goes. */
void fob_service_goodbye(fob_service_t *self, const char *text, uint64_t retry_after_ms);

/* A connection cannot be reached any more: the socket says so, or it is given up. */
void fob_service_forget(fob_service_t *self, uint64_t conn);

/* When the next round is wanted (mono_ns). */
int64_t fob_service_deadline(const fob_service_t *self);
/* It cannot go on: nothing is served any more. */
bool fob_service_failed(const fob_service_t *self);
fob_peers_t *fob_service_peers(fob_service_t *self);
const fob_service_counts_t *fob_service_counts(const fob_service_t *self);
const fob_fetches_t *fob_service_fetches(const fob_service_t *self);

#endif
