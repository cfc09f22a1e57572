/* apply: records change the durable state, live and in replay, by the same code. */
#include "bus/core/apply.h"
#include "bus/core/seed.h"

#include <stdio.h>
#include <stdlib.h>

fob_status_t fob_damaged(fob_core_t *self, uint64_t position, const char *what) {
    snprintf(self->error, sizeof self->error, "commit %llu: %s", (unsigned long long)position,
             what);
    return FOB_DAMAGED;
}

/* --- groups --- */

/* Every group may be on the list of dirty ones twice: those looked at in a take, and those to look
 * at again. */
bool fob_core_reserve_group(fob_core_t *self) {
    if (!fob_groups_reserve(&self->groups) ||
        !fob_waits_reserve(&self->waits, self->groups.count + 1))
        return false;
    if ((self->groups.count + 1) * 2 <= self->dirty_capacity)
        return true;
    size_t capacity = self->dirty_capacity ? self->dirty_capacity * 2 : 16;
    fob_group_t **dirty = realloc(self->dirty, capacity * sizeof *dirty);
    if (!dirty)
        return false;
    self->dirty = dirty;
    self->dirty_capacity = capacity;
    return true;
}

static fob_status_t apply_group_add(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_group_add_t record;
    if (!fob_record_read_group_add(bytes, &record) || record.id < self->next_group ||
        fob_groups_find(&self->groups, record.name))
        return fob_damaged(self, position, "a new group is not one that we wrote");
    if (!fob_core_reserve_group(self))
        return FOB_NO_MEMORY;
    fob_group_t *group =
        fob_group_new(record.id, record.name, record.pattern, record.start, record.time_ms);
    if (!group)
        return FOB_NO_MEMORY;
    group->temporary = record.temporary;
    group->policy = self->config.policy;
    group->born = position;
    group->no_member_ns = self->now.mono_ns;
    self->next_group = record.id + 1;
    self->time_ms = record.time_ms;
    fob_groups_add(&self->groups, group);
    fob_topics_flush(&self->topics);
    return FOB_OK;
}

static void forget_dirty(fob_core_t *self, const fob_group_t *group) {
    for (size_t i = 0; group->dirty && i < self->dirty_count; i++) {
        if (self->dirty[i] == group)
            self->dirty[i] = self->dirty[--self->dirty_count];
    }
}

static fob_status_t apply_group_remove(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    uint32_t id;
    int64_t time_ms;
    if (!fob_record_read_group_remove(bytes, &id, &time_ms))
        return fob_damaged(self, position, "the end of a group is not one that we wrote");
    fob_group_t *group = fob_groups_by_id(&self->groups, id);
    if (!group)
        return fob_damaged(self, position, "a group ends that there is not");
    self->time_ms = time_ms;
    uint64_t unsettled = fob_group_pristine(group) + group->back.count;
    self->unsettled -= unsettled < self->unsettled ? unsettled : self->unsettled;
    forget_dirty(self, group);
    fob_waits_forget(&self->waits, group);
    fob_groups_remove(&self->groups, group);
    fob_group_free(group);
    fob_topics_flush(&self->topics);
    return FOB_OK;
}

static fob_status_t apply_mark(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_mark_t record;
    if (!fob_record_read_mark(bytes, &record))
        return fob_damaged(self, position, "a mark is not one that we wrote");
    fob_group_t *group = fob_groups_by_id(&self->groups, record.group);
    if (!group)
        return fob_damaged(self, position, "a mark of a group that there is not");
    if (fob_core_holds(self, group->loaded))
        return FOB_OK;
    group->mark_offset = record.offset;
    group->mark_token = record.token;
    return FOB_OK;
}

fob_status_t fob_apply(fob_core_t *self, uint64_t position, fob_slice_t record) {
    switch (record.size ? record.data[0] : 0) {
    case FOB_RECORD_EVENTS:
        return fob_apply_replay_events(self, position, record);
    case FOB_RECORD_GROUP_ADD:
        return apply_group_add(self, position, record);
    case FOB_RECORD_GROUP_REMOVE:
        return apply_group_remove(self, position, record);
    case FOB_RECORD_MARK:
        return apply_mark(self, position, record);
    case FOB_RECORD_RUNS:
    case FOB_RECORD_NOTED:
        return fob_apply_runs(self, position, record);
    case FOB_RECORD_FORGET:
        return fob_apply_forget(self, position, record);
    case FOB_RECORD_SEED:
        return fob_apply_seed(self, position, record);
    default:
        return fob_damaged(self, position, "a record of a kind that this version does not know");
    }
}
