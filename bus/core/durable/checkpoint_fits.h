/* checkpoint, fits: whether what was read of a checkpoint can be a state of a core at all.
 *
 * Each number alone may be a good one and the state still one that no records lead to. A core at
 * work takes the invariants of its tables for granted, and the records that it makes then do not
 * fit when they are replayed. So they are looked at before anything rests on them; what they are
 * stands at each, in the .c. A replay keeps them too, whatever its records are: see apply_check.c.
 * One thread. */
#ifndef FOB_CORE_CHECKPOINT_FITS_H
#define FOB_CORE_CHECKPOINT_FITS_H

#include "bus/core/state.h"

/* No number of a state that others follow is above half of what a record can say, nor is its time:
 * so the records to come can say theirs. */
static inline bool fob_state_number_fits(uint64_t number) {
    return number <= FOB_RECORD_NUMBER_MAX / 2;
}
static inline bool fob_state_time_fits(int64_t ms) {
    return ms >= -FOB_RECORD_TIME_MAX / 2 && ms <= FOB_RECORD_TIME_MAX / 2;
}

/* More tokens than a journal could have given between two marks of a group. */
#define FOB_TOKENS_STEP (UINT64_C(1) << 40)
/* Whether a record may say that a group's tokens go up to here: they go on from those of its state
 * and never leap, so that what goes on from the last one that a checkpoint may hold is replayed
 * too, and there is always a next one. */
static inline bool fob_state_tokens_go_on(const fob_group_t *group, uint64_t last) {
    return last <= group->mark_token + FOB_TOKENS_STEP &&
           last <= FOB_RECORD_NUMBER_MAX - FOB_RECORD_NUMBER_MAX / 4;
}

/* Whether the unit being read is of the same moment as the head of the checkpoint: what lies above
 * that head, or what it does not know, cannot be in it. */
static inline bool fob_state_of_head(const fob_core_t *self) {
    return !fob_stamp_before(self->loaded, self->snapshot.stamp);
}

/* Whether the parts of a group are of one state. */
bool fob_state_group_fits(const fob_group_t *group);
/* Whether a group can be one of a core with this head: asked where both are of one moment. */
bool fob_state_group_fits_head(const fob_group_t *group, uint64_t head);
/* Whether a session is within its window; of the moment of the head, also whether nothing of it was
 * answered behind that. */
bool fob_state_session_fits(const fob_core_t *self, const fob_writer_t *writer);
/* Whether it is an id; of the moment of the head, also whether it is one of an event that there is,
 * under a secret that there is. */
bool fob_state_id_fits(const fob_core_t *self, const fob_known_t *known);
/* Whether no topic but those that are told can have an event above `floor`: it never goes back from
 * unit to unit, and is of the journal; of the moment of the head, none is above that. */
bool fob_state_floor_fits(const fob_core_t *self, uint64_t floor);
/* At the end: whether each group has its state. One that ended before its turn has none, but where
 * the end is of the moment of the head none can have ended. */
bool fob_state_whole(const fob_core_t *self);
/* Once all is replayed: the same of everything, now that all of it is of one moment. */
bool fob_state_all_fits(const fob_core_t *self);

#endif
