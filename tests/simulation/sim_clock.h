/* The two clocks of a node: one that drifts, one that is set now and then. */
#ifndef FOB_TESTS_SIMULATION_CLOCK_H
#define FOB_TESTS_SIMULATION_CLOCK_H

#include "proto/now.h"

/* The world's own time is in ns from 0; nobody inside it sees that. */
typedef struct {
    int64_t mono_base; /* what the monotonic clock says at 0 */
    int64_t drift_ppm; /* by how much it runs faster; above -1,000,000 */
    int64_t wall_ms;   /* what the wall clock says at 0: moved by jumps */
} sim_clock_t;

static inline fob_now_t sim_clock_now(const sim_clock_t *self, int64_t at_ns) {
    return (fob_now_t){self->mono_base + at_ns + at_ns / 1000000 * self->drift_ppm,
                       self->wall_ms + at_ns / FOB_MS};
}

/* When the monotonic clock will have reached `mono_ns`, and no earlier. */
static inline int64_t sim_clock_when(const sim_clock_t *self, int64_t mono_ns) {
    if (mono_ns == FOB_NEVER)
        return FOB_NEVER;
    if (mono_ns <= self->mono_base)
        return 0;
    int64_t at = (mono_ns - self->mono_base) / (1000000 + self->drift_ppm) * 1000000;
    while (sim_clock_now(self, at).mono_ns < mono_ns)
        at += 1 + (mono_ns - sim_clock_now(self, at).mono_ns) / 2;
    return at;
}

#endif
