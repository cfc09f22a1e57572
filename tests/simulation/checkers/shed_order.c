/* What a full group sheds to make room is the oldest that is ready, or the lowest of priority and
 * of these the oldest, as its settings say. */
#include "bus/core/group/policy.h"
#include "fresh.h"
#include "returned.h"

#include <inttypes.h>

#define SETTLED_NS (8 * FOB_SEC) /* longer than from a decision to its letter */
#define RESUMED_NS (INT64_C(15) * FOB_SEC)
#define LOOKS      256

/* One that was to go before another, unless it was out already. */
typedef struct {
    const sim_group_t *group;
    uint64_t offset, shed;
    int64_t at_ns;
} doubt_t;

typedef struct {
    sim_fresh_t fresh;
    sim_returned_t returned;
    doubt_t doubts[LOOKS];
    size_t count;
    int64_t up_ns;
} own_t;

static bool before(const sim_checker_t *self, uint8_t reason, uint64_t one, uint64_t other) {
    uint8_t p = self->ground->events[one].priority, q = self->ground->events[other].priority;
    if (reason == FOB_OVERFLOW_DROP_LOWEST && p != q)
        return p < q;
    return one < other;
}

/* It says of what came back what is on record. */
static void look_at_returned(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset) {
    own_t *own = self->own;
    const sim_returned_group_t *group = sim_returned_of(&own->returned, self, fact->group);
    for (size_t i = 0; i < group->count; i++) {
        const sim_returned_one_t *one = &group->all[i];
        SIM_HOLD(self,
                 !before(self, fact->run->reason, one->offset, offset) ||
                     !sim_returned_ready(&own->returned, one, fact->now_ns),
                 "group %s sheds offset %" PRIu64 ", and %" PRIu64 " was to go before",
                 fact->group->name, offset, one->offset);
    }
}

/* First hand-outs are not on record: whether one was out shows when its letter leaves. */
static void look_at_fresh(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset) {
    own_t *own = self->own;
    bool owes = sim_fresh_owes(&own->fresh, self, fact->group);
    int64_t quiet = sim_fresh_quiet_ns(&own->fresh, self, fact->group);
    if (fact->now_ns - quiet < SETTLED_NS || fact->now_ns - own->up_ns < RESUMED_NS)
        return;
    for (unsigned p = owes ? 1 : 0; p < SIM_PRIORITIES && own->count < LOOKS; p++) {
        uint64_t first = sim_fresh_first(&own->fresh, self, fact->group, p);
        if (first && first != offset && before(self, fact->run->reason, first, offset) &&
            self->ground->events[first].position < fact->position)
            own->doubts[own->count++] = (doubt_t){fact->group, first, offset, fact->now_ns};
    }
}

static void doubts_end(sim_checker_t *self, int64_t now_ns) {
    own_t *own = self->own;
    size_t kept = 0;
    for (size_t i = 0; i < own->count; i++) {
        const doubt_t one = own->doubts[i];
        SIM_HOLD(self,
                 now_ns - one.at_ns < SETTLED_NS ||
                     sim_fresh_quiet_ns(&own->fresh, self, one.group) > one.at_ns,
                 "group %s shed offset %" PRIu64 ", and %" PRIu64
                 ", which was not out, was to go before",
                 one.group->name, one.shed, one.offset);
        if (now_ns - one.at_ns < SETTLED_NS)
            own->doubts[kept++] = one;
    }
    own->count = kept;
}

static void known(own_t *own, const sim_group_t *group, uint64_t from, uint64_t to) {
    size_t kept = 0;
    for (size_t i = 0; i < own->count; i++) {
        const doubt_t one = own->doubts[i];
        if (one.group != group || one.offset < from || one.offset > to)
            own->doubts[kept++] = one;
    }
    own->count = kept;
}

/* Whoever is shed and was never out was not out before. */
static void doubts_sure(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    const own_t *own = self->own;
    for (size_t i = 0; i < own->count; i++)
        SIM_HOLD(self, own->doubts[i].group != group || own->doubts[i].offset != offset,
                 "group %s shed offset %" PRIu64 " before %" PRIu64
                 ", which was to go before and was not out",
                 group->name, own->doubts[i].shed, offset);
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    const fob_run_record_t *run = fact->run;
    bool drops =
        run->verb == FOB_RUN_SHED &&
        !(run->flags & (FOB_RUN_DEBT | FOB_RUN_PAID | FOB_RUN_UNKNOWN)) &&
        (run->reason == FOB_OVERFLOW_DROP_OLDEST || run->reason == FOB_OVERFLOW_DROP_LOWEST);
    if (drops && run->flags & FOB_RUN_FRESH)
        doubts_sure(self, fact->group, run->to);
    known(self->own, fact->group, run->from, run->to);
    for (uint64_t o = run->to - run->count + 1; drops && o <= run->to; o++) {
        if (self->ground->events[o].position == fact->position)
            continue; /* it may be that the new one itself had to go */
        look_at_returned(self, fact, o);
        look_at_fresh(self, fact, o);
        break; /* those that follow have no other between them */
    }
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_RUN)
        run(self, fact);
    else if (fact->kind == SIM_DELIVERED)
        known(own, fact->group, fact->offset, fact->offset + fact->count - 1);
    else if (fact->kind == SIM_RESET)
        known(own, fact->group, 1, UINT64_MAX);
    else if (fact->kind == SIM_BOOKS)
        doubts_end(self, fact->now_ns);
    else if (fact->kind == SIM_BUS_UP || fact->kind == SIM_BUS_DOWN)
        own->count = 0;
    if (fact->kind == SIM_BUS_UP)
        own->up_ns = fact->now_ns;
    sim_fresh_fact(&own->fresh, self, fact);
    sim_returned_fact(&own->returned, self, fact);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_fresh_free(&own->fresh);
    sim_returned_free(&own->returned, self);
}

const sim_checker_ops_t sim_check_shed_order = {
    "a full group sheds the oldest, or the lowest, of what is ready", sizeof(own_t), fact, end};
