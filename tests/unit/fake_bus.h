/* fake_bus: a ROUTER on a free port that says WELCOME and hands all else to the test, on a thread
 * of its own. It can be stopped and started again on the same port, as a bus that is killed and
 * comes back. */
#ifndef FOB_FAKE_BUS_H
#define FOB_FAKE_BUS_H

#include "proto/wire.h"

typedef struct fake_bus fake_bus_t;

/* Runs on the bus's thread for each message but HELLO and BEAT. `peer` names the connection, for
 * fake_bus_send. */
typedef void(fake_bus_fn)(void *arg, fake_bus_t *bus, fob_slice_t peer, const fob_wire_t *msg,
                          fob_slice_t body);

typedef struct {
    fake_bus_fn *handle;
    void *arg;
    uint64_t heartbeat_ms;       /* 0: 1000 */
    uint64_t window;             /* 0: 1024 */
    unsigned xsub_port;          /* as WELCOME tells it; 0: no shard is told */
    uint64_t (*last)(void *arg); /* of the session, for WELCOME; NULL: 0 */
    bool mute;                   /* answers nothing, not even HELLO */
    bool no_beats;               /* falls silent when it has nothing to say */
    bool version;                /* answers HELLO with ERROR VERSION */
} fake_bus_options_t;

fake_bus_t *fake_bus_new(const fake_bus_options_t *options);
void fake_bus_destroy(fake_bus_t **self_p);
const char *fake_bus_endpoint(const fake_bus_t *self);
void fake_bus_stop(fake_bus_t *self);  /* drops all connections; nothing listens */
void fake_bus_start(fake_bus_t *self); /* listens again, knowing nobody */
unsigned fake_bus_hellos(fake_bus_t *self);
/* The first byte of the secret in the last HELLO. */
unsigned fake_bus_session(fake_bus_t *self);
unsigned fake_bus_beats(fake_bus_t *self);
unsigned fake_bus_goodbyes(fake_bus_t *self);
/* Only on the bus's thread, inside `handle`. */
void fake_bus_send(fake_bus_t *self, fob_slice_t peer, const fob_wire_t *msg, fob_slice_t body);
/* Whatever bytes, as one message of so many frames. */
void fake_bus_send_raw(fake_bus_t *self, fob_slice_t peer, const fob_slice_t *frames, size_t count);

/* Waits for a condition, up to 20 s; the test fails where it does not come. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        int64_t wait_until_ = fake_bus_clock() + 20000;                                            \
        while (!(condition)) {                                                                     \
            if (fake_bus_clock() > wait_until_)                                                    \
                fail_msg("waited 20 s for: %s", #condition);                                       \
            fake_bus_pause();                                                                      \
        }                                                                                          \
    } while (0)
int64_t fake_bus_clock(void); /* monotonic ms */
void fake_bus_pause(void);    /* a moment, between two looks */

#endif
