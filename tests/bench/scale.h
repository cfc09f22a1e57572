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
    uint32_t rounds;
    uint64_t largest; /* of a dimension of growth: no larger number is tried */
} scale_options_t;

/* --- scale_flow.c: publishers that wait for their receipts, groups with workers --- */

/* Who takes part in a flow. Each is a process of its own; the window is shared by the publishers.
 * The publishers' topics are `scale.now`, or of several `scale.now.N` in turn. */
typedef struct {
    uint32_t publishers, topics, groups;
    uint32_t workers; /* of each group */
    bool of_past;     /* no publishers: the one group is `FLOW_DEEP`, of what lies there */
} flow_plan_t;
#define FLOW_DEEP "deep"

typedef struct flow flow_t;
/* Publishes so many events of `topics` topics in turn (`scale.past.N`; 0: one, `scale.past`): no
 * group has them, but FLOW_DEEP where it was made. False: not all are stored. */
bool flow_history(const rig_t *rig, const scale_options_t *options, uint64_t count,
                  uint32_t topics);
/* Makes the group FLOW_DEEP, of `scale.past`, which has no worker. False: it could not. */
bool flow_deep_group(const rig_t *rig);
/* Starts them, and lets them run until it ends; returns when the first events were acked. */
flow_t *flow_new(const rig_t *rig, const scale_options_t *options, const flow_plan_t *plan);
/* How many were confirmed, and acked by all groups together, so far. */
void flow_look(const flow_t *self, uint64_t *stored, uint64_t *acked);
/* The publishers end; all that is stored is acked, but in a flow of the past, which ends where it
 * is. False: an event was lost, or came twice. */
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

/* --- scale_growth.c --- */

/* What the bus does with ever more groups, subscribers, publishers, topics, and depth: a table of
 * each, or of that one dimension. False: what it counted is wrong, or something grew worse than it
 * may. Ends the program where there is no such dimension. */
bool scale_growth(const scale_options_t *options, const char *dimension);

/* The machine is left alone for so long: a bench measures time. */
void scale_rest(double seconds);

#endif
