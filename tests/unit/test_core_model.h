/* core_model: a whole small world around a core, driven by a seed: publishers, workers,
 * operators, a journal that loses its tail, pages that come late, out of order or never. It checks
 * after every step what must always hold, and at the end that nothing is missing. */
#ifndef FOB_TESTS_CORE_MODEL_H
#define FOB_TESTS_CORE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t seed;
    unsigned steps;
    bool crashes; /* with a lost tail */
    bool damage;  /* records that cannot be read back */
    bool deep;    /* a cache of next to nothing: everything is read back */
    bool checkpoints;
    bool limits;     /* groups are small, and do what they do when they are full */
    bool ids;        /* events have ids, of few */
    bool priorities; /* and priorities */
    bool leases;     /* end after a while */
    bool reclaims;   /* what is needed no more is given back; old events are moved */
    bool operators;  /* settings change; groups are paused, emptied, begun anew; letters redriven */
} model_plan_t;

/* What happened in all runs since it was cleared: a world ought to be about something. */
typedef struct {
    uint64_t busy, duplicates, lost, overdue, crashes, operations, moved, drops;
} model_tally_t;
extern model_tally_t model_tally;

/* Fails the running test where something does not hold, naming the seed. */
void model_run(const model_plan_t *plan);

#endif
