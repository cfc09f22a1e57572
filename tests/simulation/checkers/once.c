/* The same (topic, id) within the window is stored once. */
#include "checker.h"

/* An id, by its serial: where it was stored last, and the how many-th of those with an id. */
typedef struct {
    uint64_t offset, number;
} known_t;

typedef struct {
    known_t *ids;
    size_t room;
} publisher_t;

typedef struct {
    publisher_t *publishers;
    size_t room;
    uint64_t numbers; /* of events with an id */
} own_t;

static bool forgotten(const sim_checker_t *self, const known_t *known, const sim_stored_t *event) {
    const own_t *own = self->own;
    return own->numbers - known->number >= self->ground->dedup_max ||
           event->time_ms - self->ground->events[known->offset].time_ms >=
               self->ground->dedup_window_ms;
}

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
        one->ids = sim_grow(one->ids, one->room, &one->room, sizeof *one->ids);
    known_t *known = &one->ids[event->id_of];
    SIM_HOLD(self, !known->offset || forgotten(self, known, event),
             "the event at %llu has the id of that at %llu, %lld ms before",
             (unsigned long long)fact->offset, (unsigned long long)known->offset,
             (long long)(event->time_ms - self->ground->events[known->offset].time_ms));
    *known = (known_t){fact->offset, ++own->numbers};
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->room; i++)
        free(own->publishers[i].ids);
    free(own->publishers);
}

const sim_checker_ops_t sim_check_once = {"the same id is stored once within the window",
                                          sizeof(own_t), fact, end};
