#include "bus/core/admin/group_admin.h"

#include "bus/core/work/lost.h"

#include <assert.h>

uint64_t fob_group_place(const fob_core_t *self, const fob_command_t *command, uint64_t offset) {
    if (offset > self->head + 1)
        return 0;
    uint64_t lowest = command->admin.lowest <= self->head ? command->admin.lowest : self->head + 1;
    return offset < lowest ? lowest : offset;
}

fob_status_t fob_group_beyond(fob_core_t *self, uint64_t offset, fob_slice_t *text) {
    *text = fob_sentence(self,
                         "offset %llu is not there yet, the next will be %llu: give one up to "
                         "that, or latest",
                         (unsigned long long)offset, (unsigned long long)self->head + 1);
    return FOB_INVALID;
}

/* --- settings --- */

fob_status_t fob_group_judge(fob_core_t *self, const fob_policy_patch_t *patch, fob_slice_t *text) {
    unsigned wrong = fob_policy_wrong(patch);
    char reason[160];
    if (wrong == 0)
        return FOB_OK;
    fob_policy_explain(wrong, fob_policy_get(&patch->to, wrong), reason, sizeof reason);
    *text = fob_sentence(self, "%s", reason);
    return FOB_INVALID;
}

static uint8_t count_bits(uint32_t mask) {
    uint8_t count = 0;
    for (; mask; mask &= mask - 1)
        count++;
    return count;
}

fob_status_t fob_group_set(fob_core_t *self, fob_group_t *group, const fob_policy_patch_t *patch,
                           fob_slice_t *text) {
    fob_status_t status = fob_group_judge(self, patch, text);
    if (status != FOB_OK || patch->mask == 0)
        return status;
    fob_open_turn_t *turn = fob_core_open(self);
    uint8_t count = count_bits(patch->mask);
    size_t size = FOB_RECORD_SET_SIZE + (size_t)count * FOB_RECORD_SET_ITEM;
    uint8_t *bytes = turn && fob_turn_reserve(turn, 1, 0, 0, 0) ? fob_turn_bytes(turn, size) : NULL;
    if (!bytes)
        return FOB_NO_MEMORY;
    fob_record_write_set(bytes, group->id, fob_core_time(self), count);
    uint8_t *item = bytes + FOB_RECORD_SET_SIZE;
    for (unsigned i = 1; i < FOB_POLICY_END; i++) {
        if (!(patch->mask & (1u << i)))
            continue;
        fob_record_write_set_item(item, i, fob_policy_get(&patch->to, i));
        item += FOB_RECORD_SET_ITEM;
    }
    status = fob_core_record(self, bytes, size);
    assert(status == FOB_OK); /* it is there, and all is within its bounds */
    return status;
}

/* --- reset --- */

static uint8_t *reserve_reset(fob_core_t *self) {
    fob_open_turn_t *turn = fob_core_open(self);
    return turn && fob_turn_reserve(turn, 1, 0, 0, 0) ? fob_turn_bytes(turn, FOB_RECORD_RESET_SIZE)
                                                      : NULL;
}

static fob_status_t record_reset(fob_core_t *self, uint8_t *bytes, const fob_group_t *group,
                                 fob_reset_t mode, uint64_t offset) {
    fob_record_reset_t record = {.mode = (uint8_t)mode,
                                 .group = group->id,
                                 .time_ms = fob_core_time(self),
                                 .offset = offset,
                                 .head = self->head};
    fob_record_write_reset(bytes, &record);
    return fob_core_record(self, bytes, FOB_RECORD_RESET_SIZE);
}

static fob_reset_t reset_mode(const fob_core_t *self, const fob_group_t *group, uint64_t offset) {
    if (offset > self->head)
        return FOB_RESET_LATEST;
    /* From the cover's end on nothing was settled, given up, or came back. */
    bool anew = fob_census_runs(group) || offset < fob_cover_end(&group->cover);
    return anew ? FOB_RESET_ANEW : FOB_RESET_FORWARD;
}

/* Every worker of the group is told of what it loses, once that is durable. False: no memory. */
static bool tell_all(fob_core_t *self, const fob_group_t *group, fob_slice_t text) {
    for (uint32_t i = 0; i < group->member_count; i++) {
        const fob_member_t *member = &self->members.slab[group->members[i]];
        if (!fob_lost_tell(self, group, member->conn, member->held.first, text,
                           fob_core_next_position(self)))
            return false;
    }
    return true;
}

