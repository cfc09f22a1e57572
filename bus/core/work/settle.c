/* settle: leases end. Settles are always accepted; only a lease that is not the worker's is
 * refused, by name. */
#include "bus/core/durable/runs.h"
#include "bus/core/work/fate.h"
#include "bus/core/work/lease.h"
#include "bus/core/work/refused.h"
#include "bus/core/work/sparing.h"
#include "proto/planted.h"

#define SETTLES_MAX 1048576                               /* events that one SETTLE may name */
#define SURE_EVENTS (FOB_REFUSED_BYTES / FOB_REFUSED_ROW) /* each may be refused by itself */

/* One SETTLE on its way. */
typedef struct {
    fob_core_t *core;
    fob_group_t *group;             /* NULL: there is none */
    uint32_t member;                /* or FOB_MEMBER_NONE */
    size_t ack_count, other_count;  /* events named, by kind */
    fob_runs_writer_t acks, others; /* begun where there are such */
    fob_refused_t refused;
} settle_t;

/* --- one event --- */

static fob_reason_t reason_of(fob_settle_kind_t kind) {
    return kind == FOB_KIND_RETRY     ? FOB_REASON_RETRY
           : kind == FOB_KIND_RELEASE ? FOB_REASON_RELEASE
                                      : FOB_REASON_REJECT;
}

static fob_run_record_t ack_run(const fob_grant_t *grant) {
    return (fob_run_record_t){.verb = FOB_RUN_ACK,
                              .flags = grant->back ? 0 : FOB_RUN_FRESH,
                              .count = 1,
                              .from = grant->back ? grant->offset : grant->gap_from,
                              .to = grant->offset,
                              .bytes = grant->size};
}

static void settle_grant(settle_t *self, fob_settle_kind_t kind, uint64_t after_ms,
                         fob_grant_t *grant) {
    fob_group_t *group = self->group;
    if (kind == FOB_KIND_ACK) {
        fob_sparing_done(self->core, group, grant);
        fob_run_record_t run = ack_run(grant);
        fob_runs_put(&self->acks, &run);
    } else {
        fob_sparing_back(self->core, group, grant);
        fob_run_record_t run = fob_fate(self->core, group, grant, reason_of(kind), true, after_ms);
        fob_runs_put(&self->others, &run);
    }
    fob_grants_remove(&group->grants, &self->core->members.slab[grant->member].held, grant);
}

/* Acks the first of up to `count` leases, and those behind it that are one run with it: as they
 * were handed out, so most are settled. None of them came back. Returns how many. */
static uint32_t ack_run_of(settle_t *self, fob_grant_t *first, uint64_t count) {
    fob_grants_t *grants = &self->group->grants;
    fob_run_record_t run = ack_run(first);
    for (uint32_t at = first->next; run.count < count && at != FOB_GRANT_NONE;) {
        const fob_grant_t *grant = &grants->slab[at];
        if (grant->token != first->token + run.count || grant->offset != run.to + 1 ||
            grant->gap_from != grant->offset || grant->back ||
            (grant->size == 0) != (run.bytes == 0))
            break;
        run.to++;
        run.count++;
        run.bytes += grant->size;
        at = grant->next;
    }
    fob_runs_put(&self->acks, &run);
    fob_grants_remove_run(grants, &self->core->members.slab[first->member].held, first, run.count);
    return run.count;
}

/* --- refusals --- */

/* The lease of an event that came back; NULL: nobody has it. */
static fob_grant_t *running(const settle_t *self, const fob_back_entry_t *entry) {
    return entry && entry->state == FOB_BACK_LEASED
               ? fob_grants_find(&self->group->grants, entry->token)
               : NULL;
}

/* Why this worker cannot settle that event. */
static fob_status_t why_not(const settle_t *self, uint64_t offset, uint64_t token) {
    const fob_group_t *group = self->group;
    const fob_back_entry_t *entry = fob_back_find(&group->back, offset);
    if (entry)
        return running(self, entry) || entry->token > token ? FOB_STALE : FOB_NOT_HELD;
    return offset >= group->start && fob_cover_has(&group->cover, offset) ? FOB_GONE : FOB_NOT_HELD;
}

