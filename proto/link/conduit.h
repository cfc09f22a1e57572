/* conduit: the thin shell around a link and a client's state machine: one thread of its own, one
 * DEALER, one lock. All of the client's functions below run in a round, with the lock held: mostly
 * on that thread, and where a caller waits (fob_conduit_wait) or sends (fob_conduit_push) on the
 * caller's, as each thread more that is woken costs an event its latency. An application's thread
 * takes the lock (fob_conduit_lock), changes the client's state machine, and asks for a round.
 *
 * A fresh socket is opened for every try, so nothing stale is ever sent on a new connection; a
 * monitor on it tells of a refused or lost connection at once. */
#ifndef FOB_CONDUIT_H
#define FOB_CONDUIT_H

#include "proto/blob.h"
#include "proto/link/link.h"

typedef struct fob_conduit fob_conduit_t;

/* A client, as the conduit sees it. `self` is the client's own pointer. Any may be NULL. */
typedef struct {
    void (*up)(void *self, fob_now_t now, const fob_wire_t *welcome);
    /* Down, or a try failed (then `up` was not called before). The last call of all is down with
     * FOB_CLOSED, when the conduit is destroyed: also where it was not up. */
    void (*down)(void *self, fob_now_t now, fob_status_t why, const char *text);
    /* The bus's BEAT, while it is up. */
    void (*beat)(void *self, fob_now_t now, const fob_wire_t *beat);
    /* A message other than WELCOME, BEAT, GOODBYE. `body` is borrowed (take a ref to keep it),
     * NULL: none. */
    void (*input)(void *self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body);
    /* The next message to send, while the link is up and the socket has room. True: *header
     * (borrowed until the next call) and *body (its reference passes to the conduit; NULL: none)
     * are to be sent. */
    bool (*output)(void *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body);
    /* Time passed, or inputs were handled: once after each round. */
    void (*tick)(void *self, fob_now_t now);
    int64_t (*deadline)(void *self); /* when to run tick and output again; FOB_NEVER */
    /* Another socket of this client is readable (fob_conduit_attach). */
    void (*readable)(void *self, fob_now_t now, void *zmq_socket);
} fob_client_ops_t;

/* Makes a conduit whose thread does not run yet, so that the client can keep the pointer before its
 * functions are called. NULL: no memory or descriptors (errno ENOMEM), or no endpoint that can be
 * parsed (errno EINVAL). */
fob_conduit_t *fob_conduit_new(const fob_link_options_t *options, const fob_client_ops_t *ops,
                               void *self);

/* Starts the thread, with all signals blocked on it. False: it cannot be started; destroy the
 * conduit. */
bool fob_conduit_start(fob_conduit_t *self) FOB_MUST_USE;

void fob_conduit_lock(fob_conduit_t *self);
void fob_conduit_unlock(fob_conduit_t *self);
/* Has a round run, soon and by another thread; cheap when that is awake. With the lock held. */
void fob_conduit_wake(fob_conduit_t *self);
/* The same by mono_ns `due`, give or take two milliseconds where a caller watched just before. */
void fob_conduit_wake_by(fob_conduit_t *self, int64_t due);
/* As fob_conduit_wake for what is to be sent. Where it is `lone` (few of its kind are under way)
 * and nothing was pushed just before, the round is run here and now. With the lock held; not inside
 * a round. */
void fob_conduit_push(fob_conduit_t *self, bool lone);
/* Waits (the lock is given up meanwhile) until fob_conduit_notify or mono_ns `until`; false: time
 * is up. May run rounds. */
bool fob_conduit_wait(fob_conduit_t *self, int64_t until);
/* Wakes all that wait (once the lock is given up), and makes the public descriptor readable. With
 * the lock held. */
void fob_conduit_notify(fob_conduit_t *self);
/* Only wakes all that wait. With the lock held. */
void fob_conduit_signal(fob_conduit_t *self);
/* The level-triggered descriptor for event loops; `quiet` makes it not readable. With the lock
 * held. Whoever asks for it wants it used: until then it costs no system call. */
int fob_conduit_fd(fob_conduit_t *self);
void fob_conduit_quiet(fob_conduit_t *self);

/* In a round only (inside up, down, ...): a further libzmq socket to poll for reading,
 * made with fob_conduit_zmq (the context), detached before it is closed. At most two. */
void *fob_conduit_zmq(fob_conduit_t *self);
void fob_conduit_attach(fob_conduit_t *self, void *zmq_socket);
void fob_conduit_detach(fob_conduit_t *self, void *zmq_socket);
/* The endpoint of a port on the host that the link dialled (or `shard->host`), for XSUB
 * and XPUB. */
void fob_conduit_endpoint(fob_conduit_t *self, const fob_shard_t *shard, uint16_t port, char *out,
                          size_t size);

/* In a round only: ends this connection; `down` follows with status and text, then a
 * new try. */
void fob_conduit_restart(fob_conduit_t *self, fob_now_t now, fob_status_t status, const char *why);
/* With the lock held: another session's secret, from the next connection on. */
void fob_conduit_session(fob_conduit_t *self, const uint8_t session[FOB_SESSION_SIZE]);
/* The same for the epoch of the offsets that the client has (fob_link_epoch). */
void fob_conduit_epoch(fob_conduit_t *self, uint64_t epoch);

/* The endpoints to use: `bus`, or where it is NULL or empty $FOB_BUS, else tcp://127.0.0.1:7670. */
const char *fob_conduit_bus(const char *bus);
/* The endpoint in use or tried last. With the lock held; good until it is given up. */
const char *fob_conduit_dialled(const fob_conduit_t *self);
/* As fob_link_heard. With the lock held. */
int64_t fob_conduit_heard(const fob_conduit_t *self);
/* The clocks. Any thread. */
fob_now_t fob_conduit_now(void);
/* Fills a session's secret from the system. Any thread. */
void fob_conduit_secret(uint8_t session[FOB_SESSION_SIZE]);

/* Sends what `output` still gives, for `linger_ns` at the most, says GOODBYE, ends the thread,
 * frees. Nulls. */
void fob_conduit_destroy(fob_conduit_t **self_p, int64_t linger_ns);

#endif
