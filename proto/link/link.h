/* link: a client's one connection to the bus, as a pure step function: which endpoint to try, the
 * handshake, beats both ways, when the bus counts as lost, when to try again. No socket, clock or
 * random source of its own (jitter comes from the session's secret and the attempt). The simulator
 * runs this very one. */
#ifndef FOB_LINK_H
#define FOB_LINK_H

#include "proto/now.h"
#include "proto/wire.h"

typedef enum {
    FOB_LINK_IDLE,     /* nothing open; tries at `deadline` */
    FOB_LINK_GREETING, /* open, HELLO sent, WELCOME awaited */
    FOB_LINK_UP,
    FOB_LINK_CLOSED /* for good */
} fob_link_state_t;

typedef struct {
    fob_slice_t endpoints; /* "tcp://a:1,tcp://b:2" */
    const char *role;      /* "publisher" "worker" "subscriber" "admin" */
    const char *client;    /* "libfob/0.1.0" */
    uint8_t session[FOB_SESSION_SIZE];
    bool holds;             /* it holds leases: it has to know until when the bus heard it */
    int64_t greet_ns;       /* how long a try may take; 0: 1 s */
    int64_t retry_first_ns; /* back-off between tries; 0: 20 ms, doubling to 1 s, full jitter */
    int64_t retry_max_ns;
} fob_link_options_t;

typedef struct fob_link fob_link_t;

/* What the shell must do, in order, as told by fob_link_poll. */
typedef enum {
    FOB_LINK_NONE,
    FOB_LINK_OPEN,     /* open a fresh socket to `endpoint` (dropping any before) */
    FOB_LINK_SEND,     /* send `header` */
    FOB_LINK_CLOSE,    /* drop the socket */
    FOB_LINK_TELL_UP,  /* tell the client: up, with `welcome` */
    FOB_LINK_TELL_DOWN /* tell the client: down, or a try failed, with `status` and `text` */
} fob_link_act_kind_t;

typedef struct {
    fob_link_act_kind_t kind;
    const char *endpoint;
    fob_slice_t header;
    const fob_wire_t *welcome; /* good until the next call */
    fob_status_t status;       /* UNREACHABLE, VERSION, PROTOCOL, DENIED, STOPPING, ... */
    const char *text;
} fob_link_act_t;

fob_link_t *fob_link_new(const fob_link_options_t *options); /* NULL: no memory or no endpoint */
void fob_link_destroy(fob_link_t **self_p);

/* Inputs. */
void fob_link_message(fob_link_t *self, fob_now_t now,
                      const fob_wire_t *msg); /* every message, first */
void fob_link_broken(fob_link_t *self, fob_now_t now,
                     const char *why); /* the transport says it is gone */
/* The same for another reason than UNREACHABLE (PROTOCOL: what came is not our protocol). */
void fob_link_failed(fob_link_t *self, fob_now_t now, fob_status_t status, const char *why);
/* Why the try that is under way did not come further, should it run out of time: in words, static
 * memory. Until it is told: "no answer in time". */
void fob_link_awaits(fob_link_t *self, const char *late);
/* Another secret from the next HELLO on: a publisher whose session was forgotten starts a
 * new one. */
void fob_link_session(fob_link_t *self, const uint8_t session[FOB_SESSION_SIZE]);
/* The epoch of the offsets that the client has, named from the next HELLO on, so that WELCOME tells
 * up to where they are still good; 0: it has none. */
void fob_link_epoch(fob_link_t *self, uint64_t epoch);
void fob_link_sent(fob_link_t *self, fob_now_t now); /* something was sent: counts as a beat */
/* Whether it is up, and no message came for a beat: then what came of one is worth a look. */
bool fob_link_quiet(const fob_link_t *self, fob_now_t now);
/* What came on this connection, in bytes, the beginning of a message included. While it grows the
 * bus is not silent, for thirty beats and so many again for each MiB: a large message on a slow
 * line takes longer than three. It says nothing of what we sent: nothing is held for longer. */
void fob_link_received(fob_link_t *self, fob_now_t now, uint64_t bytes);
void fob_link_tick(fob_link_t *self, fob_now_t now);
void fob_link_goodbye(fob_link_t *self, fob_now_t now); /* say GOODBYE, then CLOSED */

/* The next thing to do; false: nothing now. */
bool fob_link_poll(fob_link_t *self, fob_now_t now, fob_link_act_t *out);
int64_t fob_link_deadline(const fob_link_t *self);
/* When (mono_ns) the bus was heard last on this connection; INT64_MIN: not up. Where it answers
 * beats (fob_link_echoes): when that was sent of which is known that the bus had it; what the bus
 * says by itself does not tell that our own messages get through. */
int64_t fob_link_heard(const fob_link_t *self);
/* Whether the bus answers our beats: only asked for where leases are held. */
bool fob_link_echoes(const fob_link_t *self);
fob_link_state_t fob_link_state(const fob_link_t *self);
const char *fob_link_endpoint(const fob_link_t *self); /* the one in use or tried last */

#endif