/* What is refused may be of a lease that ran out: then its handler has ended now. */
static void refuse(settle_t *self, uint64_t offset, uint64_t token, bool try) {
    fob_refused_add(&self->refused, why_not(self, offset, token), offset, 1, token);
    if (!try)
        fob_lease_ended(self->core, self->member, offset, token);
}

/* --- the command --- */

/* The worker's lease, or NULL. */
static fob_grant_t *grant_of(const settle_t *self, uint64_t offset, uint64_t token) {
    fob_grant_t *grant = fob_grants_find(&self->group->grants, token);
    if (FOB_PLANTED(STALE_SETTLE) && !grant)
        return running(self, fob_back_find(&self->group->back, offset));
    return grant && grant->offset == offset && grant->member == self->member ? grant : NULL;
}

static void settle_row(settle_t *self, const fob_run_t *row, bool try) {
    uint64_t offset = row->at[1], count = row->at[2], token = row->at[3];
    if (self->member == FOB_MEMBER_NONE) {
        fob_refused_add(&self->refused, FOB_NOT_HELD, offset, count, token);
        return;
    }
    for (uint64_t i = 0; i < count;) {
        fob_grant_t *grant = grant_of(self, offset + i, token + i);
        if (grant && !try && row->at[0] == FOB_KIND_ACK && !grant->back) {
            i += ack_run_of(self, grant, count - i);
            continue;
        }
        if (!grant)
            refuse(self, offset + i, token + i, try);
        else if (!try)
            settle_grant(self, (fob_settle_kind_t)row->at[0], row->at[4], grant);
        i++;
    }
}

/* Whether the runs are well formed, and not too many; counts their events. */
static bool rows_valid(settle_t *self, fob_slice_t raw) {
    fob_runs_t rows;
    fob_run_t row;
    if (raw.size == 0)
        return true;
    if (!fob_runs(raw, &rows))
        return false;
    while (fob_runs_next(&rows, &row)) {
        if (row.at[0] < FOB_KIND_ACK || row.at[0] > FOB_KIND_REJECT || row.at[1] > INT64_MAX ||
            row.at[2] > SETTLES_MAX || row.at[3] > INT64_MAX)
            return false;
        *(row.at[0] == FOB_KIND_ACK ? &self->ack_count : &self->other_count) += (size_t)row.at[2];
    }
    return !rows.cursor.failed && self->ack_count + self->other_count <= SETTLES_MAX;
}

/* With `try`, only what would be refused is told. */
static void settle_rows(settle_t *self, fob_slice_t raw, bool try) {
    fob_runs_t rows;
    fob_run_t row;
    fob_refused_begin(&self->refused, &self->core->rows);
    if (raw.size == 0 || !fob_runs(raw, &rows))
        return;
    while (fob_runs_next(&rows, &row))
        settle_row(self, &row, try);
}

/* Whether an answer can tell all that is to be refused: as much as was asked in, row for row,
 * always. More comes of rows some of whose events are the worker's and some are not. */
static bool answerable(const settle_t *self, fob_slice_t raw) {
    const fob_refused_t *refused = &self->refused;
    size_t most = raw.size > FOB_REFUSED_BYTES ? raw.size : FOB_REFUSED_BYTES;
    return fob_refused_bytes(refused) <= most && refused->rows <= FOB_RUNS_MAX;
}

static void add_credit(settle_t *self, uint64_t credit) {
    fob_core_t *core = self->core;
    if (self->member == FOB_MEMBER_NONE)
        return;
    fob_member_t *member = &core->members.slab[self->member];
    if (credit > member->credit)
        member->credit = credit;
    fob_members_ring(&core->members, self->member);
    fob_core_wake(core, self->group);
}

