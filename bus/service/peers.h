/* peers: everyone who speaks to the ROUTER, as a pure step function: the handshake, who may say
 * what, who is still alive, who broke the rules too often. No socket and no clock.
 *
 * A connection is known to libzmq by its routing id and to the core by a number, `conn`. The number
 * is new for each HELLO, so that nothing meant for a connection that ended can reach the one that
 * came after it; and it is above those before, but that it begins anew after 2^32 of them.
 *
 * A connection that broke, or was given up, stays as one that cannot be reached: nothing is sent to
 * it, nothing it says counts as heard, and three beats after it was heard last it is over, as its
 * client cannot know of that earlier. Those do not count towards max_connections. */
#ifndef FOB_SERVICE_PEERS_H
#define FOB_SERVICE_PEERS_H

#include "proto/now.h"
#include "proto/wire.h"

#define FOB_PEERS_BEATS     3  /* missed beats after which a client counts as lost */
#define FOB_PEERS_MALFORMED 10 /* malformed messages after which a connection is forgotten */
#define FOB_ROUTE_SIZE      5 /* bytes of a routing id that libzmq gave: a zero byte and a number */

typedef struct fob_peers fob_peers_t;

/* The number of a routing id that libzmq gave; 0: it gave none such. */
static inline uint32_t fob_route_number(fob_slice_t route) {
    uint32_t number = 0;
    if (route.size == FOB_ROUTE_SIZE)
        memcpy(&number, route.data + 1, sizeof number);
    return number;
}

typedef enum {
    FOB_ROLE_OTHER,
    FOB_ROLE_PUBLISHER,
    FOB_ROLE_WORKER,
    FOB_ROLE_SUBSCRIBER,
    FOB_ROLE_ADMIN,
    FOB_ROLE_COUNT
} fob_role_t;

typedef struct {
    uint32_t shard; /* the one that this bus owns */
    uint32_t max_connections;
    int64_t heartbeat_ns;
    /* When (mono_ns) more came of a message that a line began and has not ended: that is a sign of
     * life, as a large one takes long on a slow line. NULL: nobody knows. */
    int64_t (*more)(void *arg, uint64_t line);
    void *arg;
} fob_peers_config_t;

/* One message, as read from the socket. */
typedef struct {
    fob_slice_t route;
    const fob_wire_t *msg; /* where `read` failed only verb and shard are looked at */
    fob_status_t read;     /* what fob_wire_read said */
    bool framed;           /* it had as many frames as its verb wants */
    uint64_t line;         /* that it came over, as `more` knows it; 0: not known */
} fob_peers_input_t;

typedef enum {
    FOB_PEERS_NOTHING, /* done (a beat, a goodbye, or an error that `answer` tells) */
    FOB_PEERS_WELCOME, /* a new connection `conn`: greet it */
    FOB_PEERS_ECHO,    /* answer its beat at once */
    FOB_PEERS_COMMAND  /* carry it out for `conn` */
} fob_peers_act_t;

typedef struct {
    fob_peers_act_t act;
    uint64_t conn;    /* the connection it came on; 0: none */
    uint64_t ended;   /* a connection that ended by this message; 0: none */
    bool goodbye;     /* ... and it said so: what it held goes back uncounted */
    bool other;       /* ... as its client said HELLO with another session, or with none */
    uint64_t faulty;  /* a connection that broke the rules too often: give it up; 0: none */
    bool answer;      /* send `error` to the route */
    fob_wire_t error; /* its text points to `text`: good as long as the verdict */
    char text[192];
} fob_peers_verdict_t;

/* NULL: no memory. */
fob_peers_t *fob_peers_new(const fob_peers_config_t *config);
void fob_peers_destroy(fob_peers_t **self_p);

/* Judges one message. */
void fob_peers_input(fob_peers_t *self, fob_now_t now, const fob_peers_input_t *input,
                     fob_peers_verdict_t *out);

/* Counts a message of `conn` that was well formed by itself but not in its place, and fills the
 * answer; when it was one too many, `out->faulty` says so. `of` is the verb. */
void fob_peers_fault(fob_peers_t *self, uint64_t conn, fob_verb_t of, const char *text,
                     fob_peers_verdict_t *out);

/* Begins a round of the loop: notices when the loop itself stood still, and then gives everybody
 * another beat before anybody is declared dead. */
void fob_peers_round(fob_peers_t *self, fob_now_t now);
/* The next connection that was not heard for three beats, nor more of a message of its, now
 * forgotten; 0: none. Only to be asked when the socket was read until it was empty. */
uint64_t fob_peers_expired(fob_peers_t *self, fob_now_t now);
/* The next connection that wants a beat, as nothing was sent to it for long; 0: none. The caller
 * says fob_peers_sent. */
uint64_t fob_peers_quiet(fob_peers_t *self, fob_now_t now);
/* When to ask these two again (mono_ns); FOB_NEVER: nobody is there. */
int64_t fob_peers_deadline(const fob_peers_t *self);

/* Something was sent to it. */
void fob_peers_sent(fob_peers_t *self, fob_now_t now, uint64_t conn);
/* A connection cannot be reached any more. When (mono_ns) it will be over; 0: it is not known, or
 * that is known of it. */
int64_t fob_peers_unreach(fob_peers_t *self, uint64_t conn);
/* Forgets a connection. False: not known. */
bool fob_peers_forget(fob_peers_t *self, uint64_t conn);
/* Goes through the connections of the same session as `conn` that cannot be reached: start with
 * *at = 0; 0: no more. */
uint64_t fob_peers_former(const fob_peers_t *self, uint64_t conn, size_t *at);

/* The routing id; empty: no such connection, or it cannot be reached. */
fob_slice_t fob_peers_route(const fob_peers_t *self, uint64_t conn);
/* The epoch that its HELLO named; 0: none. */
uint64_t fob_peers_epoch(const fob_peers_t *self, uint64_t conn);
/* The session's secret, FOB_SESSION_SIZE bytes; NULL: none was given, or no such connection. */
const uint8_t *fob_peers_session(const fob_peers_t *self, uint64_t conn);
/* Goes through all connections that can be reached: start with *at = 0; 0: no more. */
uint64_t fob_peers_next(const fob_peers_t *self, size_t *at);

typedef struct {
    uint32_t connections; /* that can be reached */
    uint32_t roles[FOB_ROLE_COUNT];
    uint32_t unreachable;
    uint64_t malformed; /* messages, ever */
    uint64_t lost;      /* connections that missed their beats, ever */
} fob_peers_stats_t;
void fob_peers_stats(const fob_peers_t *self, fob_peers_stats_t *out);

#endif
