/* The healthy make progress: what is ready goes out within a bounded time, where a worker has
 * credit for it and nothing is in the bus's way. */
#include "bus/core/group/policy.h"
#include "conns.h"
#include "fresh.h"
#include "table.h"

#include <inttypes.h>

#define BEATS_NS  (INT64_C(3) * FOB_SEC)  /* who is heard so often is there */
#define WITHIN_NS (INT64_C(15) * FOB_SEC) /* more than a resume window, a slow disk, a read */
#define LEASE_NS  (INT64_C(90) * FOB_SEC) /* handlers that hung under a bound have ended */

/* What the bus knows of a worker. */
typedef struct {
    bool known;               /* the rest is of use */
    const sim_group_t *group; /* NULL: it has not joined */
    int64_t read_ns, here_ns; /* heard last; heard without a break since then */
    uint64_t allowed, delivered;
    int64_t credit_ns; /* may get more since then */
    bool bounded;      /* its handlers have a bound: those past it may be all it has */
} conn_t;

/* An event that came back. */
typedef struct {
    int64_t ready_ns; /* from then on; 0: it is not back */
    int64_t wait_ns;  /* it was to wait so long */
} ready_t;

typedef struct {
    uint64_t *back; /* offsets that came back; some are out again */
    size_t count, room;
    int64_t delivered_ns, paused_ns; /* when last: something went out, it was paused or not */
    bool bounded;                    /* handlers have, or had a moment ago, a bound */
    int64_t bounded_ns;
} group_t;

typedef struct {
    sim_fresh_t fresh;
    sim_table_t ready; /* ready_t */
    sim_conns_t conns;
    group_t *groups;
    size_t room;
} own_t;

static group_t *group_of(sim_checker_t *self, const sim_group_t *group) {
    own_t *own = self->own;
    size_t index = (size_t)(group - self->ground->groups);
    while (index >= own->room)
        own->groups = sim_grow(own->groups, own->room, &own->room, sizeof *own->groups);
    return &own->groups[index];
}

static ready_t *ready_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    return sim_table_at(&own->ready, self, group, offset, sizeof(ready_t));
}

static conn_t *conn_of(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    conn_t *conn = sim_conns_at(&own->conns, fact->worker, sizeof *conn);
    if (!conn->known)
        *conn = (conn_t){.known = true, .here_ns = fact->now_ns, .read_ns = fact->now_ns};
    return conn;
}

/* --- workers --- */

static void heard(sim_checker_t *self, const sim_fact_t *fact) {
    conn_t *conn = conn_of(self, fact);
    if (fact->now_ns - conn->read_ns > BEATS_NS)
        conn->here_ns = fact->now_ns;
    conn->read_ns = fact->now_ns;
}

static void allow(conn_t *conn, const sim_fact_t *fact) {
    if (fact->value > conn->allowed && conn->allowed <= conn->delivered)
        conn->credit_ns = fact->now_ns;
    conn->allowed = fact->value > conn->allowed ? fact->value : conn->allowed;
}

static void delivered(sim_checker_t *self, const sim_fact_t *fact) {
    conn_t *conn = conn_of(self, fact);
    conn->group = fact->group;
    conn->delivered += fact->count;
    group_of(self, fact->group)->delivered_ns = fact->now_ns;
    for (uint64_t i = 0; i < fact->count; i++)
        ready_of(self, fact->group, fact->offset + i)->ready_ns = 0;
}

/* --- events --- */

static void comes_back(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset,
                       int64_t wait_ms) {
    group_t *group = group_of(self, fact->group);
    group->back = sim_grow(group->back, group->count, &group->room, sizeof *group->back);
    group->back[group->count++] = offset;
    int64_t wait_ns = wait_ms * FOB_MS + wait_ms * FOB_MS / 500; /* clocks drift */
    *ready_of(self, fact->group, offset) = (ready_t){fact->now_ns + wait_ns, wait_ns};
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    const fob_run_record_t *run = fact->run;
    int64_t wait = run->verb == FOB_RUN_RETURN && run->due_ms ? run->due_ms - fact->time_ms : 0;
    if (run->verb == FOB_RUN_COVER || run->verb == FOB_RUN_ACCEPT ||
        run->flags & (FOB_RUN_DEBT | FOB_RUN_UNKNOWN))
        return;
    bool all = run->verb == FOB_RUN_REDRIVE || run->verb == FOB_RUN_UNBURY;
    bool back = run->verb == FOB_RUN_RETURN || run->verb == FOB_RUN_REDRIVE;
    for (uint64_t o = all ? run->from : run->to - run->count + 1; o <= run->to; o++) {
        ready_of(self, fact->group, o)->ready_ns = 0;
        if (back)
            comes_back(self, fact, o, wait);
    }
}

