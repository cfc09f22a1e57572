/* A receipt is sent only for what is durable, and says where it is. What is refused is not stored.
 */
#include "checker.h"

/* By publisher and serial: where it is stored, and what its receipt said. */
typedef struct {
    uint64_t offset;
    bool answered;
    fob_status_t status;
} event_t;

typedef struct {
    event_t *events;
    size_t room;
} publisher_t;

typedef struct {
    publisher_t *publishers;
    size_t room;
} own_t;

static event_t *event_of(sim_checker_t *self, uint32_t publisher, uint64_t serial) {
    own_t *own = self->own;
    while (publisher >= own->room)
        own->publishers = sim_grow(own->publishers, own->room, &own->room, sizeof *own->publishers);
    publisher_t *one = &own->publishers[publisher];
    while (serial >= one->room)
        one->events = sim_grow(one->events, one->room, &one->room, sizeof *one->events);
    return &one->events[serial];
}

static void stored(sim_checker_t *self, uint64_t offset) {
    const sim_stored_t *event = &self->ground->events[offset];
    event_t *mine = event_of(self, event->publisher, event->serial);
    SIM_HOLD(self,
             !mine->answered || mine->status == FOB_OK || mine->status == FOB_UNKNOWN_OUTCOME ||
                 sim_event_repeated(self->ground->seed, event->publisher, event->serial),
             "publisher %u was told that its event %llu is not stored (%d), and it is at %llu",
             event->publisher, (unsigned long long)event->serial, (int)mine->status,
             (unsigned long long)offset);
    mine->offset = offset;
}

static bool same_id(const sim_stored_t *event, const sim_event_t *offered) {
    return event->there && event->publisher == offered->publisher &&
           event->id_of == offered->id_of && event->topic == offered->topic;
}

static void receipt(sim_checker_t *self, const sim_fact_t *fact) {
    static sim_event_t offered;
    sim_event_offer(self->ground->seed, fact->publisher, fact->serial, &offered);
    event_t *mine = event_of(self, fact->publisher, fact->serial);
    mine->answered = true;
    mine->status = fact->status;
    if (fact->status != FOB_OK) {
        SIM_HOLD(self,
                 fact->status == FOB_UNKNOWN_OUTCOME || !mine->offset ||
                     offered.serial != fact->serial ||
                     sim_event_repeated(self->ground->seed, fact->publisher, fact->serial),
                 "publisher %u is told that its event %llu is not stored (%d), and it is at %llu",
                 fact->publisher, (unsigned long long)fact->serial, (int)fact->status,
                 (unsigned long long)mine->offset);
        return;
    }
    uint64_t at = fact->duplicate_of ? fact->duplicate_of : fact->offset;
    SIM_HOLD(self, at && at <= self->ground->head,
             "publisher %u: event %llu is confirmed at %llu, which is not durable", fact->publisher,
             (unsigned long long)fact->serial, (unsigned long long)at);
    const sim_stored_t *event = &self->ground->events[at];
    bool it =
        event->there && event->publisher == fact->publisher && event->serial == offered.serial;
    SIM_HOLD(self, fact->duplicate_of ? same_id(event, &offered) : it,
             "publisher %u: event %llu is confirmed at %llu, where another one is", fact->publisher,
             (unsigned long long)fact->serial, (unsigned long long)at);
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    if (fact->kind == SIM_STORED)
        stored(self, fact->offset);
    else if (fact->kind == SIM_RECEIPT)
        receipt(self, fact);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->room; i++)
        free(own->publishers[i].events);
    free(own->publishers);
}

const sim_checker_ops_t sim_check_confirmed = {
    "what is confirmed is durable and there; what is refused is not", sizeof(own_t), fact, end};
