/* How far the bus has decided: asked apart, as its state has names of its own. */
#include "sim_decided.h"

#include "bus/core/state.h"

uint64_t sim_decided(const fob_core_t *core) {
    return fob_core_next_position(core);
}
