/* First hand-outs to one worker go in the order of the offsets, within a priority, and what has a
 * higher one goes before. */
#include "conns.h"
#include "fresh.h"

#define GROUPS     64
#define SETTLED_NS (8 * FOB_SEC) /* longer than from a decision to its letter */

/* To one connection, which is of one group. */
typedef struct {
    const sim_group_t *group;
    uint32_t life;
    uint64_t last[SIM_PRIORITIES];
    int64_t at_ns[SIM_PRIORITIES]; /* when one of that priority went out last */
} lane_t;

typedef struct {
    uint8_t *delivered; /* by offset: ever */
    size_t room;
} group_t;

typedef struct {
    sim_conns_t lanes;
    group_t groups[GROUPS];
    uint32_t life[GROUPS]; /* grows when the walk begins anew */
    sim_fresh_t fresh;
} own_t;

/* What this worker got before it has no lower priority, where this one waited already. */
static void look_at_priority(sim_checker_t *self, const sim_fact_t *fact, lane_t *lane,
                             uint64_t offset) {
    own_t *own = self->own;
    const sim_stored_t *event = &self->ground->events[offset];
    int64_t quiet = sim_fresh_quiet_ns(&own->fresh, self, fact->group);
    int64_t since = event->stored_ns > quiet ? event->stored_ns : quiet;
    for (unsigned p = 0; p < event->priority; p++)
        SIM_HOLD(self, !lane->at_ns[p] || lane->at_ns[p] - SETTLED_NS < since,
                 "group %s: one of priority %u goes out before offset %llu, of priority %u",
                 fact->group->name, p, (unsigned long long)offset, event->priority);
    lane->at_ns[event->priority] = fact->now_ns;
}

static void one(sim_checker_t *self, const sim_fact_t *fact, size_t index, uint64_t offset) {
    own_t *own = self->own;
    group_t *group = &own->groups[index];
    lane_t *lane = sim_conns_at(&own->lanes, fact->worker, sizeof *lane);
    while (offset >= group->room)
        group->delivered = sim_grow(group->delivered, group->room, &group->room, 1);
    if (lane->group != fact->group || lane->life != own->life[index])
        *lane = (lane_t){.group = fact->group, .life = own->life[index]};
    if (group->delivered[offset])
        return; /* it comes back */
    group->delivered[offset] = 1;
    if (offset > self->ground->head || !self->ground->events[offset].there)
        return; /* that is another promise */
    uint64_t *last = &lane->last[self->ground->events[offset].priority];
    SIM_HOLD(self, offset > *last, "group %s: offset %llu goes out for the first time behind %llu",
             fact->group->name, (unsigned long long)offset, (unsigned long long)*last);
    *last = offset;
    look_at_priority(self, fact, lane, offset);
}

/* The walk begins anew: what was never out may lie anywhere. */
static void anew(sim_checker_t *self, const sim_group_t *group) {
    own_t *own = self->own;
    for (size_t i = 0; i < GROUPS; i++)
        if (!group || i == (size_t)(group - self->ground->groups))
            own->life[i]++;
}

/* What is on record as handed out was so, also where its worker was gone before it was told. */
static void run(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    const fob_run_record_t *run = fact->run;
    size_t index = (size_t)(fact->group - self->ground->groups);
    if (index >= GROUPS || (run->verb != FOB_RUN_RETURN && run->verb != FOB_RUN_HANDOUT))
        return;
    group_t *group = &own->groups[index];
    for (uint64_t o = run->to - run->count + 1; o <= run->to; o++) {
        while (o >= group->room)
            group->delivered = sim_grow(group->delivered, group->room, &group->room, 1);
        group->delivered[o] = 1;
    }
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    sim_fresh_fact(&own->fresh, self, fact);
    if (fact->kind == SIM_BUS_UP)
        anew(self, NULL);
    else if (fact->kind == SIM_RESET || fact->kind == SIM_TOLD_LOST)
        anew(self, fact->group);
    else if (fact->kind == SIM_RUN)
        run(self, fact);
    if (fact->kind != SIM_DELIVERED)
        return;
    size_t index = (size_t)(fact->group - self->ground->groups);
    for (uint64_t i = 0; index < GROUPS && i < fact->count; i++)
        one(self, fact, index, fact->offset + i);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < GROUPS; i++)
        free(own->groups[i].delivered);
    sim_conns_clear(&own->lanes);
    sim_fresh_free(&own->fresh);
}

const sim_checker_ops_t sim_check_handout = {
    "first hand-outs go by priority, then in the order of offsets", sizeof(own_t), fact, end};
