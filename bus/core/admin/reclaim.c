#include "bus/core/admin/reclaim.h"

#include "bus/core/admin/group_admin.h"

#define MOVES_MAX    256                     /* events in one step */
#define SIZE_UNKNOWN 512                     /* bytes taken for an event whose size is not known */
#define DECLINED_NS  (INT64_C(60) * FOB_SEC) /* not looked at again before */

/* What it has not come to yet may be its own. So a need ends once and for all, unless the group
 * begins anew. */
static bool group_needs(const fob_group_t *group, uint64_t origin) {
    return !fob_cover_has(&group->cover, origin) || fob_back_find(&group->back, origin) ||
           fob_deads_find(&group->deads, origin);
}

bool fob_core_needs(const fob_core_t *self, uint64_t origin) {
    for (size_t i = 0; i < self->groups.count; i++)
        if (group_needs(self->groups.by_id[i], origin))
            return true;
    return false;
}

static bool needed(const void *arg, uint64_t origin) {
    return fob_core_needs(arg, origin);
}

uint64_t fob_core_lowest_moved(fob_core_t *self, uint64_t *origin) {
    return fob_moved_lowest(&self->moved, needed, self, origin);
}

/* Whether all groups are of this moment; one of a later one may have needed at this one what it
 * does not need any more. */
static bool all_here(const fob_core_t *self) {
    for (size_t i = 0; i < self->groups.count; i++)
        if (fob_core_holds(self, self->groups.by_id[i]->loaded))
            return false;
    return true;
}

void fob_core_sweep_moved(fob_core_t *self) {
    if (all_here(self))
        fob_moved_sweep(&self->moved, needed, self);
}

/* --- whether it is worth it --- */

static uint64_t weight(const fob_core_t *self, uint64_t offset, uint64_t size, uint64_t below) {
    if (fob_moved_place(&self->moved, offset) >= below)
        return 0;
    return size ? size : SIZE_UNKNOWN;
}

/* Bytes that would have to be copied, at the most: what several groups need counts for each. */
static uint64_t needed_bytes(const fob_core_t *self, uint64_t below) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < self->groups.count; i++) {
        const fob_group_t *group = self->groups.by_id[i];
        uint32_t at = 0;
        size_t step = 0;
        for (const fob_back_entry_t *e; (e = fob_back_next(&group->back, &at)) != NULL;)
            bytes += weight(self, e->offset, e->size, below);
        for (const fob_dead_t *d; (d = fob_deads_next(&group->deads, &step)) != NULL;)
            bytes += d->offset ? weight(self, d->offset, d->size, below) : 0;
    }
    return bytes;
}

/* Reckoned once for a part of the journal, and now and then where it was too much. */
static bool worth(fob_core_t *self, uint64_t below, uint64_t bytes) {
    fob_reclaiming_t *state = &self->reclaiming;
    if (state->below != below || (!state->worth && self->now.mono_ns >= state->again_ns)) {
        state->below = below;
        state->worth = needed_bytes(self, below) <= bytes / 2;
        state->again_ns = self->now.mono_ns + DECLINED_NS;
    }
    return state->worth;
}

/* --- what keeps a group's own floor down --- */

/* Whether all that the group has not settled has been out, and the walk is past what a reset
 * forward leaves out. (Not the floor: that stays below what matches nothing, until it is covered
 * here.) */
static bool nothing_waits(const fob_group_t *group) {
    return fob_group_pristine(group) == group->grants.count - group->grants.back &&
           group->prio.events == 0 && group->debt == 0 && !group->resuming &&
           !fob_census_runs(group) && group->skip_to <= group->cursor && !group->damaged;
}

bool fob_reclaim_stays(const fob_core_t *self, const fob_group_t *group) {
    return group->cover.floor < self->reclaiming.asked && !nothing_waits(group);
}

/* Then there is nothing of it between what was out last and the head. */
static void cover_gap(fob_core_t *self, fob_group_t *group) {
    fob_runs_writer_t runs;
    if (group->gap_from != group->cover.floor || group->gap_from > self->head ||
        !nothing_waits(group) || !fob_runs_begin(&runs, self, group, 1, 0))
        return;
    fob_run_record_t run = {.verb = FOB_RUN_COVER, .from = group->gap_from, .to = self->head};
    fob_runs_put(&runs, &run);
    fob_runs_end(&runs);
    group->cursor = group->gap_from = self->head + 1;
    group->caught_up = true;
}

