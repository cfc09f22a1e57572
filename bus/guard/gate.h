/* gate: what may be subscribed to on XPUB, and what may be fired through XSUB. Pure; any thread.
 *
 * Every subscription passes fob_gate_subscription and can be refused there; every fire-and-forget
 * message passes fob_gate_cast. Both look at bytes from strangers. */
#ifndef FOB_GUARD_GATE_H
#define FOB_GUARD_GATE_H

#include "proto/wire.h"

typedef enum {
    FOB_GATE_REFUSE, /* no topic begins like this: it would only cost memory */
    FOB_GATE_ACCEPT,
    FOB_GATE_PROBE /* accept, and answer on that topic */
} fob_gate_t;

/* Judges the prefix of a subscription (a topic's beginning, or a whole topic and its zero byte;
 * empty is everything). */
fob_gate_t fob_gate_subscription(fob_slice_t prefix);

typedef struct {
    size_t max_batch;   /* bytes of one message's events */
    uint64_t max_event; /* bytes of data of one event */
} fob_gate_limits_t;

/* Judges a fire-and-forget message by its two frames: FOB_OK; FOB_PROTOCOL: not the header of one,
 * or numbers that cannot be; FOB_BAD_TOPIC; FOB_BAD_EVENT: the body is not `count` events of that
 * very topic; FOB_TOO_LARGE. */
fob_status_t fob_gate_cast(fob_slice_t header, fob_slice_t body,
                           const fob_gate_limits_t *limits) FOB_MUST_USE;

#endif
