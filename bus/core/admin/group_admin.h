/* group_admin: what an operator changes of a group that is there: its settings, where it stands,
 * what it holds. Each change is a record; all of it is live. One thread. */
#ifndef FOB_CORE_GROUP_ADMIN_H
#define FOB_CORE_GROUP_ADMIN_H

#include "bus/core/durable/runs.h"

/* Where a group may begin that is to begin at `offset`: what the journal has no more cannot be had.
 * 0: not at such an offset, which lies beyond the next. */
uint64_t fob_group_place(const fob_core_t *self, const fob_command_t *command, uint64_t offset);
/* FOB_INVALID, with the sentence for such an offset. */
fob_status_t fob_group_beyond(fob_core_t *self, uint64_t offset, fob_slice_t *text);
/* Whether a patch is within the bounds: FOB_OK, or FOB_INVALID with a sentence that names the
 * setting and its bounds. */
fob_status_t fob_group_judge(fob_core_t *self, const fob_policy_patch_t *patch, fob_slice_t *text);
/* The patch, as a record of the open turn. FOB_OK, FOB_INVALID with a sentence, FOB_NO_MEMORY. */
fob_status_t fob_group_set(fob_core_t *self, fob_group_t *group, const fob_policy_patch_t *patch,
                           fob_slice_t *text) FOB_MUST_USE;
/* GROUP_RESET to `offset`. FOB_OK, FOB_INVALID, each with a sentence; FOB_NO_MEMORY: nothing
 * changed. */
fob_status_t fob_group_reset(fob_core_t *self, fob_group_t *group, const fob_command_t *command,
                             uint64_t offset, fob_slice_t *text) FOB_MUST_USE;
/* GROUP_PURGE: removes all but what workers hold. FOB_OK, with a sentence, FOB_NO_MEMORY: nothing
 * changed. */
fob_status_t fob_group_purge(fob_core_t *self, fob_group_t *group, fob_slice_t *text) FOB_MUST_USE;
/* Puts into a record that an event is out for the first time: from then on it is told from what is
 * not out. */
void fob_group_put_first_out(fob_runs_writer_t *runs, fob_group_t *group, fob_grant_t *grant);

#endif
