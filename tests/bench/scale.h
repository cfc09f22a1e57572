/* scale: many who listen, and what publishers and workers notice of them. The parts of fob_scale.
 */
#ifndef FOB_BENCH_SCALE_H
#define FOB_BENCH_SCALE_H

#include "tests/bench/rig.h"

typedef struct {
    bench_options_t bus; /* its `events`: of history, before anything is measured */
    uint32_t pairs;
    double seconds; /* that a run is measured */
    uint32_t tails, laggards;
    uint32_t pace; /* events that a laggard reads in a second; 0: as fast as it can */
    double most;   /* per cent that the rates may differ by; 0: they are not judged */
} scale_options_t;

/* --- scale_flow.c: a publisher that waits for its receipts, a group with two workers --- */

typedef struct flow flow_t;
/* Publishes so many events that no group has, of `topics` topics in turn (`scale.past.N`; 0: one,
 * `scale.past`). False: not all are stored. */
bool flow_history(const rig_t *rig, const scale_options_t *options, uint64_t count,
                  uint32_t topics);
/* Starts them, and lets them run until it ends; returns when the first events were acked. */
flow_t *flow_new(const rig_t *rig, const scale_options_t *options);
/* How many were confirmed, and acked, so far. */
void flow_look(const flow_t *self, uint64_t *stored, uint64_t *acked);
/* The publisher ends; all that is stored is acked. False: an event was lost, or came twice. */
bool flow_destroy(flow_t **self_p);

/* --- scale_load.c: those who listen --- */

typedef struct load load_t;
/* Starts all of them and stops (SIGSTOP) the tails, once each is subscribed; returns when each
 * laggard has read something. */
load_t *load_new(const rig_t *rig, const scale_options_t *options);
/* Events that the laggards have read so far, and processor seconds that they used for it. */
void load_look(const load_t *self, uint64_t *read, double *cpu);
/* Lets all end. False: a laggard lacked an event, or got one twice. */
bool load_destroy(load_t **self_p);

/* --- scale_memory.c --- */

/* What the bus holds with 100,000 topics, with 5,000 patterns, with 2,000 subscribers. False: more
 * than its budget. */
bool scale_memory(const scale_options_t *options);

#endif
