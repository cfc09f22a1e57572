/* fate: what becomes of an event whose lease ended without an ack: it comes back, at once or later,
 * or it is dead. Pure. */
#ifndef FOB_CORE_FATE_H
#define FOB_CORE_FATE_H

#include "bus/core/state.h"

#define FOB_RETRY_AFTER_MAX INT64_C(31536000000) /* ms that a worker may put an event off */
#define FOB_RELEASES_FREE   100                  /* releases of one event that cost no attempt */

/* The run that says so: RETURN or DEAD. `reason` is RETRY, RELEASE, REJECT, LOST, LEASE or LEAVE;
 * `begun`: its handler may have begun (what LOST and LEAVE have to tell; the others always have);
 * `after_ms`: how long a RETRY waits, 0: as the group's back-off says. */
fob_run_record_t fob_fate(const fob_core_t *self, const fob_group_t *group,
                          const fob_grant_t *grant, fob_reason_t reason, bool begun,
                          uint64_t after_ms);
/* How long the event waits after so many attempts (from 1), in ms: anything up to the bound that
 * grows with each (full jitter), and the same in every run. */
int64_t fob_fate_backoff(const fob_policy_t *policy, uint64_t offset, uint32_t attempts);

#endif
