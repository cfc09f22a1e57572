/* waits: the groups that wait: for a time at which something falls due, or for a page. So that what
 * comes costs by how many wait, not by how many groups there are. Volatile. One thread. */
#ifndef FOB_CORE_WAITS_H
#define FOB_CORE_WAITS_H

#include "bus/core/group/group.h"

/* All zeros: none waits. */
typedef struct {
    fob_group_t **due; /* a heap by group->due_ns */
    fob_group_t **blocked;
    size_t due_count, blocked_count, capacity;
} fob_waits_t;

void fob_waits_free(fob_waits_t *self);
/* Room for so many groups; false: no memory. */
bool fob_waits_reserve(fob_waits_t *self, size_t groups);
/* Something of the group falls due at `due_ns`, or later. */
void fob_waits_due(fob_waits_t *self, fob_group_t *group, int64_t due_ns);
/* The group is next due at `due_ns`, and not earlier; FOB_NEVER: it waits for no time. */
void fob_waits_next(fob_waits_t *self, fob_group_t *group, int64_t due_ns);
/* The group that is due first, or NULL. */
fob_group_t *fob_waits_first(const fob_waits_t *self);
/* The group waits for a page at an offset, to hand out an event of that priority. */
void fob_waits_block(fob_waits_t *self, fob_group_t *group, uint64_t offset, uint8_t priority);
/* Its census waits for one. */
void fob_waits_block_census(fob_waits_t *self, fob_group_t *group);
/* Takes out one that waits for a page, for whatever; NULL: none does. */
fob_group_t *fob_waits_unblock(fob_waits_t *self);
/* The group is no more. */
void fob_waits_forget(fob_waits_t *self, fob_group_t *group);

#endif
