/* A publisher's events of one topic are stored in the order offered; without an id, each once. */
#include "checker.h"

typedef struct {
    uint64_t last[SIM_TOPICS];
    uint8_t *stored; /* by serial */
    size_t room;
} publisher_t;

typedef struct {
    publisher_t *publishers;
    size_t room;
} own_t;

/* Once its session is forgotten, a publisher that has no receipt yet of what it began with offers
 * it anew, and the bus takes it for new. */
static bool again(const sim_checker_t *self, publisher_t *one, uint64_t serial) {
    while (serial >= one->room)
        one->stored = sim_grow(one->stored, one->room, &one->room, 1);
    bool before = one->stored[serial];
    one->stored[serial] = 1;
    return before && self->ground->forgot;
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind != SIM_STORED)
        return;
    const sim_stored_t *event = &self->ground->events[fact->offset];
    if (sim_event_repeated(self->ground->seed, event->publisher, event->serial))
        return; /* it may be the later one */
    while (event->publisher >= own->room)
        own->publishers = sim_grow(own->publishers, own->room, &own->room, sizeof *own->publishers);
    publisher_t *one = &own->publishers[event->publisher];
    uint64_t *last = &one->last[event->topic];
    if (again(self, one, event->serial))
        return;
    SIM_HOLD(self, event->serial > *last,
             "publisher %u: event %llu of %s is stored at %llu behind event %llu", event->publisher,
             (unsigned long long)event->serial, sim_topics[event->topic],
             (unsigned long long)fact->offset, (unsigned long long)*last);
    *last = event->serial;
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->room; i++)
        free(own->publishers[i].stored);
    free(own->publishers);
}

const sim_checker_ops_t sim_check_order = {
    "a publisher's events of a topic are stored in the order offered", sizeof(own_t), fact, end};
