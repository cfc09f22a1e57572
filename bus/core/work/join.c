/* join: workers come, come back with what they hold, and go. */
#include "bus/core/work/fate.h"
#include "bus/core/work/lease.h"
#include "bus/core/work/lost.h"
#include "bus/core/work/refused.h"
#include "bus/core/work/sparing.h"
#include "bus/core/work/walk.h"
#include "proto/planted.h"

#include <assert.h>

#define CLAIMS_MAX 262144 /* events that one JOIN may claim */
#define CLAIM_ROWS 2400   /* in so many rows: each can be answered by one of `refused` */

/* One JOIN on its way. */
typedef struct {
    fob_core_t *core;
    fob_group_t *group;
    uint32_t member; /* the new one */
    uint32_t old;    /* whose leases it takes over, or FOB_MEMBER_NONE */
    fob_refused_t refused;
    uint64_t after; /* what the answer rests on: the group, and what claims wrote */
    uint64_t plain; /* first hand-outs of priority 0 that this row claimed so far */
} join_t;

/* --- giving back --- */

fob_status_t fob_give_back(fob_core_t *self, uint32_t index, uint64_t from, uint64_t counted,
                           uint8_t reason) {
    fob_member_t *member = &self->members.slab[index];
    fob_group_t *group = member->group;
    fob_runs_writer_t runs;
    if (member->held.count == 0)
        return FOB_OK;
    fob_slice_t worker = counted ? fob_member_worker(member) : (fob_slice_t){0};
    if (!fob_runs_begin_noted(&runs, self, group, member->held.count, member->held.count, worker,
                              (fob_slice_t){0}))
        return FOB_NO_MEMORY;
    uint64_t taken = 0;
    for (uint32_t at = member->held.first; at != FOB_GRANT_NONE;) {
        fob_grant_t *grant = &group->grants.slab[at];
        at = grant->next;
        if (grant->token < from)
            continue;
        bool counts = taken++ < counted;
        fob_run_record_t run = fob_fate(self, group, grant, (fob_reason_t)reason, counts, 0);
        fob_runs_put(&runs, &run);
        fob_sparing_back(self, group, grant);
        fob_grants_remove(&group->grants, &member->held, grant);
    }
    fob_runs_end(&runs);
    fob_core_wake(self, group);
    return FOB_OK;
}

/* The member gives back what it holds and is gone; so is a temporary group without workers. */
static fob_status_t part(fob_core_t *self, uint32_t index, bool lost) {
    fob_member_t *member = &self->members.slab[index];
    fob_group_t *group = member->group;
    uint64_t counted = lost ? fob_member_free_jobs(member) : 0;
    bool drops = group->temporary && group->member_count == 1;
    uint8_t *drop = drops ? fob_group_drop_reserve(self) : NULL;
    if (drops && !drop)
        return FOB_NO_MEMORY;
    fob_status_t status =
        fob_give_back(self, index, 0, counted, lost ? FOB_REASON_LOST : FOB_REASON_LEAVE);
    if (status != FOB_OK)
        return status;
    fob_members_remove(&self->members, index);
    if (group->member_count > 0)
        return FOB_OK;
    group->no_member_ns = self->now.mono_ns;
    if (drops)
        fob_group_drop(self, group, drop);
    return FOB_OK;
}

fob_status_t fob_leave(fob_core_t *self, const fob_command_t *command) {
    fob_group_t *group = fob_groups_find(&self->groups, command->leave.group);
    uint32_t index =
        group ? fob_members_find(&self->members, command->conn, group) : FOB_MEMBER_NONE;
    return index == FOB_MEMBER_NONE ? FOB_OK : part(self, index, false);
}

