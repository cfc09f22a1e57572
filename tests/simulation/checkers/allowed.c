/* A worker gets as many events as it gave credit for, and none of a group that is paused. */
#include "bus/core/group/policy.h"
#include "conns.h"

#include <inttypes.h>

#define GROUPS     64
#define SETTLED_NS (8 * FOB_SEC) /* longer than from a decision to its letter */

typedef struct {
    uint64_t allowed, delivered;
    bool joined, again; /* again: letters from before may be counted with those that follow */
} conn_t;

typedef struct {
    sim_conns_t conns;
    int64_t paused_ns[GROUPS]; /* since when, plus one; 0: it is not */
    int64_t up_ns;             /* when the bus could work again */
} own_t;

static conn_t *conn_of(own_t *own, uint32_t id) {
    return sim_conns_at(&own->conns, id, sizeof(conn_t));
}

static void joining(conn_t *conn, const sim_fact_t *fact) {
    conn->again = conn->joined;
    conn->joined = true;
    conn->allowed = fact->value;
    conn->delivered = 0;
}

static void set(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    size_t index = (size_t)(fact->group - self->ground->groups);
    if (fact->setting != FOB_POLICY_paused || index >= GROUPS)
        return;
    if (!fact->value)
        own->paused_ns[index] = 0;
    else if (!own->paused_ns[index])
        own->paused_ns[index] = fact->now_ns + 1;
}

static void delivered(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    conn_t *conn = conn_of(own, fact->worker);
    size_t index = (size_t)(fact->group - self->ground->groups);
    conn->delivered += fact->count;
    SIM_HOLD(self, conn->again || conn->delivered <= conn->allowed,
             "group %s: a worker gave credit for %" PRIu64 " events, and %" PRIu64 " are sent",
             fact->group->name, conn->allowed, conn->delivered);
    if (index >= GROUPS || !own->paused_ns[index])
        return;
    int64_t since = own->paused_ns[index] > own->up_ns ? own->paused_ns[index] : own->up_ns;
    SIM_HOLD(self, fact->now_ns - since < SETTLED_NS,
             "group %s: offset %" PRIu64 " goes out, and the group is paused for %" PRId64 " s",
             fact->group->name, fact->offset, (fact->now_ns - since) / FOB_SEC);
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_JOINING)
        joining(conn_of(own, fact->worker), fact);
    else if (fact->kind == SIM_CREDIT && fact->value > conn_of(own, fact->worker)->allowed)
        conn_of(own, fact->worker)->allowed = fact->value;
    else if (fact->kind == SIM_SET)
        set(self, fact);
    else if (fact->kind == SIM_DELIVERED)
        delivered(self, fact);
    else if (fact->kind == SIM_BUS_UP)
        own->up_ns = fact->now_ns;
    else if (fact->kind == SIM_TROUBLE && fact->now_ns + (int64_t)fact->count > own->up_ns)
        own->up_ns = fact->now_ns + (int64_t)fact->count;
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_conns_clear(&own->conns);
}

const sim_checker_ops_t sim_check_allowed = {
    "no worker gets more than it asked for, or of a paused group", sizeof(own_t), fact, end};
