/* reclaim: what little is still needed of the oldest part of the journal is copied to the head, so
 * that the rest of it can be given back.
 *
 * Only what came back, what is dead, and what is out is copied: what waits for a first hand-out
 * keeps its place, as it is usually all there is. One thread, as the core. */
#ifndef FOB_CORE_RECLAIM_H
#define FOB_CORE_RECLAIM_H

#include "bus/core/state.h"

/* FOB_CMD_RECLAIM: goes on as far as pages and room allow. FOB_OK; FOB_NO_MEMORY: to be tried
 * again. */
fob_status_t fob_reclaim(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
/* The lowest place of a moved event that a group needs, and its offset; UINT64_MAX: none. */
uint64_t fob_core_lowest_moved(fob_core_t *self, uint64_t *origin);
/* Whether something of the oldest part of the journal waits for its first hand-out to the group:
 * then nothing of that part is moved. */
bool fob_reclaim_stays(const fob_core_t *self, const fob_group_t *group);
/* Whether a group has that event come back, or dead, or has not come to it yet. */
bool fob_core_needs(const fob_core_t *self, uint64_t origin);

/* Before a group may need old events again: what nobody needs now is not known as moved any more.
 * Else it would depend on when the floor was asked for whether it still is. */
void fob_core_sweep_moved(fob_core_t *self);

#endif