fob_status_t fob_unsent(fob_core_t *self, const fob_command_t *command) {
    fob_group_t *group = fob_groups_find(&self->groups, command->unsent.group);
    uint32_t index =
        group ? fob_members_find(&self->members, command->conn, group) : FOB_MEMBER_NONE;
    if (index == FOB_MEMBER_NONE)
        return FOB_OK;
    /* What it claimed it has, from another connection. */
    uint64_t from = command->unsent.after + 1, first = self->members.slab[index].first_token;
    return fob_give_back(self, index, from > first ? from : first, 0, FOB_REASON_LOST);
}

/* The last worker of a temporary group may still come back to it. */
static bool may_part(const fob_member_t *member) {
    return member->held.count == 0 &&
           !(member->group->temporary && member->group->member_count == 1);
}

fob_status_t fob_unreachable(fob_core_t *self, const fob_command_t *command) {
    uint32_t index = fob_members_of(&self->members, command->conn);
    while (index != FOB_MEMBER_NONE) {
        const fob_member_t *member = &self->members.slab[index];
        uint32_t next = member->conn_next;
        fob_members_unreach(&self->members, index, command->unreachable.until_ns);
        fob_status_t status = may_part(member) ? part(self, index, true) : FOB_OK;
        if (status != FOB_OK)
            return status;
        index = next;
    }
    return FOB_OK;
}

fob_status_t fob_lost(fob_core_t *self, const fob_command_t *command) {
    uint32_t index;
    fob_refusals_forget(&self->refusals, command->conn);
    while ((index = fob_members_of(&self->members, command->conn)) != FOB_MEMBER_NONE) {
        fob_status_t status = part(self, index, true);
        if (status != FOB_OK)
            return status;
    }
    return FOB_OK;
}

fob_status_t fob_credit(fob_core_t *self, const fob_command_t *command) {
    fob_group_t *group = fob_groups_find(&self->groups, command->credit.group);
    uint32_t index =
        group ? fob_members_find(&self->members, command->conn, group) : FOB_MEMBER_NONE;
    if (index == FOB_MEMBER_NONE)
        return FOB_OK; /* it left, or was given up: credit means nothing then */
    fob_member_t *member = &self->members.slab[index];
    if (command->credit.credit > member->credit)
        member->credit = command->credit.credit;
    fob_members_ring(&self->members, index);
    fob_core_wake(self, group);
    return FOB_OK;
}

/* --- claims --- */

/* Refuses the index-th event of a row. Each row that follows (`left`) needs a place in the answer,
 * and so does what else of this row may have to be refused: where there is none any more, the rest
 * of the row is refused as a whole. True: that was the rest. */
static bool refuse(join_t *self, fob_status_t status, const fob_run_t *row, uint64_t index,
                   uint32_t left) {
    fob_refused_t *refused = &self->refused;
    uint64_t offset = row->at[0] + index, token = row->at[2] + index;
    bool room = fob_refused_bytes(refused) + (left + 2) * FOB_REFUSED_ROW <= FOB_REFUSED_BYTES &&
                refused->rows + left + 2 <= FOB_RUNS_MAX;
    if (room || fob_refused_joins(refused, status, offset, token)) {
        fob_refused_add(refused, status, offset, 1, token);
        return false;
    }
    fob_refused_add(refused, FOB_NOT_HELD, offset, row->at[1] - index, token);
    return true;
}

static void hold(join_t *self, uint64_t offset, uint64_t token) {
    fob_member_t *member = &self->core->members.slab[self->member];
    if (member->held.count == 0)
        member->since_ns = self->core->now.mono_ns;
    fob_grants_add(&self->group->grants, &member->held,
                   &(fob_grant_t){.token = token,
                                  .offset = offset,
                                  .gap_from = offset,
                                  .member = self->member,
                                  .back = true});
}

/* A lease that runs: the worker's own, or another's. */
static fob_status_t claim_running(join_t *self, fob_grant_t *grant, uint64_t offset) {
    fob_member_t *members = self->core->members.slab;
    if (grant->offset != offset)
        return FOB_NOT_HELD;
    if (grant->member == self->member)
        return FOB_OK;
    if (grant->member != self->old)
        return FOB_STALE;
    fob_grants_move(&self->group->grants, &members[self->old].held, &members[self->member].held,
                    grant, self->member);
    return FOB_OK;
}

