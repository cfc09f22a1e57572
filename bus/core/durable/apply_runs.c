/* apply, runs: what happened to events of a group. */
#include "bus/core/durable/apply.h"
#include "bus/core/durable/copy.h"
#include "bus/core/group/dead_limits.h"
#include "proto/planted.h"

/* One record on its way into the state. */
typedef struct {
    fob_core_t *core;
    fob_group_t *group;
    const fob_record_runs_t *record;
} applying_t;

/* --- books --- */

static uint64_t mean_size(const fob_group_t *group) {
    uint64_t depth = fob_group_depth(group);
    return depth ? group->bytes / depth : 0;
}

/* So many events are unsettled no more: told before the books of the group say so. */
static void leave_depth(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    fob_group_lighten(group, run->count, run->bytes, fob_group_depth(group));
    self->unsettled -= run->count < self->unsettled ? run->count : self->unsettled;
}

static void enter_depth(fob_core_t *self, fob_group_t *group, uint64_t count, uint64_t bytes) {
    group->bytes += bytes;
    self->unsettled += count;
}

/* A worker may have claimed what is not the group's, which nobody knew without reading it: then too
 * few are left for those that come. As many as lack are taken as accepted. */
static void make_up(fob_core_t *self, fob_group_t *group) {
    uint64_t least = fob_group_gone(group) + group->prio.events;
    if (group->accepted >= least)
        return;
    enter_depth(self, group, least - group->accepted, 0);
    group->accepted = least;
}

/* --- what ends --- */

static void remove_back(fob_core_t *self, fob_group_t *group, uint64_t offset) {
    fob_back_entry_t *entry = fob_back_find(&group->back, offset);
    fob_keep_back(group, entry);
    fob_history_drop(self->history, entry->history);
    fob_back_remove(&group->back, entry);
}

static void remove_all_back(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    if (run->flags & (FOB_RUN_FRESH | FOB_RUN_DEBT))
        return;
    for (uint64_t offset = run->from; offset <= run->to; offset++)
        remove_back(self, group, offset);
}

static void apply_ack(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    leave_depth(self, group, run);
    remove_all_back(self, group, run);
    group->acked += run->count + (FOB_PLANTED(ACK_COUNTED_TWICE) && run->to % 64 == 0);
}

/* SHED and REMOVE: those of priority 0 that were never out are counted at once and found later. */
static void apply_drop(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    if (run->flags & FOB_RUN_PAID) {
        group->debt -= run->count;
        return;
    }
    leave_depth(self, group, run);
    remove_all_back(self, group, run);
    if (run->flags & FOB_RUN_DEBT)
        group->debt += run->count;
    bool shed = run->verb == FOB_RUN_SHED;
    *(shed ? &group->shed : &group->removed) += run->count;
    if (FOB_PLANTED(DROP_COUNTED_TWICE) && shed)
        group->shed += run->count;
    *(shed ? &group->shed_by[run->reason] : &group->removed_by[run->reason]) += run->count;
}

/* --- attempts --- */

static uint32_t remember(const applying_t *self, uint32_t chain, uint8_t reason, bool counted) {
    fob_attempt_t attempt = {.time_ms = self->core->time_ms,
                             .reason = reason,
                             .counted = counted,
                             .worker = self->record->worker,
                             .text = self->record->text};
    return fob_history_add(self->core->history, chain, &attempt);
}

/* Whether a return ends an attempt: mere prefetch that goes back does not. */
static bool ends_attempt(const fob_run_record_t *run) {
    if (run->flags & (FOB_RUN_COUNTED | FOB_RUN_RELEASED))
        return true;
    return run->reason == FOB_REASON_RETRY || run->reason == FOB_REASON_RELEASE;
}

/* --- what dies --- */

static void bury_unknown(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    fob_deads_add(&group->deads, &(fob_dead_t){.count = run->count,
                                               .attempts = (uint32_t)run->token,
                                               .time_ms = self->time_ms,
                                               .reason = run->reason});
    group->damaged = false;
}

