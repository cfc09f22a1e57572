/* why: the state of a group, and the sentence that says why it does not move, or what it does. One
 * thread. */
#ifndef FOB_CORE_WHY_H
#define FOB_CORE_WHY_H

#include "bus/core/state.h"

/* Fills in `state` and `why` from the other figures, which are there. */
void fob_why(const fob_core_t *self, fob_group_t *group, fob_group_stats_t *out);

#endif
