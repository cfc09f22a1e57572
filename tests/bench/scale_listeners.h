/* listeners: many who are subscribed to the flow's topic, in a process of their own. */
#ifndef FOB_BENCH_SCALE_LISTENERS_H
#define FOB_BENCH_SCALE_LISTENERS_H

#include "tests/bench/rig.h"

typedef struct listeners listeners_t;

/* Returns when each is live. Ends the program where that fails. */
listeners_t *listeners_new(const rig_t *rig, uint32_t count, const char *topic);
/* Stored events that came to all of them together, so far. */
uint64_t listeners_heard(const listeners_t *self);
/* Null-safe. */
void listeners_destroy(listeners_t **self_p);

#endif