static void bury_one(const applying_t *self, const fob_run_record_t *run, uint64_t offset) {
    fob_group_t *group = self->group;
    fob_dead_t dead = {.offset = offset,
                       .count = 1,
                       .attempts = (uint32_t)run->token,
                       .time_ms = self->core->time_ms,
                       .reason = run->reason};
    uint64_t size = run->bytes / run->count;
    dead.size = size < UINT32_MAX ? (uint32_t)size : 0;
    if (run->flags & FOB_RUN_FRESH) {
        dead.priority = (uint8_t)fob_prio_of(&group->prio, offset);
    } else {
        fob_back_entry_t *entry = fob_back_find(&group->back, offset);
        fob_keep_back(group, entry);
        dead.priority = entry->priority;
        dead.history = entry->history;
        fob_back_remove(&group->back, entry);
    }
    if (run->detail)
        dead.history = remember(self, dead.history, run->detail, true);
    fob_deads_add(&group->deads, &dead);
}

static void apply_dead(const applying_t *self, const fob_run_record_t *run) {
    leave_depth(self->core, self->group, run);
    if (run->flags & FOB_RUN_UNKNOWN)
        bury_unknown(self->core, self->group, run);
    for (uint32_t i = 0; !(run->flags & FOB_RUN_UNKNOWN) && i < run->count; i++)
        bury_one(self, run, fob_run_first(run) + i);
    self->group->dead += run->count;
    if (self->core->live)
        fob_dead_limits_due(self->core, self->group);
}

/* --- what comes back, and goes out again --- */

/* What is due later than this (a hundred years, in ms) waits so long. */
#define WAIT_MAX INT64_C(3155760000000)

void fob_core_schedule(fob_core_t *self, fob_group_t *group, fob_back_entry_t *entry) {
    int64_t wait = entry->due_ms - fob_core_time(self);
    if (wait <= 0) {
        fob_back_set(&group->back, entry, FOB_BACK_READY, 0);
        return;
    }
    int64_t due = self->now.mono_ns + (wait < WAIT_MAX ? wait : WAIT_MAX) * FOB_MS;
    fob_back_set(&group->back, entry, FOB_BACK_DELAYED, due);
    fob_waits_due(&self->waits, group, due);
}

static fob_back_entry_t *back_entry(fob_group_t *group, const fob_run_record_t *run,
                                    uint64_t offset) {
    fob_back_entry_t *entry;
    if (!(run->flags & FOB_RUN_FRESH)) {
        entry = fob_back_find(&group->back, offset);
        fob_keep_back(group, entry);
        return entry;
    }
    entry = fob_back_add(&group->back, offset);
    fob_keep_born(group, entry);
    entry->priority = (uint8_t)fob_prio_of(&group->prio, offset);
    return entry;
}

static void give_back(const applying_t *self, const fob_run_record_t *run, uint64_t offset,
                      uint64_t token) {
    fob_back_entry_t *entry = back_entry(self->group, run, offset);
    bool counted = run->flags & FOB_RUN_COUNTED && !(FOB_PLANTED(ATTEMPT_LOST) && offset % 4 == 0);
    entry->token = token;
    entry->due_ms = run->due_ms;
    entry->reason = run->reason;
    entry->out = false;
    entry->attempts += counted ? 1 : 0;
    if ((run->flags & FOB_RUN_RELEASED) && entry->releases < UINT16_MAX)
        entry->releases++;
    if (ends_attempt(run))
        entry->history = remember(self, entry->history, run->reason, counted);
    if (self->core->live)
        fob_core_schedule(self->core, self->group, entry);
}

