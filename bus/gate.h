/* gate: what may be subscribed to on XPUB, and what may be fired through XSUB. Pure; any thread.
 *
 * Every subscription passes fob_gate_subscription and can be refused there; every fire-and-forget
 * message passes fob_gate_cast. Both look at bytes from strangers. */
#ifndef FOB_GATE_H
#define FOB_GATE_H

#include "proto/wire.h"

typedef enum {
    FOB_GATE_REFUSE, /* no topic begins like this: it would only cost memory */
    FOB_GATE_ACCEPT,
    FOB_GATE_PROBE /* accept, and answer on that topic */
} fob_gate_t;

/* Judges the prefix of a subscription (a topic's beginning, or a whole topic and its zero byte;
 * empty is everything). */
fob_gate_t fob_gate_subscription(fob_slice_t prefix);

/* Judges a fire-and-forget message by its first frame and the size of its second: FOB_OK;
 * FOB_PROTOCOL: not the header of one; FOB_BAD_TOPIC; FOB_TOO_LARGE: more than `max_batch` bytes of
 * events. */
fob_status_t fob_gate_cast(fob_slice_t header, size_t body_size, size_t max_batch) FOB_MUST_USE;

#endif