static fob_slice_t reset_text(fob_core_t *self, const fob_group_t *group, fob_reset_t mode,
                              uint64_t offset) {
    int size = (int)group->name.size;
    const char *name = (const char *)group->name.data;
    unsigned long long at = offset;
    if (mode == FOB_RESET_ANEW)
        return fob_sentence(self, "group %.*s begins anew at offset %llu, as generation %llu", size,
                            name, at, (unsigned long long)group->generation);
    return fob_sentence(self, "group %.*s goes on at offset %llu; what it had below is removed",
                        size, name, at);
}

fob_status_t fob_group_reset(fob_core_t *self, fob_group_t *group, const fob_command_t *command,
                             uint64_t offset, fob_slice_t *text) {
    uint64_t place = fob_group_place(self, command, offset);
    if (place == 0)
        return fob_group_beyond(self, offset, text);
    uint8_t *bytes = reserve_reset(self);
    if (!bytes)
        return FOB_NO_MEMORY;
    size_t effects = self->open->effect_count;
    fob_reset_t mode = reset_mode(self, group, place);
    fob_slice_t why =
        fob_sentence(self, "an operator reset the group to offset %llu", (unsigned long long)place);
    fob_status_t status = FOB_NO_MEMORY;
    if (tell_all(self, group, why))
        status = record_reset(self, bytes, group, mode, place);
    if (status != FOB_OK) {
        self->open->effect_count = effects; /* nobody lost anything */
        return FOB_NO_MEMORY;
    }
    *text = reset_text(self, group, mode, place);
    return FOB_OK;
}

/* --- purge --- */

/* What was out before the start and was not claimed. */
static bool unclaimed(const fob_back_entry_t *entry) {
    return entry->out && entry->state == FOB_BACK_IDLE;
}

static size_t count_unclaimed(const fob_group_t *group) {
    size_t count = 0;
    uint32_t at = 0;
    for (const fob_back_entry_t *e; (e = fob_back_next(&group->back, &at)) != NULL;)
        count += unclaimed(e);
    return count;
}

/* It is not out any more, by the books. */
static void put_unclaimed(fob_runs_writer_t *runs, const fob_group_t *group) {
    uint32_t at = 0;
    for (const fob_back_entry_t *e; (e = fob_back_next(&group->back, &at)) != NULL;) {
        if (unclaimed(e))
            fob_runs_put(runs, &(fob_run_record_t){.verb = FOB_RUN_RETURN,
                                                   .reason = FOB_REASON_LEAVE,
                                                   .count = 1,
                                                   .from = e->offset,
                                                   .to = e->offset,
                                                   .token = e->token});
    }
}

void fob_group_put_first_out(fob_runs_writer_t *runs, fob_group_t *group, fob_grant_t *grant) {
    fob_runs_put(runs, &(fob_run_record_t){.verb = FOB_RUN_HANDOUT,
                                           .flags = FOB_RUN_FRESH,
                                           .count = 1,
                                           .from = grant->gap_from,
                                           .to = grant->offset,
                                           .token = grant->token});
    fob_grants_set_back(&group->grants, grant);
}

/* What is out for the first time is not in any record: now it has to be told from the rest. */
static void put_first_outs(fob_runs_writer_t *runs, fob_core_t *core, fob_group_t *group) {
    for (uint32_t i = 0; i < group->member_count; i++) {
        const fob_member_t *member = &core->members.slab[group->members[i]];
        for (uint32_t at = member->held.first; at != FOB_GRANT_NONE;) {
            fob_grant_t *grant = &group->grants.slab[at];
            at = grant->next;
            if (grant->back)
                continue;
            fob_group_put_first_out(runs, group, grant);
        }
    }
}

fob_status_t fob_group_purge(fob_core_t *self, fob_group_t *group, fob_slice_t *text) {
    size_t first = group->grants.count - group->grants.back;
    size_t most = count_unclaimed(group) + first;
    fob_runs_writer_t runs;
    uint8_t *bytes = reserve_reset(self);
    uint64_t removed = group->removed, leased = group->grants.count;
    if (!bytes || !fob_turn_reserve(self->open, 2, 0, 0, 0) ||
        !fob_runs_begin(&runs, self, group, most, most))
        return FOB_NO_MEMORY;
    put_unclaimed(&runs, group);
    put_first_outs(&runs, self, group);
    fob_runs_end(&runs);
    fob_status_t status = record_reset(self, bytes, group, FOB_RESET_PURGE, self->head + 1);
    assert(status == FOB_OK); /* it takes no memory, and we wrote it */
    *text = fob_sentence(self, "%llu removed from group %.*s, %llu stay with their workers",
                         (unsigned long long)(group->removed - removed), (int)group->name.size,
                         (const char *)group->name.data, (unsigned long long)leased);
    return status;
}
