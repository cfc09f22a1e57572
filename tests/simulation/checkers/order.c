/* A publisher's events of one topic are stored in the order offered; without an id, each once. */
#include "checker.h"

typedef struct {
    uint64_t last[SIM_TOPICS];
} publisher_t;

typedef struct {
    publisher_t *publishers;
    size_t room;
} own_t;

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind != SIM_STORED)
        return;
    const sim_stored_t *event = &self->ground->events[fact->offset];
    if (sim_event_repeated(self->ground->seed, event->publisher, event->serial))
        return; /* it may be the later one */
    while (event->publisher >= own->room)
        own->publishers = sim_grow(own->publishers, own->room, &own->room, sizeof *own->publishers);
    uint64_t *last = &own->publishers[event->publisher].last[event->topic];
    SIM_HOLD(self, event->serial > *last,
             "publisher %u: event %llu of %s is stored at %llu behind event %llu", event->publisher,
             (unsigned long long)event->serial, sim_topics[event->topic],
             (unsigned long long)fact->offset, (unsigned long long)*last);
    *last = event->serial;
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    free(own->publishers);
}

const sim_checker_ops_t sim_check_order = {
    "a publisher's events of a topic are stored in the order offered", sizeof(own_t), fact, end};