static void reset(sim_checker_t *self, const sim_group_t *group) {
    group_t *one = group_of(self, group);
    for (size_t i = 0; i < one->count; i++)
        ready_of(self, group, one->back[i])->ready_ns = 0;
    one->count = 0;
}

/* What waits does so until a time of the journal, which never goes back, and may have stood still
 * while the bus was down: from now on at most what it was to wait in all. */
static void bus_up(sim_checker_t *self, int64_t now_ns) {
    own_t *own = self->own;
    sim_conns_clear(&own->conns);
    for (size_t i = 0; i < self->ground->group_count; i++) {
        const sim_group_t *group = &self->ground->groups[i];
        const group_t *one = group_of(self, group);
        for (size_t n = 0; n < one->count; n++) {
            ready_t *event = ready_of(self, group, one->back[n]);
            if (event->ready_ns)
                event->ready_ns = now_ns + event->wait_ns;
        }
    }
}

static void set(sim_checker_t *self, const sim_fact_t *fact) {
    group_t *group = group_of(self, fact->group);
    if (fact->setting == FOB_POLICY_paused)
        group->paused_ns = fact->now_ns;
    if (fact->setting != FOB_POLICY_lease)
        return;
    if (group->bounded)
        group->bounded_ns = fact->now_ns;
    group->bounded = fact->value > 0;
}

/* --- looking --- */

/* One that is ready since then; 0: none. */
static uint64_t waits_since(sim_checker_t *self, const sim_group_t *group, int64_t since) {
    own_t *own = self->own;
    group_t *one = group_of(self, group);
    for (size_t i = 0; i < one->count;) {
        int64_t ready = ready_of(self, group, one->back[i])->ready_ns;
        if (ready && ready <= since)
            return one->back[i];
        if (!ready)
            one->back[i] = one->back[--one->count];
        else
            i++;
    }
    for (unsigned p = 0; p < SIM_PRIORITIES; p++) {
        uint64_t first = sim_fresh_first(&own->fresh, self, group, p);
        if (first && self->ground->events[first].stored_ns <= since)
            return first;
    }
    return 0;
}

static const conn_t *worker_since(const own_t *own, const sim_group_t *group, int64_t now,
                                  int64_t since) {
    size_t at = 0;
    for (const conn_t *conn; (conn = sim_conns_next(&own->conns, &at, sizeof *conn)) != NULL;) {
        if (conn->group == group && !conn->bounded && conn->here_ns <= since &&
            now - conn->read_ns <= BEATS_NS && conn->allowed > conn->delivered &&
            conn->credit_ns <= since)
            return conn;
    }
    return NULL;
}

static void look(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    const sim_group_t *group = fact->group;
    const group_t *one = group_of(self, group);
    int64_t since = fact->now_ns - WITHIN_NS;
    bool paused = group->settings[FOB_POLICY_paused] || one->paused_ns > since;
    bool bounded = one->bounded || (one->bounded_ns && one->bounded_ns > fact->now_ns - LEASE_NS);
    if (group->gone || paused || bounded || sim_fresh_owes(&own->fresh, self, group) ||
        sim_fresh_quiet_ns(&own->fresh, self, group) > since)
        return;
    const conn_t *worker = worker_since(own, group, fact->now_ns, since);
    if (!worker)
        return;
    uint64_t waits = one->delivered_ns <= since ? waits_since(self, group, since) : 0;
    SIM_HOLD(self, !waits,
             "group %s: offset %" PRIu64 " is ready for %" PRId64
             " s, a worker could have it, and nothing goes out",
             group->name, waits, WITHIN_NS / FOB_SEC);
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    sim_fresh_fact(&own->fresh, self, fact);
    switch (fact->kind) {
    case SIM_READ:
        heard(self, fact);
        break;
    case SIM_JOINING:
        conn_of(self, fact)->group = fact->group;
        conn_of(self, fact)->bounded = fact->count > 0;
        conn_of(self, fact)->allowed = conn_of(self, fact)->delivered = 0;
        allow(conn_of(self, fact), fact);
        break;
    case SIM_CREDIT:
        allow(conn_of(self, fact), fact);
        break;
    case SIM_LEFT:
        conn_of(self, fact)->group = NULL;
        break;
    case SIM_DELIVERED:
        delivered(self, fact);
        break;
    case SIM_RUN:
        run(self, fact);
        break;
    case SIM_RESET:
        reset(self, fact->group);
        break;
    case SIM_SET:
        set(self, fact);
        break;
    case SIM_BUS_UP:
        bus_up(self, fact->now_ns);
        break;
    case SIM_BOOKS:
        look(self, fact);
        break;
    default:
        break;
    }
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->room; i++)
        free(own->groups[i].back);
    free(own->groups);
    sim_conns_clear(&own->conns);
    sim_table_free(&own->ready);
    sim_fresh_free(&own->fresh);
}

const sim_checker_ops_t sim_check_progress = {
    "what is ready goes out, where a worker is there for it", sizeof(own_t), fact, end};
