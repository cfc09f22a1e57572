/* apply, groups: a group is made, ended, set, begun anew; how far its first hand-outs may go. */
#include "bus/core/admin/reclaim.h"
#include "bus/core/durable/apply.h"
#include "bus/core/durable/checkpoint_fits.h"
#include "bus/core/durable/copy.h"
#include "bus/core/group/dead_limits.h"
#include "bus/core/table/room.h"
#include "bus/core/work/lease.h"
#include "proto/topic.h"

#include <stdlib.h>

/* Every group may be on the list of dirty ones twice: those looked at in a take, and those to look
 * at again. */
bool fob_core_reserve_group(fob_core_t *self) {
    if (!fob_groups_reserve(&self->groups) ||
        !fob_waits_reserve(&self->waits, self->groups.count + 1))
        return false;
    return fob_room(&self->dirty, &self->dirty_capacity, (self->groups.count + 1) * 2,
                    sizeof(fob_group_t *));
}

/* A group that begins in the past: its events up to the head of this moment are to be found first.
 */
static void begin_census(fob_core_t *self, fob_group_t *group, uint64_t start) {
    if (start > self->head)
        return;
    self->reached_back = true;
    group->census_at = start;
    group->census_to = self->head;
    group->caught_up = false;
    group->cursor = start;
}

fob_status_t fob_apply_group_add(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_group_add_t record;
    if (!fob_record_read_group_add(bytes, &record) || record.id < self->next_group ||
        record.id == UINT32_MAX || record.start > self->head + 1 || !fob_topic_valid(record.name) ||
        !fob_pattern_valid(record.pattern) || fob_groups_find(&self->groups, record.name))
        return fob_damaged(self, position, "a new group is not one that we wrote");
    if (!fob_core_reserve_group(self))
        return FOB_NO_MEMORY;
    fob_group_t *group =
        fob_group_new(record.id, record.name, record.pattern, record.start, record.time_ms);
    if (!group)
        return FOB_NO_MEMORY;
    group->temporary = record.temporary;
    group->back.moved = group->deads.moved = &self->moved;
    group->policy = self->config.policy; /* of a journal without the SET that follows */
    group->born = group->ruled = position;
    group->no_member_ns = self->now.mono_ns;
    fob_core_sweep_moved(self);
    begin_census(self, group, record.start);
    self->next_group = record.id + 1;
    self->time_ms = record.time_ms;
    fob_groups_add(&self->groups, group);
    fob_topics_flush(&self->topics);
    if (self->live)
        fob_core_wake(self, group);
    return FOB_OK;
}

static void forget_dirty(fob_core_t *self, const fob_group_t *group) {
    for (size_t i = 0; group->dirty && i < self->dirty_count; i++) {
        if (self->dirty[i] == group)
            self->dirty[i] = self->dirty[--self->dirty_count];
    }
}

fob_status_t fob_apply_group_remove(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    uint32_t id;
    int64_t time_ms;
    if (!fob_record_read_group_remove(bytes, &id, &time_ms))
        return fob_damaged(self, position, "the end of a group is not one that we wrote");
    fob_group_t *group = fob_groups_by_id(&self->groups, id);
    if (!group)
        return fob_damaged(self, position, "a group ends that there is not");
    self->time_ms = time_ms;
    uint64_t unsettled = fob_group_depth(group);
    self->unsettled -= unsettled < self->unsettled ? unsettled : self->unsettled;
    forget_dirty(self, group);
    fob_waits_forget(&self->waits, group);
    fob_groups_remove(&self->groups, group);
    if (group->copy)
        fob_copy_rest(group->copy);
    fob_apply_forget_back(self, group);
    fob_apply_forget_deads(self, group);
    fob_group_free(group);
    fob_topics_flush(&self->topics);
    return FOB_OK;
}

fob_status_t fob_apply_mark(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_mark_t record;
    if (!fob_record_read_mark(bytes, &record))
        return fob_damaged(self, position, "a mark is not one that we wrote");
    fob_group_t *group = fob_groups_by_id(&self->groups, record.group);
    if (!group)
        return fob_damaged(self, position, "a mark of a group that there is not");
    if (fob_core_holds(self, group->loaded))
        return FOB_OK;
    if (record.token < group->mark_token ||
        (!self->live && !fob_state_tokens_go_on(group, record.token)))
        return fob_damaged(self, position, "a mark is not one that we wrote");
    group->mark_offset = record.offset;
    group->mark_token = record.token;
    return FOB_OK;
}

/* --- settings --- */

/* The items of a SET as a patch; false: not what we wrote. */
static bool read_patch(fob_slice_t bytes, uint8_t count, fob_policy_patch_t *patch) {
    *patch = (fob_policy_patch_t){0};
    for (uint8_t i = 0; i < count; i++) {
        uint32_t number;
        uint64_t value;
        const uint8_t *item = bytes.data + FOB_RECORD_SET_SIZE + i * FOB_RECORD_SET_ITEM;
        if (!fob_record_read_set_item(item, &number, &value) ||
            !fob_policy_set(&patch->to, number, value))
            return false;
        patch->mask |= UINT32_C(1) << number;
    }
    return true;
}

fob_status_t fob_apply_set(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_policy_patch_t patch;
    uint32_t id;
    int64_t time_ms;
    uint8_t count;
    if (!fob_record_read_set(bytes, &id, &time_ms, &count) || !read_patch(bytes, count, &patch))
        return fob_damaged(self, position, "settings are not what we wrote");
    fob_group_t *group = fob_groups_by_id(&self->groups, id);
    if (!group)
        return fob_damaged(self, position, "settings of a group that there is not");
    self->time_ms = time_ms;
    if (fob_core_holds(self, group->loaded))
        return FOB_OK;
    uint64_t paused = group->policy.paused, lease = group->policy.lease;
    fob_policy_apply(&group->policy, &patch);
    if (group->policy.paused != paused)
        group->paused_ms = group->policy.paused ? time_ms : 0;
    group->ruled = position;
    if (self->live) {
        fob_core_wake(self, group);
        fob_dead_limits_due(self, group); /* the bounds may be lower ones */
        if (group->policy.lease != lease)
            fob_lease_changed(self, group);
    }
    return FOB_OK;
}
