#ifndef FOB_TESTS_SIMULATION_DECIDED_H
#define FOB_TESTS_SIMULATION_DECIDED_H

#include "bus/core/core.h"

/* The position that what the core decides next will have. */
uint64_t sim_decided(const fob_core_t *core);

#endif
