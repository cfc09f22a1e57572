/* bench_seen: what a receiver of `fob bench` makes of an event: whether it is one of this run,
 * whether it came before, in which order, how long it took. One thread. */
#ifndef FOB_BENCH_SEEN_H
#define FOB_BENCH_SEEN_H

#include "proto/cli/bench/client.h"
#include <fob/fob_event.h>

typedef struct {
    fob_client_t *client;
    uint32_t receiver; /* as the board counts them */
    fob_order_t order;
} fob_seen_t;

/* False: no memory. */
bool fob_seen_begin(fob_seen_t *self, fob_client_t *client, uint32_t receiver);
void fob_seen_end(fob_seen_t *self);

/* Counts an event that came at this time. */
void fob_seen_note(fob_seen_t *self, const fob_event_t *event, int64_t now_ns);

#endif
