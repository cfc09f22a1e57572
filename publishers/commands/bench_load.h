/* bench_load: the publisher of `fob bench`. It publishes numbered, stamped events as fast as its
 * window lets it, or at the times of a schedule.
 *
 * At a rate an event is stamped with the time at which it was due, whenever it is sent: what a bus
 * that stands still makes wait counts as waiting, for every event that was due meanwhile. Main
 * thread of a process of its own. */
#ifndef FOB_BENCH_LOAD_H
#define FOB_BENCH_LOAD_H

#include "proto/cli/bench/client.h"

/* A fob_client_fn. */
void fob_bench_load(fob_client_t *client);

#endif
