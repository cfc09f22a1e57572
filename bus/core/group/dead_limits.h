/* dead_limits: how many dead letters a group keeps, and how long. The oldest go first, by records
 * that say why: so a replay removes the same ones, whatever the clock says then. */
#ifndef FOB_CORE_DEAD_LIMITS_H
#define FOB_CORE_DEAD_LIMITS_H

#include "bus/core/state.h"

/* A letter came, or a limit was set: the limits are looked at when that is due, at the latest in
 * this take. Cannot fail. */
void fob_dead_limits_due(fob_core_t *self, fob_group_t *group);
/* Removes what is too much or too old, a bounded number at once. Gives when to look again
 * (mono_ns, above now), FOB_NEVER: not before something happens. */
int64_t fob_dead_limits(fob_core_t *self, fob_group_t *group);

#endif
