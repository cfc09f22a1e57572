/* What came back goes out again by priority, and within one the lowest offset first, of those that
 * are due. */
#include "returned.h"

#include <inttypes.h>

typedef struct {
    sim_returned_t returned;
    sim_table_t tokens; /* uint64_t: under which it was out last */
} own_t;

static uint64_t *token_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    return sim_table_at(&own->tokens, self, group, offset, sizeof(uint64_t));
}

static void look(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset) {
    own_t *own = self->own;
    const sim_returned_group_t *group = sim_returned_of(&own->returned, self, fact->group);
    uint8_t priority = self->ground->events[offset].priority;
    for (size_t i = 0; i < group->count; i++) {
        const sim_returned_one_t *one = &group->all[i];
        uint8_t other = self->ground->events[one->offset].priority;
        bool before = other > priority || (other == priority && one->offset < offset);
        SIM_HOLD(self, !before || !sim_returned_ready(&own->returned, one, fact->now_ns),
                 "group %s: offset %" PRIu64 " (priority %u) goes out again, and %" PRIu64
                 " (priority %u) waits",
                 fact->group->name, offset, priority, one->offset, other);
    }
}

/* A worker that claims what came back keeps it under its old token, in any order; what follows in
 * one run goes out in its order. */
static void run(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    const fob_run_record_t *run = fact->run;
    uint64_t first = run->to - run->count + 1;
    if (run->verb != FOB_RUN_HANDOUT && run->verb != FOB_RUN_RETURN)
        return;
    if (run->verb == FOB_RUN_HANDOUT && !(run->flags & FOB_RUN_FRESH) &&
        run->token > *token_of(self, fact->group, first) &&
        sim_returned_has(&own->returned, self, fact->group, first))
        look(self, fact, first);
    for (uint64_t o = first; o <= run->to; o++)
        *token_of(self, fact->group, o) = run->token + (o - first);
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_RUN)
        run(self, fact);
    sim_returned_fact(&own->returned, self, fact);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_returned_free(&own->returned, self);
    sim_table_free(&own->tokens);
}

const sim_checker_ops_t sim_check_again = {
    "what came back goes out again by priority, the lowest offset first", sizeof(own_t), fact, end};
