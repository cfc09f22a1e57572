/* copy: a group's durable state as it was at one moment, as the bytes of its unit, made a part at a
 * time between turns. What is not copied yet keeps its old state for the copy: each change of an
 * event that came back tells of it first, and so does the end of a dead letter. One thread. */
#ifndef FOB_CORE_COPY_H
#define FOB_CORE_COPY_H

#include "bus/core/group/group.h"
#include "proto/buf.h"

typedef struct fob_copy fob_copy_t;

/* NULL: no memory. */
fob_copy_t *fob_copy_new(void);
void fob_copy_free(fob_copy_t **self_p);

/* Begins with a group, whose bytes go behind what `out` has; nothing else may be put there before
 * it is done. Copies all but what came back and what is dead. No memory, here or later: `out` has
 * failed. */
void fob_copy_begin(fob_copy_t *self, fob_buf_t *out, fob_group_t *group,
                    const fob_history_t *history);
/* Goes on until `out` has `bytes` bytes. True: there is more. */
bool fob_copy_some(fob_copy_t *self, size_t bytes);
/* The group under way ends: copies what is left of it. */
void fob_copy_rest(fob_copy_t *self);
/* Whether a group is under way; `self` may be NULL. */
bool fob_copy_runs(const fob_copy_t *self);
/* Gives up the group under way, if there is one. */
void fob_copy_stop(fob_copy_t *self);

/* An event that came back is about to change, or to be forgotten. */
void fob_copy_back(fob_copy_t *self, fob_back_entry_t *entry);
/* One has come back just now. */
void fob_copy_born(const fob_copy_t *self, fob_back_entry_t *entry);
/* A letter is about to be removed. */
void fob_copy_letter(fob_copy_t *self, const fob_dead_t *dead);

/* The same, where the group is not being copied as a rule. */
static inline void fob_keep_back(fob_group_t *group, fob_back_entry_t *entry) {
    if (group->copy)
        fob_copy_back(group->copy, entry);
}
static inline void fob_keep_born(const fob_group_t *group, fob_back_entry_t *entry) {
    if (group->copy)
        fob_copy_born(group->copy, entry);
}
static inline void fob_keep_letter(fob_group_t *group, const fob_dead_t *dead) {
    if (group->copy)
        fob_copy_letter(group->copy, dead);
}

#endif
