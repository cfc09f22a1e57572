/* A group that refuses when it is full never holds more than its limit; one that sheds does so
 * while it has more, and only then. */
#include "bus/core/group/policy.h"
#include "checker.h"

#define PLENTY (UINT64_C(1) << 30) /* bytes: more than a world has */

typedef struct {
    uint64_t depth, limit, overflow;
    bool by_bytes;     /* it may be full of bytes before it is deep */
    bool least;        /* it may be deeper than that */
    bool loose;        /* an operator made it deeper than its limit, or lowered that */
    uint64_t position; /* of the commit that brought it an event last */
} group_t;

typedef struct {
    group_t *groups;
    size_t room;
} own_t;

static group_t *group_of(sim_checker_t *self, const sim_group_t *group) {
    own_t *own = self->own;
    size_t index = (size_t)(group - self->ground->groups);
    while (index >= own->room)
        own->groups = sim_grow(own->groups, own->room, &own->room, sizeof *own->groups);
    return &own->groups[index];
}

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
        one->depth++;
    }
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    group_t *one = group_of(self, fact->group);
    const fob_run_record_t *run = fact->run;
    bool out = run->verb == FOB_RUN_ACK || run->verb == FOB_RUN_DEAD || run->verb == FOB_RUN_SHED ||
               run->verb == FOB_RUN_REMOVE;
    if (run->verb == FOB_RUN_REDRIVE || run->verb == FOB_RUN_ACCEPT) {
        one->depth += run->count;
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

static void reset(group_t *one, const fob_record_reset_t *record) {
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
    if (fact->kind == SIM_STORED)
        stored(self, fact->offset);
    else if (fact->kind == SIM_RUN)
        run(self, fact);
    else if (fact->kind == SIM_RESET)
        reset(group_of(self, fact->group), fact->reset);
    else if (fact->kind == SIM_SET)
        set(group_of(self, fact->group), fact);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    free(own->groups);
}

const sim_checker_ops_t sim_check_depth = {
    "a full group takes nothing more, and only a full one sheds", sizeof(own_t), fact, end};
