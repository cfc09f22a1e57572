/* A handler that takes longer than its lease loses its event, where nothing is in the way of bus
 * and worker. */
#include "bus/core/group/policy.h"
#include "conns.h"
#include "table.h"

#include <inttypes.h>

#define MARGIN_NS (6 * FOB_SEC) /* for the way there and back, and a beat that the bus spares */

typedef struct {
    int64_t delivered_ns; /* when it left last */
    uint64_t token;
    uint64_t wanted_ms; /* the bound of the worker it went to; 0: none of its own */
} event_t;

typedef struct {
    uint32_t worker;
    const sim_group_t *group;
    uint64_t offset, token, wanted_ms;
    int64_t begun_ns;
} handler_t;

typedef struct {
    sim_table_t events, set; /* set: int64_t, when the group's bound was set last */
    handler_t *running;
    size_t count, room;
    int64_t *downs; /* by worker: until when something was in its way, plus one */
    size_t worker_room;
    sim_conns_t wanted; /* uint64_t: the lease it wants, ms, or 0 */
    int64_t quiet_ns;
} own_t;

static event_t *event_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    return sim_table_at(&own->events, self, group, offset, sizeof(event_t));
}

static int64_t *set_of(sim_checker_t *self, const sim_group_t *group) {
    own_t *own = self->own;
    return sim_table_at(&own->set, self, group, 0, sizeof(int64_t));
}

static int64_t *downs_of(own_t *own, uint32_t worker) {
    while (worker >= own->worker_room)
        own->downs = sim_grow(own->downs, own->worker_room, &own->worker_room, sizeof *own->downs);
    return &own->downs[worker];
}

static uint64_t *wanted_of(own_t *own, uint32_t conn) {
    return sim_conns_at(&own->wanted, conn, sizeof(uint64_t));
}

static void forget(own_t *own, const sim_group_t *group, uint64_t from, uint64_t to) {
    size_t kept = 0;
    for (size_t i = 0; i < own->count; i++) {
        const handler_t one = own->running[i];
        if (one.group != group || one.offset < from || one.offset > to)
            own->running[kept++] = one;
    }
    own->count = kept;
}

static void down(own_t *own, const sim_fact_t *fact) {
    size_t kept = 0;
    int64_t *last = downs_of(own, fact->worker), until = fact->now_ns + (int64_t)fact->count + 1;
    *last = until > *last ? until : *last;
    for (size_t i = 0; i < own->count; i++)
        if (own->running[i].worker != fact->worker)
            own->running[kept++] = own->running[i];
    own->count = kept;
}

static void delivered(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    uint64_t wanted_ms = *wanted_of(own, fact->worker);
    for (uint64_t i = 0; i < fact->count; i++)
        *event_of(self, fact->group, fact->offset + i) =
            (event_t){fact->now_ns, fact->token + i, wanted_ms};
}

/* One that was delivered before its worker joined is not known to the bus as begun. */
static void begun(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    const event_t *event = event_of(self, fact->group, fact->offset);
    if (event->token != fact->token || event->delivered_ns <= *downs_of(own, fact->worker) ||
        fact->taken)
        return;
    own->running = sim_grow(own->running, own->count, &own->room, sizeof *own->running);
    own->running[own->count++] = (handler_t){fact->worker, fact->group,      fact->offset,
                                             fact->token,  event->wanted_ms, fact->now_ns};
}

static void look(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->count; i++) {
        const handler_t *one = &own->running[i];
        uint64_t lease = one->group->settings[FOB_POLICY_lease], most = one->wanted_ms;
        most = lease && (!most || lease < most) ? lease : most;
        int64_t since = one->begun_ns, set = *set_of(self, one->group);
        since = set > since ? set : since;
        since = own->quiet_ns > since ? own->quiet_ns : since;
        if (!most || one->group->gone || most > 1000000)
            continue;
        SIM_HOLD(self, fact->now_ns - since < (int64_t)most * FOB_MS + MARGIN_NS,
                 "group %s: a handler has offset %" PRIu64 " for %" PRId64
                 " ms, and its lease is %" PRIu64 " ms",
                 one->group->name, one->offset, (fact->now_ns - one->begun_ns) / FOB_MS, most);
    }
}

static void bus(own_t *own, int64_t now_ns) {
    own->count = 0;
    own->quiet_ns = now_ns > own->quiet_ns ? now_ns : own->quiet_ns;
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_DELIVERED)
        delivered(self, fact);
    else if (fact->kind == SIM_BEGUN)
        begun(self, fact);
    else if (fact->kind == SIM_ENDED)
        forget(own, fact->group, fact->offset, fact->offset);
    else if (fact->kind == SIM_TOLD_LOST)
        forget(own, fact->group, fact->offset, fact->offset + fact->count - 1);
    else if (fact->kind == SIM_RUN)
        forget(own, fact->group, fact->run->from, fact->run->to);
    else if (fact->kind == SIM_RESET || fact->kind == SIM_GROUP_GONE)
        forget(own, fact->group, 1, UINT64_MAX);
    else if (fact->kind == SIM_DOWN || fact->kind == SIM_FROZE)
        down(own, fact);
    else if (fact->kind == SIM_JOINING)
        *wanted_of(own, fact->worker) = fact->count;
    else if (fact->kind == SIM_SET && fact->setting == FOB_POLICY_lease)
        *set_of(self, fact->group) = fact->now_ns;
    else if (fact->kind == SIM_BUS_UP || fact->kind == SIM_BUS_DOWN)
        bus(own, fact->now_ns);
    else if (fact->kind == SIM_TROUBLE && fact->now_ns + (int64_t)fact->count > own->quiet_ns)
        own->quiet_ns = fact->now_ns + (int64_t)fact->count;
    else if (fact->kind == SIM_BOOKS)
        look(self, fact);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_table_free(&own->events);
    sim_table_free(&own->set);
    sim_conns_clear(&own->wanted);
    free(own->running);
    free(own->downs);
}

const sim_checker_ops_t sim_check_lease = {
    "a handler that takes longer than its lease loses its event", sizeof(own_t), fact, end};
