/* The witness reads every commit that became durable and tells the checkers what is in it. */
#ifndef FOB_TESTS_SIMULATION_WITNESS_H
#define FOB_TESTS_SIMULATION_WITNESS_H

#include "checkers/checker.h"
#include "sim_history.h"
#include "sim_reached.h"
#include "sim_trace.h"

#define SIM_CHECKERS 40

/* Leases that the bus took away from workers that it could reach, as far as it knew. */
typedef struct {
    const sim_group_t *group;
    uint64_t from, to;
    uint64_t token; /* of `from`, and so on; UINT64_MAX: not known */
    int64_t at_ns;
} sim_taken_t;
#define SIM_TAKEN_KEPT 4096

typedef struct {
    sim_ground_t ground;
    sim_checker_t checkers[SIM_CHECKERS];
    size_t checker_count;
    int64_t now_ns;
    void (*fail)(void *arg, const char *promise, const char *text);
    /* Whether a handler runs under that lease since long, and its worker is sure of it. */
    bool (*runs)(void *arg, const sim_group_t *group, uint64_t offset, uint64_t token);
    void *arg;
    uint64_t events, records;
    sim_taken_t taken[SIM_TAKEN_KEPT]; /* the newest */
    uint64_t taken_count;
    sim_trace_t trace;
    sim_reached_t reached;
    uint64_t watched; /* an offset; 0: none. What befalls it is printed */
} sim_witness_t;

void sim_witness_init(sim_witness_t *self, uint64_t seed);
void sim_witness_free(sim_witness_t *self);
void sim_witness_commit(sim_witness_t *self, const sim_commit_t *commit);
/* What is in it was harmed on the disk. */
void sim_witness_hit(sim_witness_t *self, const sim_commit_t *commit);
/* Whether the bus took that lease away a moment ago: its worker may not know yet. */
bool sim_witness_taken(const sim_witness_t *self, const sim_group_t *group, uint64_t offset,
                       uint64_t token);
/* Tells all checkers. */
void sim_witness_tell(sim_witness_t *self, sim_fact_t *fact);
/* The group with this name that is there now; NULL: none. */
const sim_group_t *sim_witness_group(const sim_witness_t *self, fob_slice_t name);

#endif
