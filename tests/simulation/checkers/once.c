/* The same (topic, id) within the window is stored once, and is called a duplicate only within it.
 */
#include "checker.h"

/* An id, by its serial: where it was stored last, and the how many-th of those with an id. */
typedef struct {
    uint64_t offset, number;
} known_t;

/* An event, by its serial: what was known when it was offered. What the bus decides of it, it
 * decides later. */
typedef struct {
    int64_t time_ms; /* of the journal */
    uint64_t numbers;
} offer_t;

typedef struct {
    known_t *ids;
    size_t room;
    offer_t *offers;
    size_t offer_room;
} publisher_t;

typedef struct {
    publisher_t *publishers;
    size_t room;
    uint64_t numbers; /* of events with an id */
    int64_t time_ms;  /* of the journal */
} own_t;

static publisher_t *publisher_of(own_t *own, uint32_t index) {
    while (index >= own->room)
        own->publishers = sim_grow(own->publishers, own->room, &own->room, sizeof *own->publishers);
    return &own->publishers[index];
}

static known_t *known_of(own_t *own, const sim_stored_t *event) {
    publisher_t *one = publisher_of(own, event->publisher);
    while (event->id_of >= one->room)
        one->ids = sim_grow(one->ids, one->room, &one->room, sizeof *one->ids);
    return &one->ids[event->id_of];
}

static offer_t *offer_of(own_t *own, const sim_fact_t *fact) {
    publisher_t *one = publisher_of(own, fact->publisher);
    while (fact->serial >= one->offer_room)
        one->offers = sim_grow(one->offers, one->offer_room, &one->offer_room, sizeof *one->offers);
    return &one->offers[fact->serial];
}

static bool forgotten(const sim_checker_t *self, const known_t *known, const sim_stored_t *event) {
    const own_t *own = self->own;
    return own->numbers - known->number >= self->ground->dedup_max ||
           event->time_ms - self->ground->events[known->offset].time_ms >=
               self->ground->dedup_window_ms;
}

static void stored(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    const sim_stored_t *event = &self->ground->events[fact->offset];
    own->time_ms = event->time_ms > own->time_ms ? event->time_ms : own->time_ms;
    if (!event->id_of)
        return;
    known_t *known = known_of(own, event);
    SIM_HOLD(self, !known->offset || forgotten(self, known, event),
             "the event at %llu has the id of that at %llu, %lld ms before",
             (unsigned long long)fact->offset, (unsigned long long)known->offset,
             (long long)(event->time_ms - self->ground->events[known->offset].time_ms));
    *known = (known_t){fact->offset, ++own->numbers};
}

static void receipt(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->status != FOB_OK || !fact->duplicate_of || fact->duplicate_of > self->ground->head)
        return;
    const sim_stored_t *first = &self->ground->events[fact->duplicate_of];
    const offer_t offer = *offer_of(own, fact);
    const known_t *known = first->id_of ? known_of(own, first) : NULL;
    SIM_HOLD(self, offer.time_ms - first->time_ms < self->ground->dedup_window_ms,
             "publisher %u: event %llu is called a duplicate of that at %llu, %lld ms before",
             fact->publisher, (unsigned long long)fact->serial,
             (unsigned long long)fact->duplicate_of, (long long)(offer.time_ms - first->time_ms));
    SIM_HOLD(self,
             !known || known->offset != fact->duplicate_of || offer.numbers < known->number ||
                 offer.numbers - known->number < self->ground->dedup_max,
             "publisher %u: event %llu is called a duplicate of that at %llu, %llu ids before",
             fact->publisher, (unsigned long long)fact->serial,
             (unsigned long long)fact->duplicate_of,
             (unsigned long long)(offer.numbers - (known ? known->number : 0)));
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_STORED)
        stored(self, fact);
    else if (fact->kind == SIM_RUN && fact->time_ms > own->time_ms)
        own->time_ms = fact->time_ms;
    else if (fact->kind == SIM_OFFERED)
        *offer_of(own, fact) = (offer_t){own->time_ms, own->numbers};
    else if (fact->kind == SIM_RECEIPT)
        receipt(self, fact);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->room; i++) {
        free(own->publishers[i].ids);
        free(own->publishers[i].offers);
    }
    free(own->publishers);
}

const sim_checker_ops_t sim_check_once = {
    "the same id is stored once within the window, and known no longer", sizeof(own_t), fact, end};
