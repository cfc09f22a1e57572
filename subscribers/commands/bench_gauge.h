/* bench_gauge: the receivers of `fob bench`: a subscriber, a worker. Main thread of a process of
 * its own each. */
#ifndef FOB_BENCH_GAUGE_H
#define FOB_BENCH_GAUGE_H

#include "proto/cli/bench/client.h"

/* Subscribes to the run's topics and counts what comes. A fob_client_fn. */
void fob_bench_gauge(fob_client_t *client);

/* Joins a group of the run, which is temporary: it goes with its last worker. Acks each event. A
 * fob_client_fn; the client's index is over all groups. */
void fob_bench_take(fob_client_t *client);

#endif
