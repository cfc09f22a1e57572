/* apply, inside: what its files share. */
#ifndef FOB_CORE_APPLY_H
#define FOB_CORE_APPLY_H

#include "bus/core/state.h"

/* Keeps what is wrong with a commit for fob_core_error; gives FOB_DAMAGED. */
fob_status_t fob_damaged(fob_core_t *self, uint64_t position, const char *what);

/* Each: FOB_OK, FOB_NO_MEMORY (nothing changed), FOB_DAMAGED. */
fob_status_t fob_apply_replay_events(fob_core_t *self, uint64_t position,
                                     fob_slice_t bytes) FOB_MUST_USE;
fob_status_t fob_apply_answers(fob_core_t *self, uint64_t position, fob_slice_t bytes) FOB_MUST_USE;
fob_status_t fob_apply_forget(fob_core_t *self, uint64_t position, fob_slice_t bytes) FOB_MUST_USE;
fob_status_t fob_apply_group_add(fob_core_t *self, uint64_t position,
                                 fob_slice_t bytes) FOB_MUST_USE;
fob_status_t fob_apply_group_remove(fob_core_t *self, uint64_t position,
                                    fob_slice_t bytes) FOB_MUST_USE;
fob_status_t fob_apply_mark(fob_core_t *self, uint64_t position, fob_slice_t bytes) FOB_MUST_USE;
fob_status_t fob_apply_reset(fob_core_t *self, uint64_t position, fob_slice_t bytes) FOB_MUST_USE;
fob_status_t fob_apply_set(fob_core_t *self, uint64_t position, fob_slice_t bytes) FOB_MUST_USE;
fob_status_t fob_apply_moved(fob_core_t *self, uint64_t position, fob_slice_t bytes) FOB_MUST_USE;
fob_status_t fob_apply_runs(fob_core_t *self, uint64_t position, fob_slice_t bytes) FOB_MUST_USE;

/* Whether a run that was read back fits the state: what does not must not be applied. */
bool fob_apply_run_fits(const fob_core_t *self, const fob_group_t *group,
                        const fob_run_record_t *run);
/* The histories of what came back, of the dead letters, are dropped: before these are, all at once.
 */
void fob_apply_forget_back(fob_core_t *self, fob_group_t *group);
void fob_apply_forget_deads(fob_core_t *self, fob_group_t *group);
/* The dead letter that an UNBURY means; NULL: there is none. */
const fob_dead_t *fob_apply_letter(const fob_group_t *group, const fob_run_record_t *run);

#endif
