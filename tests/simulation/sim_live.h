/* What a subscriber in mode LIVE has heard, lacks, and is told that it lacks: by the journal, not
 * by what the bus or the subscriber says. */
#ifndef FOB_TESTS_SIMULATION_LIVE_H
#define FOB_TESTS_SIMULATION_LIVE_H

#include "checkers/checker.h"

#define SIM_SOURCES 4096 /* runs of the bus times topics that are remembered */

/* Of one source and topic. */
typedef struct {
    uint64_t source, first, last;
    uint64_t heard, told; /* events it took, and that it was told it lacks, since the first */
    unsigned topic;
} sim_thread_t;

typedef struct {
    sim_thread_t threads[SIM_SOURCES];
    size_t count;
} sim_live_t;

/* How many of the topic were stored between the two. */
uint64_t sim_live_stored(const sim_ground_t *ground, unsigned topic, uint64_t after,
                         uint64_t before);
/* A message came, of whose events `taken` had room: it was told that it lacks `told` more. Returns
 * how many it lacks by the journal. */
uint64_t sim_live_heard(sim_live_t *self, const sim_ground_t *ground, const fob_cast_t *frame,
                        unsigned topic, uint64_t taken, uint64_t told);
/* The thread of a topic that was heard last; NULL: none, or not all are remembered. */
const sim_thread_t *sim_live_newest(const sim_live_t *self, unsigned topic);

#endif
