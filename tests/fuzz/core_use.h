/* core_use: what is done with a core that was recovered from an input: whatever it is, it must
 * keep what core.h says. */
#ifndef FOB_TESTS_FUZZ_CORE_USE_H
#define FOB_TESTS_FUZZ_CORE_USE_H

#include "bus/core/core.h"

extern const fob_core_config_t core_use_config;

/* Starts it and works with it: joins a worker to each group, answers its needs, settles what is
 * delivered. `events`: an EVENTS record as it was replayed, for pages. With count 0 all pages are
 * absent, some events are published, and a second core, loaded from a checkpoint of this one,
 * replays what this one decides and must come to the same hash. */
void core_use(fob_core_t *core, uint64_t position, fob_slice_t events, uint64_t first_offset,
              uint32_t count);
/* What is to be seen from outside adds up. */
void core_use_look(fob_core_t *core, fob_now_t now);

#endif