static fob_slice_t encode_refused(settle_t *self, fob_slice_t raw) {
    fob_core_t *core = self->core;
    /* Not answerable, though it seemed so: leases were named twice. That they are not the worker's
     * any more is no news. */
    if (self->refused.rows == 0 || !answerable(self, raw))
        return (fob_slice_t){0};
    /* Without memory for the list the answer goes without it: the leases are the worker's no more
     * either way. */
    return fob_refused_end(&self->refused, &core->row_heads)
               ? fob_turn_copy(core->open, fob_buf_slice(&core->row_heads))
               : (fob_slice_t){0};
}

static void reply(settle_t *self, const fob_command_t *command, fob_slice_t name, bool recorded) {
    fob_core_t *core = self->core;
    fob_member_t *member =
        self->member == FOB_MEMBER_NONE ? NULL : &core->members.slab[self->member];
    if (member && recorded) {
        member->settled = fob_core_next_position(core);
        member->since_ns = core->now.mono_ns;
    }
    fob_slice_t refused = encode_refused(self, command->settle.runs);
    fob_effect_t *effect = fob_turn_effect(core->open, FOB_EFF_SETTLED);
    effect->conn = command->conn;
    effect->group = name;
    effect->seq = command->settle.seq;
    effect->after = member ? member->settled : 0;
    effect->refused = refused.data ? refused : (fob_slice_t){0};
}

/* Why, in the worker's words; where the bus keeps too many of them already, that. */
static fob_slice_t text_of(const fob_core_t *self, fob_slice_t text) {
    if (text.size && fob_history_note_bytes(self->history) > FOB_NOTES_MAX)
        return fob_slice_str("(not kept: the bus holds too many different reasons)");
    return fob_note_cut(text);
}

/* Room for the records: one of acks, one of all else with its note. */
static bool begin_records(settle_t *self, fob_slice_t text) {
    fob_core_t *core = self->core;
    const fob_member_t *member = &core->members.slab[self->member];
    size_t held = FOB_PLANTED(STALE_SETTLE) ? SETTLES_MAX : member->held.count;
    size_t acks = self->ack_count < held ? self->ack_count : held;
    size_t others = self->other_count < held ? self->other_count : held;
    return (acks == 0 || fob_runs_begin_ends(&self->acks, core, self->group, acks)) &&
           (others == 0 || fob_runs_begin_noted(&self->others, core, self->group, others, others,
                                                fob_member_worker(member), text_of(core, text))) &&
           (acks == 0 || others == 0 || fob_runs_room(self->group, acks + others)) &&
           fob_turn_reserve(core->open, 2, 1, 0, 0);
}

/* True: something was recorded. */
static bool end_records(settle_t *self) {
    bool acks = self->acks.bytes && fob_runs_end(&self->acks);
    bool others = self->others.bytes && fob_runs_end(&self->others);
    fob_lease_begin(self->core, self->member);
    return acks || others;
}

fob_status_t fob_settle(fob_core_t *self, const fob_command_t *command) {
    settle_t settle = {.core = self,
                       .group = fob_groups_find(&self->groups, command->settle.group),
                       .member = FOB_MEMBER_NONE};
    if (!rows_valid(&settle, command->settle.runs))
        return FOB_PROTOCOL;
    if (settle.group)
        settle.member = fob_members_find(&self->members, command->conn, settle.group);
    bool mine = settle.member != FOB_MEMBER_NONE;
    if (settle.ack_count + settle.other_count > SURE_EVENTS && mine) {
        settle_rows(&settle, command->settle.runs, true);
        if (!answerable(&settle, command->settle.runs))
            return FOB_PROTOCOL;
    }
    fob_open_turn_t *turn = fob_core_open(self);
    if (!turn || !fob_turn_reserve(turn, 0, 1, 0, 0))
        return FOB_NO_MEMORY;
    fob_slice_t name = fob_turn_copy(turn, command->settle.group);
    if ((name.size && !name.data) || (mine && !begin_records(&settle, command->settle.text)))
        return FOB_NO_MEMORY;
    settle_rows(&settle, command->settle.runs, false);
    bool recorded = mine && end_records(&settle);
    add_credit(&settle, command->settle.credit);
    reply(&settle, command, name, recorded);
    return FOB_OK;
}
