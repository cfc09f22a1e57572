/* All that happens in a world, in one number: two runs of a seed must come to the same. */
#ifndef FOB_TESTS_SIMULATION_TRACE_H
#define FOB_TESTS_SIMULATION_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

typedef struct {
    uint64_t sum;
} sim_trace_t;

static inline void sim_trace_add(sim_trace_t *self, uint64_t what) {
    self->sum = (self->sum ^ what) * UINT64_C(0x9e3779b97f4a7c15);
    self->sum ^= self->sum >> 29;
}

static inline void sim_trace_bytes(sim_trace_t *self, const void *data, size_t size) {
    sim_trace_add(self, XXH3_64bits(data, size));
}

#endif