static void hand_out(const applying_t *self, const fob_run_record_t *run, uint64_t offset,
                     uint64_t token) {
    fob_back_entry_t *entry = back_entry(self->group, run, offset);
    entry->token = token;
    entry->due_ms = 0;
    entry->out = true;
    if (self->core->live)
        fob_back_set(&self->group->back, entry, FOB_BACK_LEASED, 0);
}

static void apply_moves(const applying_t *self, const fob_run_record_t *run) {
    uint64_t last_token = run->token + run->count - 1;
    if (run->verb == FOB_RUN_HANDOUT && last_token > self->group->mark_token)
        self->group->mark_token = last_token;
    for (uint32_t i = 0; i < run->count; i++) {
        if (run->verb == FOB_RUN_RETURN)
            give_back(self, run, fob_run_first(run) + i, run->token + i);
        else
            hand_out(self, run, fob_run_first(run) + i, run->token + i);
    }
}

/* --- the life of dead letters --- */

const fob_dead_t *fob_apply_letter(const fob_group_t *group, const fob_run_record_t *run) {
    return run->from ? fob_deads_find(&group->deads, run->from)
                     : fob_deads_unknown(&group->deads, run->token);
}

static void apply_unbury(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    const fob_dead_t *dead = fob_apply_letter(group, run);
    fob_keep_letter(group, dead);
    fob_history_drop(self->history, dead->history);
    fob_deads_remove(&group->deads, dead);
    group->dead -= run->count;
    group->removed += run->count;
    group->removed_by[run->reason] += run->count;
}

/* It begins anew, but what was tried is remembered. */
static void redrive_one(fob_core_t *self, fob_group_t *group, uint64_t offset) {
    const fob_dead_t *found = fob_deads_find(&group->deads, offset);
    fob_dead_t dead = *found;
    bool stays = FOB_PLANTED(LETTER_REDRIVEN_TWICE) && !self->live;
    fob_keep_letter(group, found);
    if (!stays)
        fob_deads_remove(&group->deads, found);
    enter_depth(self, group, 1, dead.size ? dead.size : mean_size(group));
    group->dead--;
    fob_back_entry_t *entry = fob_back_add(&group->back, offset);
    fob_keep_born(group, entry);
    entry->history = stays ? 0 : dead.history; /* which is one's only */
    entry->priority = dead.priority;
    entry->size = dead.size;
    if (self->live)
        fob_back_set(&group->back, entry, FOB_BACK_READY, 0);
}

static void apply_redrive(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    for (uint64_t offset = run->from; offset <= run->to; offset++)
        redrive_one(self, group, offset);
    if (self->live)
        fob_core_wake(self, group);
}

void fob_apply_forget_back(fob_core_t *self, fob_group_t *group) {
    uint32_t at = 0;
    for (fob_back_entry_t *e; (e = fob_back_next(&group->back, &at)) != NULL;) {
        fob_history_drop(self->history, e->history);
        e->history = 0;
    }
}

void fob_apply_forget_deads(fob_core_t *self, fob_group_t *group) {
    size_t at = 0;
    for (const fob_dead_t *d; (d = fob_deads_next(&group->deads, &at)) != NULL;)
        fob_history_drop(self->history, d->history);
}

/* --- the census of a group that begins in the past --- */

static void apply_accept(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    enter_depth(self, group, run->count, run->bytes);
    group->accepted += run->count;
    group->census_at = run->to + 1;
    if (run->detail)
        fob_prio_add_run(&group->prio, run->detail, run->from, run->to);
}

static void apply_cover(fob_group_t *group, const fob_run_record_t *run) {
    if (run->flags & FOB_RUN_DAMAGED)
        group->damaged = true;
    if (fob_census_runs(group) && run->from <= group->census_at && run->to >= group->census_at)
        group->census_at = run->to + 1;
}

/* --- a run --- */