/* First hand-outs that are out: as records they may be copied like what came back. */
static void record_first_outs(fob_core_t *self, fob_group_t *group, uint64_t below) {
    size_t most = group->grants.count - group->grants.back;
    fob_runs_writer_t runs;
    if (most == 0 || !fob_runs_begin(&runs, self, group, most, most))
        return;
    for (uint32_t i = 0; i < group->member_count; i++) {
        const fob_member_t *member = &self->members.slab[group->members[i]];
        for (uint32_t at = member->held.first; at != FOB_GRANT_NONE;) {
            fob_grant_t *grant = &group->grants.slab[at];
            at = grant->next;
            if (!grant->back && grant->offset < below)
                fob_group_put_first_out(&runs, group, grant);
        }
    }
    fob_runs_end(&runs);
}

/* Whether the group waits for a first hand-out of nothing below; what can be done about that is
 * done. */
static bool passed(fob_core_t *self, fob_group_t *group, uint64_t below) {
    if (group->cover.floor < below)
        record_first_outs(self, group, below);
    if (group->cover.floor < below)
        cover_gap(self, group);
    return group->cover.floor >= below;
}

/* --- copying --- */

/* The event at the sheet's index goes to the head. False: no memory, nothing changed. */
static bool move_one(fob_core_t *self, const fob_sheet_t *from, uint32_t index) {
    fob_open_turn_t *turn = fob_core_open(self);
    fob_slice_t event =
        fob_slice(from->bytes + from->begin[index], from->begin[index + 1] - from->begin[index]);
    if (!turn || !fob_turn_reserve(turn, 1, 2, 1, 1) || !fob_cache_reserve(&self->cache, 1) ||
        !fob_moved_reserve(&self->moved, 1))
        return false;
    uint8_t *head = fob_turn_bytes(turn, FOB_RECORD_MOVED_SIZE);
    fob_blob_t *blob = fob_blob_copy(event);
    fob_sheet_t *sheet = fob_sheet_new(&self->sheets);
    bool good =
        head && blob && sheet &&
        fob_sheet_index(sheet, blob, 0, fob_blob_slice(blob), false, 0, false, NULL) == FOB_OK;
    if (good) {
        fob_record_moved_t record = {.stored_ms = from->time_ms,
                                     .place = self->head + 1,
                                     .origin = fob_sheet_offset(from, index),
                                     .time_ms = fob_core_time(self)};
        fob_record_write_moved(head, &record);
        fob_turn_record(turn, fob_slice(head, FOB_RECORD_MOVED_SIZE), blob, record.place, 1);
        sheet->first_offset = record.place;
        sheet->origin = record.origin;
        sheet->time_ms = record.stored_ms;
        sheet->position = fob_core_next_position(self);
        sheet->pinned = true;
        turn->sheets[turn->sheet_count++] = fob_sheet_ref(sheet);
        fob_cache_add(&self->cache, sheet);
        fob_apply_move(self, &record);
    }
    if (sheet)
        fob_sheet_unref(&self->sheets, sheet);
    fob_blob_unref(&blob);
    return good;
}

static bool ask(fob_core_t *self, uint64_t place) {
    fob_open_turn_t *turn = fob_core_open(self);
    if (!turn || !fob_turn_reserve(turn, 0, 1, 0, 0))
        return false;
    if (fob_cache_ask(&self->cache, place) == FOB_ASK_NOW) {
        fob_effect_t *effect = fob_turn_effect(turn, FOB_EFF_NEED);
        effect->need_offset = place;
        effect->need_bytes = self->config.page_bytes;
    }
    return true;
}

fob_status_t fob_reclaim(fob_core_t *self, const fob_command_t *command) {
    uint64_t below = command->reclaim.below, end, place;
    size_t room = command->reclaim.room;
    self->reclaiming.asked = below;
    if (room == 0)
        return FOB_OK;
    /* What is needed is known only once what was out before the start is claimed, or is not. */
    if (self->resume_until != FOB_NEVER || !worth(self, below, command->reclaim.bytes))
        return FOB_OK;
    for (size_t i = 0; i < self->groups.count; i++) {
        if (!passed(self, self->groups.by_id[i], below))
            return FOB_OK;
    }
    for (unsigned i = 0; i < MOVES_MAX && (place = fob_core_floor(self)) < below; i++) {
        fob_sheet_t *sheet;
        fob_cache_answer_t found = fob_cache_find(&self->cache, place, &sheet, &end);
        if (found == FOB_CACHE_MISS)
            return ask(self, place) ? FOB_OK : FOB_NO_MEMORY;
        if (found == FOB_CACHE_HOLE)
            return FOB_OK; /* what cannot be read stays where it is */
        uint32_t index = (uint32_t)(place - sheet->first_offset);
        size_t size = sheet->begin[index + 1] - sheet->begin[index] + FOB_RECORD_MOVED_SIZE;
        if (size > room)
            return FOB_OK;
        if (!move_one(self, sheet, index))
            return FOB_NO_MEMORY;
        room -= size;
    }
    return FOB_OK;
}
