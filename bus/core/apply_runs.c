/* apply, runs: what happened to events of a group. */
#include "bus/core/apply.h"

static uint64_t first_event(const fob_run_record_t *run) {
    return run->to - run->count + 1;
}

static bool all_back(const fob_group_t *group, const fob_run_record_t *run) {
    if (run->from != first_event(run))
        return false;
    for (uint64_t offset = run->from; offset <= run->to; offset++) {
        if (!fob_back_find(&group->back, offset))
            return false;
    }
    return true;
}

static bool run_fits(const fob_core_t *self, const fob_group_t *group,
                     const fob_run_record_t *run) {
    if (run->to > self->head)
        return false;
    if (run->verb == FOB_RUN_COVER || (run->flags & (FOB_RUN_FRESH | FOB_RUN_UNKNOWN)))
        return true;
    return all_back(group, run);
}

static void bury_one(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run,
                     uint64_t offset, uint32_t count) {
    fob_deads_add(&group->deads, &(fob_dead_t){.offset = offset,
                                               .count = count,
                                               .attempts = (uint32_t)run->token,
                                               .time_ms = self->time_ms,
                                               .reason = run->reason});
    group->dead += count;
}

static void bury(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    if (run->flags & FOB_RUN_UNKNOWN) {
        bury_one(self, group, run, 0, run->count);
        return;
    }
    for (uint32_t i = 0; i < run->count; i++)
        bury_one(self, group, run, first_event(run) + i, 1);
}

void fob_core_schedule(fob_core_t *self, fob_group_t *group, fob_back_entry_t *entry) {
    int64_t wait = entry->due_ms - fob_core_time(self);
    if (wait <= 0) {
        fob_back_set(&group->back, entry, FOB_BACK_READY, 0);
        return;
    }
    int64_t due = self->now.mono_ns + wait * FOB_MS;
    fob_back_set(&group->back, entry, FOB_BACK_DELAYED, due);
    fob_waits_due(&self->waits, group, due);
}

static void give_back(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run,
                      uint64_t offset, uint64_t token) {
    fob_back_entry_t *entry = run->flags & FOB_RUN_FRESH ? fob_back_add(&group->back, offset)
                                                         : fob_back_find(&group->back, offset);
    entry->token = token;
    entry->due_ms = run->due_ms;
    entry->reason = run->reason;
    entry->out = false;
    entry->attempts += run->flags & FOB_RUN_COUNTED ? 1 : 0;
    if ((run->flags & FOB_RUN_RELEASED) && entry->releases < UINT16_MAX)
        entry->releases++;
    if (self->live)
        fob_core_schedule(self, group, entry);
}

static void hand_out(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run,
                     uint64_t offset, uint64_t token) {
    fob_back_entry_t *entry = run->flags & FOB_RUN_FRESH ? fob_back_add(&group->back, offset)
                                                         : fob_back_find(&group->back, offset);
    entry->token = token;
    entry->due_ms = 0;
    entry->out = true;
    if (self->live)
        fob_back_set(&group->back, entry, FOB_BACK_LEASED, 0);
}

static void remove_back(fob_group_t *group, const fob_run_record_t *run) {
    for (uint64_t offset = run->from; offset <= run->to; offset++)
        fob_back_remove(&group->back, fob_back_find(&group->back, offset));
}

static void settle_run(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    if (!(run->flags & (FOB_RUN_FRESH | FOB_RUN_UNKNOWN)))
        remove_back(group, run);
    if (run->verb == FOB_RUN_DEAD)
        bury(self, group, run);
    else
        group->acked += run->count;
    self->unsettled -= run->count < self->unsettled ? run->count : self->unsettled;
    if (self->live)
        fob_meter_add(&group->out, self->now.mono_ns, run->count);
}

static void apply_run(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    if (run->verb == FOB_RUN_COVER || (run->flags & FOB_RUN_FRESH))
        fob_cover_add(&group->cover, run->from, run->to);
    if (run->flags & FOB_RUN_DAMAGED)
        group->damaged = true;
    if (run->verb == FOB_RUN_ACK || run->verb == FOB_RUN_DEAD) {
        settle_run(self, group, run);
        if (run->flags & FOB_RUN_UNKNOWN)
            group->damaged = false;
        return;
    }
    if (run->verb == FOB_RUN_COVER)
        return;
    if (run->verb == FOB_RUN_HANDOUT && run->token + run->count - 1 > group->mark_token)
        group->mark_token = run->token + run->count - 1;
    for (uint32_t i = 0; i < run->count; i++) {
        if (run->verb == FOB_RUN_RETURN)
            give_back(self, group, run, first_event(run) + i, run->token + i);
        else
            hand_out(self, group, run, first_event(run) + i, run->token + i);
    }
}

/* Every run fits the state before the record: the runs of one record are about different events. */
static fob_status_t check_runs(fob_core_t *self, uint64_t position, const fob_group_t *group,
                               const fob_record_runs_t *record, size_t *events, size_t *deads) {
    *events = *deads = 0;
    for (size_t i = 0; i < record->count; i++) {
        fob_run_record_t run;
        if (!fob_record_read_run(record->runs + i * FOB_RUN_SIZE, &run) ||
            !run_fits(self, group, &run))
            return fob_damaged(self, position, "a settle or a hand-out is not one that we wrote");
        if (run.verb == FOB_RUN_DEAD)
            *deads += run.flags & FOB_RUN_UNKNOWN ? 1 : run.count;
        *events += run.verb == FOB_RUN_RETURN || run.verb == FOB_RUN_HANDOUT ? run.count : 0;
    }
    return FOB_OK;
}

fob_status_t fob_apply_runs(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_runs_t record;
    size_t events, deads;
    if (!fob_record_read_runs(bytes, &record))
        return fob_damaged(self, position, "settles are not what we wrote");
    fob_group_t *group = fob_groups_by_id(&self->groups, record.group);
    if (!group)
        return fob_damaged(self, position, "settles of a group that there is not");
    if (fob_core_holds(self, group->loaded)) {
        self->time_ms = record.time_ms;
        return FOB_OK;
    }
    if (!self->live) { /* our own bytes fit, and room for them was reserved */
        fob_status_t status = check_runs(self, position, group, &record, &events, &deads);
        if (status != FOB_OK)
            return status;
        if (!fob_cover_reserve(&group->cover, record.count) ||
            !fob_back_reserve(&group->back, events) || !fob_deads_reserve(&group->deads, deads))
            return FOB_NO_MEMORY;
    }
    self->time_ms = record.time_ms;
    for (size_t i = 0; i < record.count; i++) {
        fob_run_record_t run;
        fob_record_read_run(record.runs + i * FOB_RUN_SIZE, &run);
        apply_run(self, group, &run);
    }
    return FOB_OK;
}
