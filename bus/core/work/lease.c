#include "bus/core/work/lease.h"

#include "bus/core/durable/runs.h"
#include "bus/core/work/fate.h"
#include "bus/core/work/lost.h"
#include "bus/core/work/sparing.h"
#include "proto/duration.h"
#include "proto/planted.h"

#include <stdio.h>
#include <string.h>

#define TAKEN_AT_ONCE 1000 /* of one worker: their rows fit into one LOST */
#define TRY_AGAIN_MS  100  /* where there was no memory */
#define RESUME_BEATS  3    /* the resume window's length in beats */

/* --- bounds --- */

uint64_t fob_lease_bound(const fob_group_t *group, uint64_t wanted_ms) {
    uint64_t lease = group->policy.lease;
    return lease == 0 || (wanted_ms && wanted_ms < lease) ? wanted_ms : lease;
}

static void set_bound(fob_group_t *group, fob_member_t *member) {
    uint64_t bound = fob_lease_bound(group, member->lease_ms), most = INT64_MAX / FOB_MS / 2;
    member->lease_ns = (int64_t)(bound < most ? bound : most) * FOB_MS;
    group->bounded = group->bounded || bound > 0;
}

void fob_lease_bind(fob_core_t *self, uint32_t index, uint64_t wanted_ms) {
    fob_member_t *member = &self->members.slab[index];
    member->lease_ms = wanted_ms;
    set_bound(member->group, member);
}

/* --- begun ones --- */

void fob_lease_begin(fob_core_t *self, uint32_t index) {
    fob_member_t *member = &self->members.slab[index];
    fob_group_t *group = member->group;
    fob_grant_list_t *held = &member->held;
    uint64_t jobs = fob_member_free_jobs(member);
    if (member->lease_ns == 0 || FOB_PLANTED(LEASE_IGNORED))
        return;
    while (held->begun < jobs && held->begun < held->count) {
        fob_grant_t *slab = group->grants.slab;
        uint32_t at = held->begun ? slab[held->begun_last].next : held->first;
        /* One that the worker took over from a connection of its own goes on. */
        if (slab[at].begun_ns == 0)
            slab[at].begun_ns = self->now.mono_ns;
        slab[at].begun = true;
        held->begun_last = at;
        held->begun++;
        fob_waits_due(&self->waits, group, slab[at].begun_ns + member->lease_ns);
    }
}

void fob_lease_ended(fob_core_t *self, uint32_t index, uint64_t offset, uint64_t token) {
    fob_member_t *member = &self->members.slab[index];
    fob_grants_t *overdue = &member->group->overdue;
    fob_grant_t *lease = member->overdue.count > 0 ? fob_grants_find(overdue, token) : NULL;
    if (lease && lease->member == index && lease->offset == offset)
        fob_grants_remove(overdue, &member->overdue, lease);
}

static void forget_begun(fob_group_t *group, fob_grant_list_t *held) {
    uint32_t at = held->first;
    for (uint32_t i = 0; i < held->begun; i++) {
        group->grants.slab[at].begun = false;
        group->grants.slab[at].begun_ns = 0;
        at = group->grants.slab[at].next;
    }
    held->begun = 0;
    held->begun_last = FOB_GRANT_NONE;
}

void fob_lease_changed(fob_core_t *self, fob_group_t *group) {
    for (uint32_t i = 0; i < group->member_count; i++) {
        fob_member_t *member = &self->members.slab[group->members[i]];
        forget_begun(group, &member->held);
        set_bound(group, member);
        fob_lease_begin(self, group->members[i]);
    }
}

/* --- their end --- */

/* What one worker loses. */
typedef struct {
    fob_core_t *core;
    fob_group_t *group;
    uint32_t member;
    uint32_t at[TAKEN_AT_ONCE]; /* the leases */
    size_t count;
    fob_slice_t name;
    fob_slice_t runs[2], text[2]; /* of those that come back, and of those that die */
} loss_t;

