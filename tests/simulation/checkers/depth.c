/* A group that refuses when it is full never holds more than its limit, and refuses only then; one
 * that sheds does so while it has more, and only then. */
#include "bus/core/group/policy.h"
#include "checker.h"

#define WHILE_NS (8 * FOB_SEC)       /* longer than from a decision to its letter, or its record */
#define PLENTY   (UINT64_C(1) << 30) /* bytes: more than a world has */

typedef struct {
    uint64_t depth, limit, overflow;
    bool by_bytes;       /* it may be full of bytes before it is deep */
    bool least;          /* it may be deeper than that, */
    int64_t least_ns;    /* and was so until then */
    bool loose;          /* an operator made it deeper than its limit, or lowered that */
    uint64_t position;   /* of the commit that brought it an event last */
    uint64_t deepest[2]; /* in this while and in the one before */
    int64_t while_ns;    /* when this one began */
} group_t;

/* A publisher was told that a group is full, which may become durable only now. */
typedef struct {
    const sim_group_t *group;
    uint64_t limit, deepest;
} refusal_t;

typedef struct {
    group_t *groups;
    size_t room;
    refusal_t *refusals;
    size_t refusal_count, refusal_room;
    int64_t now_ns;
} own_t;

static group_t *group_of(sim_checker_t *self, const sim_group_t *group) {
    own_t *own = self->own;
    size_t index = (size_t)(group - self->ground->groups);
    while (index >= own->room)
        own->groups = sim_grow(own->groups, own->room, &own->room, sizeof *own->groups);
    return &own->groups[index];
}

/* --- refusals --- */

static void next_while(group_t *one, int64_t now_ns) {
    if (now_ns - one->while_ns < WHILE_NS)
        return;
    one->deepest[1] = now_ns - one->while_ns < 2 * WHILE_NS ? one->deepest[0] : one->depth;
    one->deepest[0] = one->depth;
    one->while_ns = now_ns;
}

static void deeper(sim_checker_t *self, const sim_group_t *group, group_t *one, uint64_t count) {
    own_t *own = self->own;
    next_while(one, own->now_ns);
    one->depth += count;
    if (one->depth > one->deepest[0])
        one->deepest[0] = one->depth;
    for (size_t i = 0; i < own->refusal_count; i++)
        if (own->refusals[i].group == group && one->depth > own->refusals[i].deepest)
            own->refusals[i].deepest = one->depth;
}

/* What the letter says of its depth is not believed. */
static void refused(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (!fact->group || fact->token || fact->value < fact->count)
        return; /* full of bytes, or behind another refusal */
    group_t *one = group_of(self, fact->group);
    next_while(one, fact->now_ns);
    if (one->least || (one->least_ns && fact->now_ns - one->least_ns < WHILE_NS))
        return;
    uint64_t deepest = one->deepest[0] > one->deepest[1] ? one->deepest[0] : one->deepest[1];
    own->refusals =
        sim_grow(own->refusals, own->refusal_count, &own->refusal_room, sizeof *own->refusals);
    own->refusals[own->refusal_count++] = (refusal_t){fact->group, fact->count, deepest};
}

/* All that was decided is durable. */
static void look_at_refusals(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->refusal_count; i++) {
        const refusal_t *one = &own->refusals[i];
        SIM_HOLD(self, group_of(self, one->group)->least || one->deepest >= one->limit,
                 "group %s refuses an event for its limit of %llu, and held %llu at the most",
                 one->group->name, (unsigned long long)one->limit,
                 (unsigned long long)one->deepest);
    }
    own->refusal_count = 0;
}

/* --- what it holds --- */

/* What a commit brought above the limit is shed in it. */
static void look_at_shedding(sim_checker_t *self, const sim_group_t *group, group_t *one,
                             uint64_t position) {
    if (one->position == position)
        return;
    one->position = position;
    one->loose = one->loose && one->depth > one->limit;
    SIM_HOLD(self, one->overflow == 0 || one->loose || one->depth <= one->limit,
             "group %s holds %llu of %llu, and sheds nothing", group->name,
             (unsigned long long)one->depth, (unsigned long long)one->limit);
}

static void stored(sim_checker_t *self, uint64_t offset) {
    const sim_stored_t *event = &self->ground->events[offset];
    for (size_t i = 0; i < self->ground->group_count; i++) {
        const sim_group_t *group = &self->ground->groups[i];
        group_t *one = group_of(self, group);
        if (group->gone || !group->matches[event->topic] || offset < group->start)
            continue;
        SIM_HOLD(self, one->overflow != 0 || one->depth < one->limit,
                 "group %s holds %llu of %llu, and takes offset %llu", group->name,
                 (unsigned long long)one->depth, (unsigned long long)one->limit,
                 (unsigned long long)offset);
        look_at_shedding(self, group, one, event->position);
        deeper(self, group, one, 1);
    }
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    group_t *one = group_of(self, fact->group);
    const fob_run_record_t *run = fact->run;
    bool out = run->verb == FOB_RUN_ACK || run->verb == FOB_RUN_DEAD || run->verb == FOB_RUN_SHED ||
               run->verb == FOB_RUN_REMOVE;
    if (run->verb == FOB_RUN_REDRIVE || run->verb == FOB_RUN_ACCEPT) {
        deeper(self, fact->group, one, run->count);
        one->loose = true;
    } else if (out && !(run->flags & FOB_RUN_PAID)) {
        one->depth -= run->count < one->depth ? run->count : one->depth;
    }
    bool sheds = run->verb == FOB_RUN_SHED ||
                 (run->verb == FOB_RUN_DEAD && run->reason == FOB_REASON_OVERFLOW);
    if (sheds && !(run->flags & FOB_RUN_PAID) && !one->least && !one->by_bytes)
        SIM_HOLD(self, one->depth >= one->limit,
                 "group %s sheds %u events and then holds %llu, of %llu", fact->group->name,
                 run->count, (unsigned long long)one->depth, (unsigned long long)one->limit);
}

static void reset(group_t *one, const fob_record_reset_t *record, int64_t now_ns) {
    one->least_ns = one->least ? now_ns : one->least_ns;
    one->depth = 0;
    one->loose = true;
    one->least = record->mode != FOB_RESET_ANEW;
}

static void set(group_t *one, const sim_fact_t *fact) {
    if (fact->setting == FOB_POLICY_max_depth)
        one->limit = fact->value;
    else if (fact->setting == FOB_POLICY_max_bytes)
        one->by_bytes = fact->value < PLENTY;
    else if (fact->setting == FOB_POLICY_overflow)
        one->overflow = fact->value;
    else
        return;
    one->loose = true;
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    own->now_ns = fact->now_ns;
    if (fact->kind == SIM_STORED)
        stored(self, fact->offset);
    else if (fact->kind == SIM_RUN)
        run(self, fact);
    else if (fact->kind == SIM_RESET)
        reset(group_of(self, fact->group), fact->reset, fact->now_ns);
    else if (fact->kind == SIM_SET)
        set(group_of(self, fact->group), fact);
    else if (fact->kind == SIM_BUSY)
        refused(self, fact);
    else if (fact->kind == SIM_BOOKS && fact->books->at_rest)
        look_at_refusals(self);
    else if (fact->kind == SIM_BUS_DOWN)
        own->refusal_count = 0;
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    free(own->groups);
    free(own->refusals);
}

const sim_checker_ops_t sim_check_depth = {
    "a full group takes nothing more, and only a full one refuses or sheds", sizeof(own_t), fact,
    end};
