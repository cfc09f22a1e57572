/* A handler is told how often the event was tried: one more than the attempts that are on record.
 */
#include "checker.h"

#define UNDER_WAY_NS (3 * FOB_SEC) /* a DELIVER that was decided before */

typedef struct {
    uint32_t counted;
    bool back;      /* the last that is on record is that it came back */
    uint64_t token; /* and under which token */
} event_t;

typedef struct {
    event_t *events; /* by offset */
    size_t room;
    int64_t reset_ns; /* when it began anew last; what goes out then may be from before */
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

static event_t *event_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    group_t *one = group_of(self, group);
    while (offset >= one->room)
        one->events = sim_grow(one->events, one->room, &one->room, sizeof *one->events);
    return &one->events[offset];
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    const fob_run_record_t *run = fact->run;
    uint64_t first = run->to - run->count + 1;
    if (run->verb == FOB_RUN_RETURN || run->verb == FOB_RUN_HANDOUT)
        for (uint64_t o = first; o <= run->to; o++) {
            event_t *event = event_of(self, fact->group, o);
            event->back = run->verb == FOB_RUN_RETURN;
            event->token = run->token + (o - first);
            event->counted += (run->flags & FOB_RUN_COUNTED) != 0;
        }
    if (run->verb == FOB_RUN_REDRIVE)
        for (uint64_t o = run->from; o <= run->to; o++) {
            event_t *event = event_of(self, fact->group, o);
            *event = (event_t){.back = true, .token = event->token};
        }
}

/* Where a worker claims back what it lost a moment ago, it goes on under the number it knows. */
static void delivered(sim_checker_t *self, const sim_fact_t *fact) {
    const group_t *group = group_of(self, fact->group);
    bool before = group->reset_ns && fact->now_ns - group->reset_ns < UNDER_WAY_NS;
    for (uint64_t i = 0; i < fact->count && !before; i++) {
        const event_t *event = event_of(self, fact->group, fact->offset + i);
        if (event->token > fact->token + i || (event->back && event->token == fact->token + i))
            continue; /* it came back before this letter left */
        SIM_HOLD(self, fact->attempt == event->counted + 1,
                 "group %s: offset %llu is delivered as attempt %u, after %u that count",
                 fact->group->name, (unsigned long long)(fact->offset + i), fact->attempt,
                 event->counted);
    }
}

static void reset(sim_checker_t *self, const sim_fact_t *fact) {
    group_of(self, fact->group)->reset_ns = fact->now_ns;
    for (uint64_t o = 1; o <= self->ground->head; o++)
        *event_of(self, fact->group, o) = (event_t){0};
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    if (fact->kind == SIM_RUN)
        run(self, fact);
    else if (fact->kind == SIM_RESET && fact->reset->mode == FOB_RESET_ANEW)
        reset(self, fact);
    else if (fact->kind == SIM_DELIVERED)
        delivered(self, fact);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->room; i++)
        free(own->groups[i].events);
    free(own->groups);
}

const sim_checker_ops_t sim_check_attempts = {"every attempt counts, once", sizeof(own_t), fact,
                                              end};
