/* settle: leases end. Settles are always accepted; only a lease that is not the worker's is
 * refused, by name. */
#include "bus/core/refused.h"
#include "bus/core/runs.h"

#include <assert.h>

#define SETTLES_MAX   1048576                               /* events that one SETTLE may name */
#define SURE_EVENTS   (FOB_REFUSED_BYTES / FOB_REFUSED_ROW) /* each may be refused by itself */
#define RELEASES_FREE 100 /* releases of one event that cost no attempt */

/* One SETTLE on its way. */
typedef struct {
    fob_core_t *core;
    fob_group_t *group; /* NULL: there is none */
    uint32_t member;    /* or FOB_MEMBER_NONE */
    fob_runs_writer_t runs;
    fob_refused_t refused;
} settle_t;

/* --- how long it waits --- */

/* A number that looks random and is the same in every run. */
static uint64_t scatter(uint64_t offset, uint64_t attempt) {
    uint64_t x = offset * UINT64_C(0x9E3779B97F4A7C15) + attempt * UINT64_C(0xD1B54A32D192ED03);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static int64_t grown(int64_t first, uint64_t factor, uint32_t times, int64_t max) {
    int64_t pause = first;
    for (uint32_t i = 0; i < times && pause < max; i++)
        pause = factor && pause > max / (int64_t)factor ? max : pause * (int64_t)factor;
    return pause < max ? pause : max;
}

/* Full jitter: anything from 1 ms up to the bound. */
static int64_t backoff_ms(const fob_policy_t *policy, uint64_t offset, uint32_t attempt) {
    int64_t bound = grown((int64_t)policy->backoff_first, policy->backoff_factor, attempt - 1,
                          (int64_t)policy->backoff_max);
    return bound > 0 ? (int64_t)(scatter(offset, attempt) % (uint64_t)bound) + 1 : 0;
}

/* --- one event --- */

static void fate_retry(const settle_t *self, const fob_back_entry_t *entry, fob_run_record_t *run) {
    const fob_policy_t *policy = &self->group->policy;
    uint32_t attempt = (entry ? entry->attempts : 0) + 1;
    run->reason = FOB_REASON_RETRY;
    if (attempt >= policy->max_attempts) {
        run->verb = FOB_RUN_DEAD;
        run->token = attempt;
        return;
    }
    run->verb = FOB_RUN_RETURN;
    run->flags |= FOB_RUN_COUNTED;
    run->due_ms = fob_core_time(self->core) + backoff_ms(policy, run->to, attempt);
}

static void fate_release(const settle_t *self, const fob_back_entry_t *entry,
                         fob_run_record_t *run) {
    const fob_core_config_t *config = &self->core->config;
    uint32_t releases = entry ? entry->releases : 0;
    run->reason = FOB_REASON_RELEASE;
    run->flags |= FOB_RUN_RELEASED;
    if (releases >= RELEASES_FREE) {
        fate_retry(self, entry, run);
        return;
    }
    run->verb = FOB_RUN_RETURN;
    run->due_ms = fob_core_time(self->core) + grown(config->release_first_ms, 2, releases,
                                                    (int64_t)self->group->policy.backoff_max);
}

static void settle_grant(settle_t *self, fob_settle_kind_t kind, fob_grant_t *grant) {
    fob_group_t *group = self->group;
    const fob_back_entry_t *entry =
        grant->back && kind != FOB_KIND_ACK ? fob_back_find(&group->back, grant->offset) : NULL;
    fob_run_record_t run = {.verb = FOB_RUN_ACK,
                            .flags = grant->back ? 0 : FOB_RUN_FRESH,
                            .count = 1,
                            .from = grant->back ? grant->offset : grant->gap_from,
                            .to = grant->offset,
                            .token = grant->token};
    if (kind == FOB_KIND_RETRY)
        fate_retry(self, entry, &run);
    else if (kind == FOB_KIND_RELEASE)
        fate_release(self, entry, &run);
    else if (kind == FOB_KIND_REJECT) {
        run.verb = FOB_RUN_DEAD;
        run.reason = FOB_REASON_REJECT;
        run.token = (entry ? entry->attempts : 0) + 1;
    }
    fob_runs_put(&self->runs, &run);
    fob_grants_remove(&group->grants, &self->core->members.slab[self->member].held, grant);
}

/* --- refusals --- */

/* Why this worker cannot settle that event. */
static fob_status_t why_not(const settle_t *self, uint64_t offset) {
    const fob_group_t *group = self->group;
    const fob_back_entry_t *entry = fob_back_find(&group->back, offset);
    if (entry)
        return entry->state == FOB_BACK_LEASED ? FOB_STALE : FOB_NOT_HELD;
    return offset >= group->start && fob_cover_has(&group->cover, offset) ? FOB_GONE : FOB_NOT_HELD;
}

/* --- the command --- */

/* The worker's lease, or NULL. */
static fob_grant_t *grant_of(const settle_t *self, uint64_t offset, uint64_t token) {
    fob_grant_t *grant = fob_grants_find(&self->group->grants, token);
    return grant && grant->offset == offset && grant->member == self->member ? grant : NULL;
}

static void settle_row(settle_t *self, const fob_run_t *row, bool try) {
    uint64_t offset = row->at[1], count = row->at[2], token = row->at[3];
    if (self->member == FOB_MEMBER_NONE) {
        fob_refused_add(&self->refused, FOB_NOT_HELD, offset, count, token);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        fob_grant_t *grant = grant_of(self, offset + i, token + i);
        if (!grant)
            fob_refused_add(&self->refused, why_not(self, offset + i), offset + i, 1, token + i);
        else if (!try)
            settle_grant(self, (fob_settle_kind_t)row->at[0], grant);
    }
}

/* Whether the runs are well formed, and not too many; gives the number of events. */
static bool rows_valid(fob_slice_t raw, uint64_t *events) {
    fob_runs_t rows;
    fob_run_t row;
    *events = 0;
    if (raw.size == 0)
        return true;
    if (!fob_runs(raw, &rows))
        return false;
    while (fob_runs_next(&rows, &row)) {
        if (row.at[0] < FOB_KIND_ACK || row.at[0] > FOB_KIND_REJECT || row.at[1] > INT64_MAX ||
            row.at[2] > SETTLES_MAX || row.at[3] > INT64_MAX)
            return false;
        *events += row.at[2];
    }
    return !rows.cursor.failed && *events <= SETTLES_MAX;
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
    if (member && recorded)
        member->settled = fob_core_next_position(core);
    fob_slice_t refused = encode_refused(self, command->settle.runs);
    fob_effect_t *effect = fob_turn_effect(core->open, FOB_EFF_SETTLED);
    effect->conn = command->conn;
    effect->group = name;
    effect->seq = command->settle.seq;
    effect->after = member ? member->settled : 0;
    effect->refused = refused.data ? refused : (fob_slice_t){0};
}

fob_status_t fob_settle(fob_core_t *self, const fob_command_t *command) {
    settle_t settle = {.core = self,
                       .group = fob_groups_find(&self->groups, command->settle.group),
                       .member = FOB_MEMBER_NONE};
    uint64_t events;
    if (!rows_valid(command->settle.runs, &events))
        return FOB_PROTOCOL;
    if (settle.group)
        settle.member = fob_members_find(&self->members, command->conn, settle.group);
    if (events > SURE_EVENTS && settle.member != FOB_MEMBER_NONE) {
        settle_rows(&settle, command->settle.runs, true);
        if (!answerable(&settle, command->settle.runs))
            return FOB_PROTOCOL;
    }
    fob_open_turn_t *turn = fob_core_open(self);
    if (!turn || !fob_turn_reserve(turn, 0, 1, 0, 0))
        return FOB_NO_MEMORY;
    fob_slice_t name = fob_turn_copy(turn, command->settle.group);
    if (name.size && !name.data)
        return FOB_NO_MEMORY;
    bool recorded = false;
    if (settle.member != FOB_MEMBER_NONE) {
        uint32_t held = self->members.slab[settle.member].held.count;
        uint32_t most = events < held ? (uint32_t)events : held;
        if (!fob_runs_begin(&settle.runs, self, settle.group, most, most))
            return FOB_NO_MEMORY;
        settle_rows(&settle, command->settle.runs, false);
        recorded = fob_runs_end(&settle.runs);
    } else {
        settle_rows(&settle, command->settle.runs, false);
    }
    add_credit(&settle, command->settle.credit);
    reply(&settle, command, name, recorded);
    return FOB_OK;
}
