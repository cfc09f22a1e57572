/* Nothing is handled again without a cause: its handler failed it, its worker was lost, stood still
 * or reconnected, its lease was taken, the bus fell, or an operator asked for it. How many a break
 * may cost follows: what was acked and answered is never out again (settled.c), so what was held,
 * and what was acked and not answered yet. */
#include "table.h"

typedef struct {
    uint32_t begun;  /* times */
    uint32_t worker; /* of the last time */
    int64_t begun_ns;
    bool failed; /* ended by other than an ack, or taken away */
} event_t;

typedef struct {
    sim_table_t events;
    int64_t *downs; /* by worker: when its connection broke last, as the world knows, plus one */
    size_t worker_room;
    int64_t bus_ns; /* when the bus started or ended last, plus one */
} own_t;

static event_t *event_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    return sim_table_at(&own->events, self, group, offset, sizeof(event_t));
}

/* A break that neither end was told of may cost a lease that was begun behind it. */
#define UNTOLD_NS (5 * FOB_SEC)

static int64_t *downs_of(own_t *own, uint32_t worker) {
    while (worker >= own->worker_room)
        own->downs = sim_grow(own->downs, own->worker_room, &own->worker_room, sizeof *own->downs);
    return &own->downs[worker];
}

/* Whether what broke then may be why an event is handled again. */
static bool after_break(const event_t *event, int64_t broke_ns) {
    return broke_ns && broke_ns > event->begun_ns - UNTOLD_NS;
}

static void begun(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    event_t *event = event_of(self, fact->group, fact->offset);
    SIM_HOLD(
        self,
        !event->begun || event->failed || fact->taken || after_break(event, own->bus_ns) ||
            after_break(event, *downs_of(own, event->worker)),
        "group %s: offset %llu is handled again, by worker %u after worker %u, without a cause",
        fact->group->name, (unsigned long long)fact->offset, fact->worker, event->worker);
    *event = (event_t){.begun = event->begun + 1,
                       .worker = fact->worker,
                       .begun_ns = fact->now_ns,
                       .failed = fact->taken};
}

/* All that may begin again: by an operator. */
static void again(sim_checker_t *self, const sim_group_t *group, uint64_t from, uint64_t to) {
    for (uint64_t o = from; o <= to; o++)
        event_of(self, group, o)->failed = true;
}

static void lost(sim_checker_t *self, const sim_fact_t *fact) {
    for (uint64_t i = 0; i < fact->count; i++)
        event_of(self, fact->group, fact->offset + i)->failed = true;
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    const fob_run_record_t *run = fact->run;
    if (run->verb == FOB_RUN_REDRIVE)
        again(self, fact->group, run->from, run->to);
}

static void down(own_t *own, const sim_fact_t *fact) {
    int64_t *last = downs_of(own, fact->worker), until = fact->now_ns + (int64_t)fact->count + 1;
    *last = until > *last ? until : *last;
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_BEGUN)
        begun(self, fact);
    else if (fact->kind == SIM_ENDED && fact->settle != FOB_KIND_ACK)
        event_of(self, fact->group, fact->offset)->failed = true;
    else if (fact->kind == SIM_TOLD_LOST)
        lost(self, fact);
    else if (fact->kind == SIM_DOWN || fact->kind == SIM_FROZE)
        down(own, fact);
    else if (fact->kind == SIM_BUS_UP || fact->kind == SIM_BUS_DOWN)
        own->bus_ns = fact->now_ns + 1;
    else if (fact->kind == SIM_RUN)
        run(self, fact);
    else if (fact->kind == SIM_RESET && fact->reset->mode == FOB_RESET_ANEW)
        again(self, fact->group, 1, self->ground->head);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_table_free(&own->events);
    free(own->downs);
}

const sim_checker_ops_t sim_check_cause = {"nothing is handled again without a cause",
                                           sizeof(own_t), fact, end};
