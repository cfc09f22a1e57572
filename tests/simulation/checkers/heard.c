/* A subscriber in mode LIVE hears a topic's events in order, each once, and is told how many it
 * lacks. */
#include "checker.h"

typedef struct {
    uint64_t last[SIM_TOPICS];
} subscriber_t;

typedef struct {
    subscriber_t *subscribers; /* by number */
    size_t room;
} own_t;

static void heard(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    while (fact->worker >= own->room)
        own->subscribers =
            sim_grow(own->subscribers, own->room, &own->room, sizeof *own->subscribers);
    uint64_t *last = &own->subscribers[fact->worker].last[self->ground->events[fact->offset].topic];
    SIM_HOLD(self, fact->offset > *last, "subscriber %u hears offset %llu behind %llu",
             fact->worker, (unsigned long long)fact->offset, (unsigned long long)*last);
    *last = fact->offset;
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    if (fact->kind == SIM_HEARD)
        heard(self, fact);
    else if (fact->kind == SIM_MISSED)
        SIM_HOLD(self, fact->value == fact->count,
                 "subscriber %u lacks %llu events before offset %llu, and is told of %llu",
                 fact->worker, (unsigned long long)fact->value, (unsigned long long)fact->offset,
                 (unsigned long long)fact->count);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    free(own->subscribers);
}

const sim_checker_ops_t sim_check_heard = {
    "a live subscriber hears in order, and is told how many it lacks", sizeof(own_t), fact, end};
