/* One holder: a handler begins only under a token above all before it, and while no other worker is
 * sure of its lease of the same event. */
#include "table.h"

typedef struct {
    uint64_t token; /* the highest under which a handler began */
} event_t;

typedef struct {
    sim_table_t events;
} own_t;

static event_t *event_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    return sim_table_at(&own->events, self, group, offset, sizeof(event_t));
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    if (fact->kind != SIM_BEGUN)
        return;
    event_t *event = event_of(self, fact->group, fact->offset);
    /* A worker that was not told yet may begin behind the next holder, but nobody begins twice. */
    SIM_HOLD(self, fact->token > event->token || (fact->taken && fact->token != event->token),
             "group %s: worker %u begins offset %llu under token %llu, one began under %llu",
             fact->group->name, fact->worker, (unsigned long long)fact->offset,
             (unsigned long long)fact->token, (unsigned long long)event->token);
    SIM_HOLD(self, !fact->sure || fact->taken,
             "group %s: worker %u begins offset %llu (token %llu) while another is sure of it",
             fact->group->name, fact->worker, (unsigned long long)fact->offset,
             (unsigned long long)fact->token);
    event->token = fact->token > event->token ? fact->token : event->token;
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_table_free(&own->events);
}

const sim_checker_ops_t sim_check_holder = {"one holder at a time, and tokens grow", sizeof(own_t),
                                            fact, end};