/* One that came back, or was out before the start: the last to have had it may keep it. */
static fob_status_t claim_back(join_t *self, fob_runs_writer_t *runs, fob_back_entry_t *entry,
                               uint64_t token) {
    if (entry->state == FOB_BACK_LEASED)
        return FOB_STALE;
    if (entry->token != token && !FOB_PLANTED(STALE_CLAIM))
        return FOB_NOT_HELD;
    fob_back_set(&self->group->back, entry, FOB_BACK_LEASED, 0);
    if (!entry->out) {
        fob_run_record_t run = {.verb = FOB_RUN_HANDOUT,
                                .count = 1,
                                .from = entry->offset,
                                .to = entry->offset,
                                .token = token};
        fob_runs_put(runs, &run);
    }
    hold(self, entry->offset, token);
    return FOB_OK;
}

/* Whether the event is known not to be the group's: where it is not in memory, the worker is
 * believed. */
static bool is_anothers(join_t *self, uint64_t offset) {
    fob_sheet_t *sheet;
    uint64_t end;
    fob_matcher_t matcher;
    return fob_cache_find(&self->core->cache, offset, &sheet, &end) == FOB_CACHE_HIT &&
           fob_matcher_init(&matcher, self->core, self->group, sheet) &&
           !fob_matcher_has(&matcher, (uint32_t)(offset - sheet->first_offset));
}

/* Whether all that is left of those that were never out is counted as shed or removed, though
 * nobody knows yet which they are: then it is one of them. */
static bool is_owed(const join_t *self, unsigned priority) {
    const fob_group_t *group = self->group;
    return group->debt > 0 && priority == 0 && fob_group_ready_plain(group) <= self->plain;
}

/* A first hand-out from before the start. */
static fob_status_t claim_fresh(join_t *self, fob_runs_writer_t *runs, uint64_t offset,
                                uint64_t token) {
    const fob_group_t *group = self->group;
    if (!group->resuming || offset < group->resume_at || offset > group->resume_to ||
        token <= group->void_token || token > group->resume_token || is_anothers(self, offset))
        return FOB_NOT_HELD;
    unsigned priority = fob_prio_of(&group->prio, offset);
    if (is_owed(self, priority))
        return FOB_GONE;
    self->plain += priority == 0;
    fob_run_record_t run = {.verb = FOB_RUN_HANDOUT,
                            .flags = FOB_RUN_FRESH,
                            .count = 1,
                            .from = offset,
                            .to = offset,
                            .token = token};
    fob_runs_put(runs, &run);
    hold(self, offset, token);
    return FOB_OK;
}

static fob_status_t claim_one(join_t *self, fob_runs_writer_t *runs, uint64_t offset,
                              uint64_t token) {
    fob_group_t *group = self->group;
    if (token == 0 || FOB_PLANTED(CLAIM_REFUSED))
        return FOB_NOT_HELD; /* what was redriven has no token until it goes out */
    fob_grant_t *grant = fob_grants_find(&group->grants, token);
    if (grant)
        return claim_running(self, grant, offset);
    fob_back_entry_t *entry = fob_back_find(&group->back, offset);
    if (entry)
        return claim_back(self, runs, entry, token);
    if (offset < group->start)
        return FOB_NOT_HELD;
    if (fob_cover_has(&group->cover, offset))
        return FOB_GONE;
    return claim_fresh(self, runs, offset, token);
}

/* Room for what one row can change. */
static bool reserve_row(join_t *self, fob_runs_writer_t *runs, uint64_t count) {
    return fob_grants_reserve(&self->group->grants, count) &&
           fob_runs_begin(runs, self->core, self->group, count, count);
}

