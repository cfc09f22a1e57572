/* lost: tells a worker that leases of its are taken away. One thread. */
#ifndef FOB_CORE_LOST_H
#define FOB_CORE_LOST_H

#include "bus/core/state.h"

/* Adds to the open turn what tells `conn` that the leases from index `first` on of a list are
 * lost, in as many LOST as that takes, with `text` (bytes of the turn, or empty), once `after` is
 * durable. False: no memory; then some may have been added. */
bool fob_lost_tell(fob_core_t *self, const fob_group_t *group, uint64_t conn, uint32_t first,
                   fob_slice_t text, uint64_t after);

#endif
