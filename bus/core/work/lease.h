/* lease: how long a worker may hold an event, where there is a bound: the group's or the worker's,
 * the shorter one.
 *
 * A worker handles what it holds in order, `jobs` at once. So a lease is begun, and its time runs,
 * from when it is among the first `jobs` of what the worker holds. When its time is over the event
 * goes to another at the cost of an attempt, the worker is told, and its later settle is refused.
 *
 * The handler of a lease that ran out may go on, or hang: its job stays occupied until the worker
 * tells of its end, by a SETTLE that names the lost lease (and is refused). What is begun is then
 * the first of what it holds that the other jobs can have; where there are none, all it holds goes
 * back at no cost, and it gets nothing more until one is free. So an event behind a stuck handler
 * loses no attempt.
 *
 * Costs nothing for a worker without a bound. Volatile: after a restart of the bus it runs anew. */
#ifndef FOB_CORE_LEASE_H
#define FOB_CORE_LEASE_H

#include "bus/core/state.h"

/* The bound for a worker that asks for `wanted_ms`, in ms; 0: none. */
uint64_t fob_lease_bound(const fob_group_t *group, uint64_t wanted_ms);
/* The worker at `index`, which has just joined, asks for that bound (0: as the group's). */
void fob_lease_bind(fob_core_t *self, uint32_t index, uint64_t wanted_ms);
/* Begins what is now among the first of what the worker holds, as many as it has free jobs: to be
 * called when it got events, when some have left it, and when a job was freed. */
void fob_lease_begin(fob_core_t *self, uint32_t index);
/* The worker at `index` tells that a handler has ended: a job is free again where that was of a
 * lease that ran out. Then the caller sees to what may begin, and to the ring. */
void fob_lease_ended(fob_core_t *self, uint32_t index, uint64_t offset, uint64_t token);
/* The group's bound was set: it counts for what is begun from now on. */
void fob_lease_changed(fob_core_t *self, fob_group_t *group);
/* The core was not asked when it wanted to be, but so much later: settles that came in time may not
 * have been told yet, so for as long again (a beat at the most) no lease runs out. Not twice in a
 * row: who is always late must not keep leases for ever. */
void fob_lease_spare(fob_core_t *self, int64_t late_ns);
/* Takes away what is over. Gives when the next may be (mono_ns, above now); FOB_NEVER: none. */
int64_t fob_lease_expire(fob_core_t *self, fob_group_t *group);

#endif