static fob_status_t claim(join_t *self, fob_slice_t claims) {
    fob_runs_t rows;
    fob_run_t row;
    if (claims.size == 0 || !fob_runs(claims, &rows))
        return FOB_OK;
    while (fob_runs_next(&rows, &row)) {
        uint64_t offset = row.at[0], count = row.at[1], token = row.at[2];
        fob_runs_writer_t runs;
        /* A record each: an event claimed twice is then seen as held the second time. */
        if (!reserve_row(self, &runs, count))
            return FOB_NO_MEMORY;
        bool over = false;
        self->plain = 0;
        for (uint64_t i = 0; i < count && !over; i++) {
            fob_status_t status = claim_one(self, &runs, offset + i, token + i);
            over = status != FOB_OK && refuse(self, status, &row, i, rows.left);
        }
        if (fob_runs_end(&runs))
            self->after = fob_core_next_position(self->core);
    }
    return FOB_OK;
}

/* Whether the claims are well formed, and not too many. */
static bool claims_valid(fob_slice_t claims) {
    fob_runs_t rows;
    fob_run_t row;
    uint64_t total = 0;
    if (claims.size == 0)
        return true;
    if (!fob_runs(claims, &rows) || rows.left > CLAIM_ROWS)
        return false;
    while (fob_runs_next(&rows, &row)) {
        if (row.at[1] > CLAIMS_MAX || row.at[0] > INT64_MAX || row.at[2] > INT64_MAX)
            return false;
        total += row.at[1];
    }
    return !rows.cursor.failed && total <= CLAIMS_MAX;
}

/* --- joining --- */

static uint32_t find_old(const fob_core_t *core, const fob_group_t *group,
                         const fob_command_t *command) {
    uint32_t same = fob_members_find(&core->members, command->conn, group);
    if (same == FOB_MEMBER_NONE && command->join.session)
        same = fob_members_named(&core->members, command->join.session, group);
    return same;
}

/* Tells the old connection, should it still be there, what it has lost. */
static fob_status_t tell_lost(join_t *self) {
    fob_core_t *core = self->core;
    const fob_member_t *old = &core->members.slab[self->old];
    if (old->conn == core->members.slab[self->member].conn)
        return FOB_OK;
    bool told = fob_lost_tell(core, self->group, old->conn, old->held.first, (fob_slice_t){0}, 0);
    return told ? FOB_OK : FOB_NO_MEMORY;
}

/* What the new one did not claim goes back at no cost, and the old one is no more. */
static fob_status_t replace_old(join_t *self) {
    if (self->old == FOB_MEMBER_NONE)
        return FOB_OK;
    fob_status_t status = tell_lost(self);
    if (status == FOB_OK)
        status = fob_give_back(self->core, self->old, 0, 0, FOB_REASON_LEAVE);
    if (status == FOB_OK)
        fob_members_remove(&self->core->members, self->old);
    return status;
}

static fob_status_t encode_refused(join_t *self, fob_slice_t *out) {
    fob_core_t *core = self->core;
    *out = (fob_slice_t){0};
    if (self->refused.rows == 0)
        return FOB_OK;
    if (!fob_refused_end(&self->refused, &core->row_heads))
        return FOB_NO_MEMORY;
    *out = fob_turn_copy(core->open, fob_buf_slice(&core->row_heads));
    return out->data ? FOB_OK : FOB_NO_MEMORY;
}

static uint64_t jobs_of(uint64_t jobs) {
    return jobs == 0 ? 1 : jobs < FOB_JOBS_MAX ? jobs : FOB_JOBS_MAX;
}