static void apply_run(const applying_t *self, const fob_run_record_t *run) {
    fob_core_t *core = self->core;
    fob_group_t *group = self->group;
    switch (run->verb) {
    case FOB_RUN_ACK:
        apply_ack(core, group, run);
        break;
    case FOB_RUN_SHED:
    case FOB_RUN_REMOVE:
        apply_drop(core, group, run);
        break;
    case FOB_RUN_DEAD:
        apply_dead(self, run);
        break;
    case FOB_RUN_RETURN:
    case FOB_RUN_HANDOUT:
        apply_moves(self, run);
        break;
    case FOB_RUN_REDRIVE:
        apply_redrive(core, group, run);
        break;
    case FOB_RUN_UNBURY:
        apply_unbury(core, group, run);
        break;
    case FOB_RUN_ACCEPT:
        apply_accept(core, group, run);
        break;
    default:
        apply_cover(group, run);
    }
    if (run->verb == FOB_RUN_COVER || (run->flags & FOB_RUN_FRESH)) {
        fob_cover_add(&group->cover, run->from, run->to);
        fob_prio_remove(&group->prio, run->from, run->to);
        make_up(core, group);
    }
    if (core->live && (run->verb == FOB_RUN_ACK || run->verb == FOB_RUN_DEAD))
        fob_meter_add(&group->out, core->now.mono_ns, run->count);
}

/* --- a record --- */

/* Room for all of it. FOB_DAMAGED: not what we wrote. */
static fob_status_t reserve(fob_core_t *self, fob_group_t *group, const fob_record_runs_t *record) {
    size_t back = 0, deads = 0, attempts = 0;
    size_t accepts[FOB_PRIORITIES] = {0};
    for (size_t i = 0; i < record->count; i++) {
        fob_run_record_t run;
        if (!fob_record_read_run(record->runs + i * FOB_RUN_SIZE, &run) || run.to > self->head ||
            (run.verb == FOB_RUN_ACCEPT && run.detail >= FOB_PRIORITIES))
            return FOB_DAMAGED;
        if (run.verb == FOB_RUN_RETURN || run.verb == FOB_RUN_HANDOUT ||
            run.verb == FOB_RUN_REDRIVE)
            back += run.count;
        if (run.verb == FOB_RUN_DEAD)
            deads += run.flags & FOB_RUN_UNKNOWN ? 1 : run.count;
        if (run.verb == FOB_RUN_RETURN || (run.verb == FOB_RUN_DEAD && run.detail))
            attempts += run.count;
        if (run.verb == FOB_RUN_ACCEPT && run.detail)
            accepts[run.detail]++;
    }
    bool room =
        fob_cover_reserve(&group->cover, record->count) && fob_back_reserve(&group->back, back) &&
        fob_deads_reserve(&group->deads, deads) &&
        fob_history_reserve(self->history, attempts, record->worker.size + record->text.size);
    for (unsigned i = 1; room && i < FOB_PRIORITIES; i++)
        room = accepts[i] == 0 || fob_prio_reserve_adds(&group->prio, i, accepts[i]);
    return room ? FOB_OK : FOB_NO_MEMORY;
}

fob_status_t fob_apply_runs(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    static const char *const wrong = "a settle or a hand-out is not one that we wrote";
    fob_record_runs_t record;
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
        fob_status_t status = reserve(self, group, &record);
        if (status != FOB_OK)
            return status == FOB_DAMAGED ? fob_damaged(self, position, wrong) : status;
    }
    self->time_ms = record.time_ms;
    applying_t applying = {.core = self, .group = group, .record = &record};
    for (size_t i = 0; i < record.count; i++) {
        fob_run_record_t run;
        fob_record_read_run(record.runs + i * FOB_RUN_SIZE, &run);
        if (!self->live && !fob_apply_run_fits(self, group, &run))
            return fob_damaged(self, position, wrong);
        if (!self->live && !fob_prio_reserve_removes(&group->prio, 1))
            return FOB_NO_MEMORY;
        apply_run(&applying, &run);
    }
    return FOB_OK;
}