enum { RETURNS, DIES };

static void find_over(loss_t *self) {
    const fob_member_t *member = &self->core->members.slab[self->member];
    uint32_t at = member->held.first;
    for (uint32_t i = 0; i < member->held.begun && self->count < TAKEN_AT_ONCE; i++) {
        const fob_grant_t *grant = &self->group->grants.slab[at];
        if (grant->begun_ns + member->lease_ns <= self->core->now.mono_ns)
            self->at[self->count++] = at;
        at = grant->next;
    }
}

static fob_run_record_t fate_of(const loss_t *self, size_t index) {
    const fob_grant_t *grant = &self->group->grants.slab[self->at[index]];
    return fob_fate(self->core, self->group, grant, FOB_REASON_LEASE, true, 0);
}

/* The rows of one kind, in the turn's memory; *any: there are some. False: no memory. */
static bool copy_rows(loss_t *self, int kind) {
    fob_core_t *core = self->core;
    fob_buf_t *rows = &core->rows, *whole = &core->row_heads;
    uint32_t count = 0;
    fob_buf_clear(rows);
    fob_buf_clear(whole);
    for (size_t i = 0; i < self->count; i++) {
        const fob_grant_t *grant = &self->group->grants.slab[self->at[i]];
        if ((fate_of(self, i).verb == FOB_RUN_DEAD) != (kind == DIES))
            continue;
        fob_run_write(rows, (uint64_t[]){grant->offset, 1, grant->token}, 3);
        count++;
    }
    if (count == 0)
        return true;
    fob_pack_array(whole, count);
    fob_buf_put(whole, rows->data, rows->size);
    if (rows->failed || whole->failed)
        return false;
    self->runs[kind] = fob_turn_copy(core->open, fob_buf_slice(whole));
    return self->runs[kind].data != NULL;
}

/* `note`: what the history says. */
static bool copy_texts(loss_t *self, fob_slice_t *note) {
    static const char *const ends[] = {": the event goes to another",
                                       " at the last attempt: the event is a dead letter"};
    char lease[32], text[160];
    fob_duration_text(self->core->members.slab[self->member].lease_ns / FOB_MS, lease,
                      sizeof lease);
    for (int kind = RETURNS; kind <= DIES; kind++) {
        int size = snprintf(text, sizeof text, "the lease of %s ran out%s", lease, ends[kind]);
        self->text[kind] = fob_turn_copy(self->core->open, fob_slice(text, (size_t)size));
        if (!self->text[kind].data)
            return false;
    }
    *note = fob_slice(self->text[0].data, self->text[0].size - strlen(ends[0]));
    return true;
}

static void tell(const loss_t *self, int kind) {
    if (!self->runs[kind].data)
        return;
    fob_effect_t *effect = fob_turn_effect(self->core->open, FOB_EFF_LOST);
    effect->conn = self->core->members.slab[self->member].conn;
    effect->group = self->name;
    effect->runs = self->runs[kind];
    effect->text = self->text[kind];
    effect->after = fob_core_next_position(self->core);
}

/* Its time is over, but its handler may go on. There is room. */
static void let_overdue(loss_t *self, fob_member_t *member, uint32_t at) {
    fob_grant_t *grant = &self->group->grants.slab[at];
    fob_grant_t lease = {.token = grant->token, .offset = grant->offset, .member = self->member};
    fob_sparing_back(self->core, self->group, grant);
    fob_grants_remove(&self->group->grants, &member->held, grant);
    fob_grants_add(&self->group->overdue, &member->overdue, &lease);
}

