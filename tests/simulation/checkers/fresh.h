/* The events of each group that were never out, by priority, in the order of their offsets. */
#ifndef FOB_TESTS_SIMULATION_FRESH_H
#define FOB_TESTS_SIMULATION_FRESH_H

#include "checker.h"

#define SIM_PRIORITIES 10

typedef struct {
    uint64_t *offsets;
    size_t first, count, room;
} sim_line_t;

typedef struct {
    sim_line_t lines[SIM_PRIORITIES];
    uint8_t *gone; /* by offset: it was out, or is no more */
    size_t room;
    uint64_t debt;    /* shed or removed, and not found yet */
    int64_t quiet_ns; /* when it was made, or an operator moved its events */
} sim_fresh_group_t;

typedef struct {
    sim_fresh_group_t *groups; /* by index */
    size_t room;
    int64_t quiet_ns; /* when the bus started, or could work again */
} sim_fresh_t;

/* Keeps the account. A DELIVERED takes its events out. */
void sim_fresh_fact(sim_fresh_t *self, const sim_checker_t *checker, const sim_fact_t *fact);
/* The first of a priority that was never out; 0: none. */
uint64_t sim_fresh_first(sim_fresh_t *self, const sim_checker_t *checker, const sim_group_t *group,
                         unsigned priority);
/* Whether some that are counted as gone are still in the lines, nobody knows which. */
bool sim_fresh_owes(sim_fresh_t *self, const sim_checker_t *checker, const sim_group_t *group);
/* From when on nothing but workers moves the group's events, and the bus has nothing in its way. */
int64_t sim_fresh_quiet_ns(sim_fresh_t *self, const sim_checker_t *checker,
                           const sim_group_t *group);
void sim_fresh_free(sim_fresh_t *self);

#endif