static fob_status_t enter(fob_core_t *core, fob_group_t *group, const fob_command_t *command,
                          fob_slice_t *refused, uint64_t *after) {
    join_t join = {.core = core, .group = group, .after = group->born};
    join.old = find_old(core, group, command);
    /* What the old one was promised may rest on a commit that is not durable yet. */
    if (join.old != FOB_MEMBER_NONE && core->members.slab[join.old].joined > join.after)
        join.after = core->members.slab[join.old].joined;
    fob_refused_begin(&join.refused, &core->rows);
    join.member = fob_members_add(&core->members, command->conn, group);
    if (join.member == FOB_MEMBER_NONE)
        return FOB_NO_MEMORY;
    fob_member_t *member = &core->members.slab[join.member];
    if (command->join.session)
        fob_members_name(&core->members, join.member, command->join.session);
    member->first_token = group->next_token;
    member->credit = command->join.credit;
    member->jobs = jobs_of(command->join.jobs);
    fob_slice_t worker = fob_note_cut(command->join.worker);
    member->worker_size = (uint8_t)worker.size;
    if (worker.size)
        memcpy(member->worker, worker.data, worker.size);
    fob_lease_bind(core, join.member, command->join.lease_ms);
    fob_status_t status = claim(&join, command->join.claims);
    if (status == FOB_OK)
        status = encode_refused(&join, refused); /* before the scratch serves for what is lost */
    if (status == FOB_OK)
        status = replace_old(&join);
    core->members.slab[join.member].joined = *after = join.after;
    fob_lease_begin(core, join.member);
    fob_members_ring(&core->members, join.member);
    fob_core_wake(core, group);
    return status;
}

static fob_status_t find_or_create(fob_core_t *self, const fob_command_t *command,
                                   fob_group_t **group, bool *created) {
    fob_slice_t name = command->join.group, pattern = command->join.pattern;
    *created = false;
    *group = fob_groups_find(&self->groups, name);
    fob_status_t status =
        fob_group_check(name, *group && pattern.size == 0 ? (*group)->pattern : pattern);
    if (!*group && !command->join.create && status != FOB_INVALID)
        return FOB_NO_GROUP;
    if (status != FOB_OK)
        return status;
    if (*group) {
        bool same = pattern.size == 0 || fob_slice_eq((*group)->pattern, pattern);
        return same ? FOB_OK : FOB_PATTERN_DIFFERS;
    }
    *created = true;
    fob_birth_t birth = {.name = name, .pattern = pattern, .temporary = command->join.temporary};
    return fob_group_create(self, &birth, group);
}

fob_status_t fob_join(fob_core_t *self, const fob_command_t *command) {
    fob_open_turn_t *turn = fob_core_open(self);
    fob_group_t *group;
    fob_slice_t refused = {0};
    bool created;
    uint64_t after = 0;
    if (!claims_valid(command->join.claims))
        return FOB_PROTOCOL;
    if (!turn || !fob_turn_reserve(turn, 0, 1, 0, 0))
        return FOB_NO_MEMORY;
    fob_slice_t name = fob_turn_copy(turn, command->join.group);
    fob_status_t status = find_or_create(self, command, &group, &created);
    if (status == FOB_OK)
        status = enter(self, group, command, &refused, &after);
    fob_slice_t pattern =
        group && status != FOB_NO_MEMORY ? fob_turn_copy(turn, group->pattern) : (fob_slice_t){0};
    if (status == FOB_NO_MEMORY || (name.size && !name.data) || !fob_turn_reserve(turn, 0, 1, 0, 0))
        return FOB_NO_MEMORY;
    fob_effect_t *effect = fob_turn_effect(turn, FOB_EFF_JOINED);
    effect->conn = command->conn;
    effect->group = name;
    effect->pattern = pattern.data ? pattern : (fob_slice_t){0};
    effect->status = status;
    effect->created = created && status == FOB_OK;
    if (status == FOB_OK)
        effect->lease_ms = fob_lease_bound(group, command->join.lease_ms);
    effect->text =
        fob_group_refusal(self, status, command->join.group, command->join.pattern, group);
    effect->refused = refused;
    effect->after = after;
    fob_core_wait(self, effect->after);
    return FOB_OK;
}