/* False: no memory, nothing was taken. */
static bool take_away(loss_t *self) {
    fob_core_t *core = self->core;
    fob_member_t *member = &core->members.slab[self->member];
    fob_open_turn_t *turn = fob_core_open(core);
    fob_runs_writer_t runs;
    fob_slice_t note = {0};
    if (!turn || !copy_texts(self, &note) || !copy_rows(self, RETURNS) || !copy_rows(self, DIES))
        return false;
    self->name = fob_turn_copy(turn, self->group->name);
    if (!self->name.data || !fob_turn_reserve(turn, 0, 2, 0, 0) ||
        !fob_grants_reserve(&self->group->overdue, self->count) ||
        !fob_runs_begin_noted(&runs, core, self->group, self->count, self->count,
                              fob_member_worker(member), note))
        return false;
    for (size_t i = 0; i < self->count; i++) {
        fob_run_record_t run = fate_of(self, i);
        fob_runs_put(&runs, &run);
        let_overdue(self, member, self->at[i]);
    }
    fob_runs_end(&runs);
    tell(self, RETURNS);
    tell(self, DIES);
    fob_lease_begin(core, self->member);
    fob_members_ring(&core->members, self->member);
    fob_core_wake(core, self->group);
    return true;
}

/* When the first of the worker's leases is over. */
static int64_t first_end(const fob_group_t *group, const fob_member_t *member) {
    uint32_t at = member->held.first;
    int64_t first = FOB_NEVER;
    for (uint32_t i = 0; i < member->held.begun; i++) {
        int64_t end = group->grants.slab[at].begun_ns + member->lease_ns;
        first = end < first ? end : first;
        at = group->grants.slab[at].next;
    }
    return first;
}

/* No job of the worker is free: what it holds cannot have begun, and others may have it. False: no
 * memory. */
static bool give_back_unbegun(fob_core_t *self, fob_group_t *group, uint32_t index) {
    static const char why[] = "the handlers of all jobs are past their lease and have not ended";
    const fob_member_t *member = &self->members.slab[index];
    fob_open_turn_t *turn = fob_core_open(self);
    fob_slice_t text = turn ? fob_turn_copy(turn, fob_slice_str(why)) : (fob_slice_t){0};
    return text.data &&
           fob_lost_tell(self, group, member->conn, member->held.first, text,
                         fob_core_next_position(self)) &&
           fob_give_back(self, index, 0, 0, FOB_REASON_LEAVE) == FOB_OK;
}

/* Gives when the next of the worker's is over. */
static int64_t expire_member(fob_core_t *self, fob_group_t *group, uint32_t index) {
    int64_t now = self->now.mono_ns, next;
    while ((next = first_end(group, &self->members.slab[index])) <= now) {
        loss_t loss = {.core = self, .group = group, .member = index};
        find_over(&loss);
        if (!take_away(&loss))
            return now + TRY_AGAIN_MS * FOB_MS;
    }
    const fob_member_t *member = &self->members.slab[index];
    if (member->held.count > 0 && fob_member_free_jobs(member) == 0 &&
        !give_back_unbegun(self, group, index))
        return now + TRY_AGAIN_MS * FOB_MS;
    return next;
}

void fob_lease_spare(fob_core_t *self, int64_t late_ns) {
    int64_t beat = self->config.resume_ms * FOB_MS / RESUME_BEATS;
    int64_t spare = late_ns < beat ? late_ns : beat;
    if (spare > 0 && self->now.mono_ns >= self->spared_ns + spare)
        self->spared_ns = self->now.mono_ns + spare;
}

int64_t fob_lease_expire(fob_core_t *self, fob_group_t *group) {
    int64_t next = FOB_NEVER;
    if (group->bounded && self->now.mono_ns < self->spared_ns)
        return self->spared_ns;
    bool bounded = false;
    for (uint32_t i = 0; group->bounded && i < group->member_count; i++) {
        const fob_member_t *member = &self->members.slab[group->members[i]];
        bounded = bounded || member->lease_ns > 0;
        /* One that cannot be told of it could begin what it holds. It is over soon. */
        if (member->lease_ns == 0 || member->over_ns)
            continue;
        int64_t due = expire_member(self, group, group->members[i]);
        next = due < next ? due : next;
    }
    group->bounded = bounded;
    return next > self->now.mono_ns ? next : self->now.mono_ns + 1;
}
