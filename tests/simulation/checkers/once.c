/* The same (topic, id) within the window is stored once. */
#include "checker.h"

#define WINDOW_MS INT64_C(120000) /* as the simulated bus has it */

typedef struct {
    uint64_t *first; /* by serial: the newest offset with that id */
    size_t room;
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
    if (!event->id_of)
        return;
    while (event->publisher >= own->room)
        own->publishers = sim_grow(own->publishers, own->room, &own->room, sizeof *own->publishers);
    publisher_t *one = &own->publishers[event->publisher];
    while (event->id_of >= one->room)
        one->first = sim_grow(one->first, one->room, &one->room, sizeof *one->first);
    uint64_t *first = &one->first[event->id_of];
    SIM_HOLD(self, !*first || event->time_ms - self->ground->events[*first].time_ms >= WINDOW_MS,
             "the event at %llu has the id of that at %llu, %lld ms before",
             (unsigned long long)fact->offset, (unsigned long long)*first,
             (long long)(event->time_ms - self->ground->events[*first].time_ms));
    *first = fact->offset;
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->room; i++)
        free(own->publishers[i].first);
    free(own->publishers);
}

const sim_checker_ops_t sim_check_once = {"the same id is stored once within the window",
                                          sizeof(own_t), fact, end};
