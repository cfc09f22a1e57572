/* apply, reset: a group begins anew, or is emptied: what that does to its books, and to who works
 * for it. */
#include "bus/core/admin/reclaim.h"
#include "bus/core/durable/apply.h"
#include "bus/core/durable/copy.h"
#include "bus/core/work/walk.h"
#include "proto/planted.h"

static void remove_some(fob_group_t *group, fob_removal_t removal, uint64_t count) {
    group->removed += count;
    group->removed_by[removal] += count;
}

/* What came back is forgotten, all of it or but for what is out again. Gives how many. */
static uint64_t forget_back(fob_core_t *self, fob_group_t *group, bool spare_out) {
    uint64_t count = 0;
    uint32_t at = 0;
    for (fob_back_entry_t *e; (e = fob_back_next(&group->back, &at)) != NULL;) {
        if (spare_out && (e->out || (FOB_PLANTED(PURGE_SPARES_DELAYED) && e->due_ms)))
            continue;
        fob_keep_back(group, e);
        fob_history_drop(self->history, e->history);
        fob_back_remove(&group->back, e);
        count++;
    }
    return count;
}

static void end_census(fob_group_t *group) {
    group->census_at = 1;
    group->census_to = 0;
}

/* No lease from before it is good any more, and nothing may be out. */
static void void_leases(fob_group_t *group) {
    group->void_token = group->mark_token;
    group->mark_offset = 0;
}

/* Nothing below `offset` is asked for any more, by events or gaps. */
static void cover_below(fob_group_t *group, uint64_t offset) {
    group->cover.floor = offset;
    group->cover.above.begin = group->cover.above.count = 0;
}

/* Letters stay where they are, and what they name is not found a second time. */
static void cover_letters(fob_group_t *group, uint64_t from) {
    const fob_dead_t *letter = fob_deads_above(&group->deads, from - 1);
    while (letter) {
        uint64_t offset = letter->offset;
        fob_cover_add(&group->cover, offset, offset);
        letter = fob_deads_above(&group->deads, offset);
    }
}

static void begin_books(fob_group_t *group, const fob_record_reset_t *record) {
    group->generation += FOB_PLANTED(GENERATION_KEPT) ? 0 : 1;
    group->since_ms = record->time_ms;
    group->start = record->offset;
    group->accepted = group->dead;
    group->acked = group->expired = group->shed = group->removed = 0;
    memset(group->shed_by, 0, sizeof group->shed_by);
    memset(group->removed_by, 0, sizeof group->removed_by);
    group->damaged = false;
    group->skip_to = 0;
    group->census_at = record->offset;
    group->census_to = record->head;
}

static void empty(fob_group_t *group) {
    fob_prio_free(&group->prio);
    group->debt = group->bytes = 0;
}

static void reset_anew(fob_core_t *self, fob_group_t *group, const fob_record_reset_t *record) {
    self->reached_back = true;
    forget_back(self, group, false);
    empty(group);
    begin_books(group, record);
    cover_below(group, record->offset);
    cover_letters(group, record->offset);
    void_leases(group);
}

static void reset_forward(fob_core_t *self, fob_group_t *group, const fob_record_reset_t *record) {
    uint64_t depth = fob_group_depth(group), count = forget_back(self, group, false);
    remove_some(group, FOB_REMOVAL_RESET, count);
    fob_group_lighten(group, count, 0, depth);
    group->skip_to = record->offset;
    void_leases(group);
}

static void reset_empty(fob_core_t *self, fob_group_t *group, const fob_record_reset_t *record,
                        bool purge) {
    uint64_t depth = fob_group_depth(group), never_out = fob_group_pristine(group);
    uint64_t count = never_out + forget_back(self, group, purge), bytes = group->bytes;
    remove_some(group, purge ? FOB_REMOVAL_PURGE : FOB_REMOVAL_RESET, count);
    empty(group);
    group->bytes = bytes;
    fob_group_lighten(group, count, 0, depth);
    group->damaged = false;
    group->skip_to = 0;
    end_census(group);
    cover_below(group, record->head + 1);
    if (!purge)
        void_leases(group);
}

/* --- live --- */

static void take_leases(fob_core_t *self, fob_group_t *group) {
    for (uint32_t i = 0; i < group->member_count; i++) {
        fob_member_t *member = &self->members.slab[group->members[i]];
        while (member->held.count > 0)
            fob_grants_remove(&group->grants, &member->held,
                              &group->grants.slab[member->held.first]);
    }
}

/* The walks begin anew, where the books do. */
static void stand(fob_core_t *self, fob_group_t *group, bool purge) {
    if (!purge) {
        take_leases(self, group);
        group->next_token = group->mark_token + 1;
    }
    fob_walk_begin(self, group, false);
    fob_core_wake(self, group);
}

static bool fits(const fob_core_t *self, const fob_record_reset_t *record) {
    return record->head == self->head && record->offset <= record->head + 1;
}

fob_status_t fob_apply_reset(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_reset_t record;
    if (!fob_record_read_reset(bytes, &record) || !fits(self, &record))
        return fob_damaged(self, position, "a reset is not one that we wrote");
    fob_group_t *group = fob_groups_by_id(&self->groups, record.group);
    if (!group)
        return fob_damaged(self, position, "a reset of a group that there is not");
    fob_core_sweep_moved(self);
    if (fob_core_holds(self, group->loaded)) {
        self->time_ms = record.time_ms;
        return FOB_OK;
    }
    if (record.mode == FOB_RESET_ANEW && !fob_cover_reserve(&group->cover, group->deads.count))
        return FOB_NO_MEMORY;
    self->time_ms = record.time_ms;
    uint64_t before = fob_group_depth(group);
    if (record.mode == FOB_RESET_ANEW)
        reset_anew(self, group, &record);
    else if (record.mode == FOB_RESET_FORWARD)
        reset_forward(self, group, &record);
    else
        reset_empty(self, group, &record, record.mode == FOB_RESET_PURGE);
    uint64_t gone = before - fob_group_depth(group);
    self->unsettled -= gone < self->unsettled ? gone : self->unsettled;
    group->ruled = position;
    if (self->live)
        stand(self, group, record.mode == FOB_RESET_PURGE);
    return FOB_OK;
}
