/* What is delivered is what was published, byte for byte, and lies where it says. */
#include "checker.h"

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    static sim_event_t made;
    fob_envelope_t met;
    if (fact->kind != SIM_BEGUN && fact->kind != SIM_HEARD && fact->kind != SIM_HANDED &&
        fact->kind != SIM_SENT)
        return;
    SIM_HOLD(self, fact->offset <= self->ground->head && self->ground->events[fact->offset].there,
             "offset %llu is delivered, and it is not durable", (unsigned long long)fact->offset);
    fob_cursor_t cursor = fob_cursor(fact->bytes);
    SIM_HOLD(self,
             fob_envelope_read(&cursor, UINT64_MAX, &met) == FOB_OK &&
                 sim_event_whole(self->ground->seed, &met, &made),
             "what is delivered at offset %llu was never published",
             (unsigned long long)fact->offset);
    const sim_stored_t *event = &self->ground->events[fact->offset];
    SIM_HOLD(self, event->publisher == made.publisher && event->serial == made.serial,
             "what is delivered at offset %llu is another one's", (unsigned long long)fact->offset);
    SIM_HOLD(self, !fact->group || fact->group->matches[event->topic],
             "group %s gets offset %llu, which is not for it", fact->group->name,
             (unsigned long long)fact->offset);
}

const sim_checker_ops_t sim_check_bytes = {"what is delivered is what was published", 1, fact,
                                           NULL};
