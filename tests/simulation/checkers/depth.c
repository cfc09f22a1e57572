/* A group that refuses when it is full never holds more than its limit. */
#include "checker.h"

typedef struct {
    uint64_t depth, limit, overflow;
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
        one->depth++;
    }
}

static void run(group_t *one, const fob_run_record_t *run) {
    bool out = run->verb == FOB_RUN_ACK || run->verb == FOB_RUN_DEAD || run->verb == FOB_RUN_SHED ||
               run->verb == FOB_RUN_REMOVE;
    if (run->verb == FOB_RUN_REDRIVE || run->verb == FOB_RUN_ACCEPT)
        one->depth += run->count;
    else if (out && !(run->flags & FOB_RUN_PAID))
        one->depth -= run->count < one->depth ? run->count : one->depth;
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    if (fact->kind == SIM_STORED)
        stored(self, fact->offset);
    else if (fact->kind == SIM_RUN)
        run(group_of(self, fact->group), fact->run);
    else if (fact->kind == SIM_RESET)
        group_of(self, fact->group)->depth = 0; /* at the least */
    else if (fact->kind == SIM_SET && fact->setting == 1)
        group_of(self, fact->group)->limit = fact->value;
    else if (fact->kind == SIM_SET && fact->setting == 3)
        group_of(self, fact->group)->overflow = fact->value;
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    free(own->groups);
}

const sim_checker_ops_t sim_check_depth = {"a full group takes nothing more", sizeof(own_t), fact,
                                           end};
