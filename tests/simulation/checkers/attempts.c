/* A handler is told how often the event was tried: one more than the attempts that are on record.
 */
#include "table.h"

#define UNDER_WAY_NS (3 * FOB_SEC) /* a DELIVER that was decided before */
#define CLAIMED_NS   (6 * FOB_SEC) /* a resume window and the commit of what was decided in it */

typedef struct {
    uint32_t counted;
    bool back;      /* the last that is on record is that it came back */
    uint64_t token; /* and under which token */
} event_t;

typedef struct {
    sim_table_t events;
    sim_table_t reset; /* int64_t: when it began anew last; what goes out then may be from before */
    int64_t up_ns;     /* when the bus started last */
} own_t;

static int64_t *reset_of(sim_checker_t *self, const sim_group_t *group) {
    own_t *own = self->own;
    return sim_table_at(&own->reset, self, group, 0, sizeof(int64_t));
}

static event_t *event_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    return sim_table_at(&own->events, self, group, offset, sizeof(event_t));
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    const own_t *own = self->own;
    const fob_run_record_t *run = fact->run;
    uint64_t first = run->to - run->count + 1;
    /* What has not been claimed yet after a start may be purged. */
    bool unclaimed = own->up_ns && fact->now_ns - own->up_ns < CLAIMED_NS;
    SIM_HOLD(self, !fact->sure || unclaimed || run->flags & FOB_RUN_COUNTED,
             "group %s: of offsets %llu to %llu a handler runs, and they come back at no attempt",
             fact->group->name, (unsigned long long)first, (unsigned long long)run->to);
    if (run->verb == FOB_RUN_RETURN || run->verb == FOB_RUN_HANDOUT)
        for (uint64_t o = first; o <= run->to; o++) {
            event_t *event = event_of(self, fact->group, o);
            event->back = run->verb == FOB_RUN_RETURN;
            event->token = run->token + (o - first);
            event->counted += (run->flags & FOB_RUN_COUNTED) != 0;
        }
    if (run->verb == FOB_RUN_REDRIVE)
        for (uint64_t o = run->from; o <= run->to; o++) {
            event_t *event = event_of(self, fact->group, o);
            *event = (event_t){.back = true, .token = event->token};
        }
}

/* Where a worker claims back what it lost a moment ago, it goes on under the number it knows. */
static void delivered(sim_checker_t *self, const sim_fact_t *fact) {
    int64_t reset_ns = *reset_of(self, fact->group);
    bool before = reset_ns && fact->now_ns - reset_ns < UNDER_WAY_NS;
    for (uint64_t i = 0; i < fact->count && !before; i++) {
        const event_t *event = event_of(self, fact->group, fact->offset + i);
        if (event->token > fact->token + i || (event->back && event->token == fact->token + i))
            continue; /* it came back before this letter left */
        SIM_HOLD(self, fact->attempt == event->counted + 1,
                 "group %s: offset %llu is delivered as attempt %u, after %u that count",
                 fact->group->name, (unsigned long long)(fact->offset + i), fact->attempt,
                 event->counted);
    }
}

static void reset(sim_checker_t *self, const sim_fact_t *fact) {
    *reset_of(self, fact->group) = fact->now_ns;
    for (uint64_t o = 1; o <= self->ground->head; o++)
        *event_of(self, fact->group, o) = (event_t){0};
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_RUN)
        run(self, fact);
    else if (fact->kind == SIM_RESET && fact->reset->mode == FOB_RESET_ANEW)
        reset(self, fact);
    else if (fact->kind == SIM_DELIVERED)
        delivered(self, fact);
    else if (fact->kind == SIM_BUS_UP)
        own->up_ns = fact->now_ns;
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_table_free(&own->events);
    sim_table_free(&own->reset);
}

const sim_checker_ops_t sim_check_attempts = {"every attempt counts, once", sizeof(own_t), fact,
                                              end};
