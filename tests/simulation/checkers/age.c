/* What is older than its group's max_age does not go out, and dies when it fails. */
#include "bus/core/group/policy.h"
#include "proto/wire.h"
#include "table.h"

#include <inttypes.h>

#define SETTLED_NS (8 * FOB_SEC) /* longer than from a decision to its letter */
#define JUMP_MS    1000

typedef struct {
    uint64_t token; /* under which it was delivered last, or went out again */
    bool claimed;   /* since then: the bus may not know its age */
} event_t;

typedef struct {
    sim_table_t events, set;   /* set: int64_t, when max_age was set last */
    int64_t ahead_ms;          /* by how much the bus's wall clock was ahead of the world's */
    int64_t jump_ns, quiet_ns; /* when that was not so any more; when the bus was free to work */
} own_t;

static event_t *event_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    return sim_table_at(&own->events, self, group, offset, sizeof(event_t));
}

static int64_t *set_of(sim_checker_t *self, const sim_group_t *group) {
    own_t *own = self->own;
    return sim_table_at(&own->set, self, group, 0, sizeof(int64_t));
}

/* How much too old it is by then; at most 0: it is not. */
static int64_t over_ms(const sim_checker_t *self, const sim_group_t *group, uint64_t offset,
                       int64_t time_ms) {
    uint64_t most = group->settings[FOB_POLICY_max_age];
    const sim_stored_t *event = &self->ground->events[offset];
    if (!most || most > INT64_MAX / 2 || offset > self->ground->head || !event->there)
        return 0;
    return time_ms - event->time_ms - (int64_t)most;
}

static void clock_says(own_t *own, const sim_fact_t *fact) {
    int64_t ahead = fact->time_ms - fact->now_ns / FOB_MS, change = ahead - own->ahead_ms;
    if (change > JUMP_MS || change < -JUMP_MS) {
        own->jump_ns = fact->now_ns;
        own->ahead_ms = ahead;
    }
}

/* Since when the bus could judge every event of the group by its age, as it does now. */
static int64_t judged_since(sim_checker_t *self, const sim_group_t *group) {
    const own_t *own = self->own;
    int64_t since = own->jump_ns > own->quiet_ns ? own->jump_ns : own->quiet_ns;
    return *set_of(self, group) > since ? *set_of(self, group) : since;
}

/* What is seen of a hand-out a moment after it was decided. */
static void went_out(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset) {
    int64_t over =
        over_ms(self, fact->group, offset, fact->time_ms - SETTLED_NS / FOB_MS - JUMP_MS);
    if (fact->now_ns - judged_since(self, fact->group) <= SETTLED_NS)
        return;
    SIM_HOLD(self, over <= 0,
             "group %s: offset %" PRIu64 " goes out %" PRId64 " ms after its max_age",
             fact->group->name, offset, over);
}

static void delivered(sim_checker_t *self, const sim_fact_t *fact) {
    clock_says(self->own, fact);
    for (uint64_t i = 0; i < fact->count; i++) {
        uint64_t offset = fact->offset + i;
        *event_of(self, fact->group, offset) = (event_t){.token = fact->token + i};
        went_out(self, fact, offset);
    }
}

static void one(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset, uint64_t token) {
    const fob_run_record_t *run = fact->run;
    event_t *event = event_of(self, fact->group, offset);
    int64_t over = over_ms(self, fact->group, offset, fact->time_ms);
    bool again = run->verb == FOB_RUN_HANDOUT && token > event->token;
    bool failed = run->verb == FOB_RUN_RETURN && run->flags & FOB_RUN_COUNTED &&
                  token == event->token && !event->claimed;
    if (run->verb == FOB_RUN_HANDOUT)
        *event = (event_t){.token = again ? token : event->token, .claimed = !again};
    /* It may have gone out before, without a record, which a purge or a move needs now. */
    if (again && run->flags & FOB_RUN_FRESH)
        went_out(self, fact, offset);
    else
        SIM_HOLD(self, over <= 0 || !(again || failed),
                 "group %s: offset %" PRIu64 " %s %" PRId64 " ms after its max_age",
                 fact->group->name, offset, again ? "goes out again" : "comes back", over);
}

static void claims(sim_checker_t *self, const sim_fact_t *fact) {
    fob_runs_t rows;
    fob_run_t row;
    if (!fact->group || !fact->bytes.size || !fob_runs(fact->bytes, &rows))
        return;
    while (fob_runs_next(&rows, &row))
        for (uint64_t i = 0; i < row.at[1]; i++)
            event_of(self, fact->group, row.at[0] + i)->claimed = true;
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    const fob_run_record_t *run = fact->run;
    if (fact->kind == SIM_DELIVERED)
        delivered(self, fact);
    else if (fact->kind == SIM_RUN && (run->verb == FOB_RUN_HANDOUT || run->verb == FOB_RUN_RETURN))
        for (uint64_t o = run->to - run->count + 1; o <= run->to; o++)
            one(self, fact, o, run->token + (o - (run->to - run->count + 1)));
    else if (fact->kind == SIM_JOINING)
        claims(self, fact);
    else if (fact->kind == SIM_SET && fact->setting == FOB_POLICY_max_age)
        *set_of(self, fact->group) = fact->now_ns;
    else if (fact->kind == SIM_BUS_UP && fact->now_ns > own->quiet_ns)
        own->quiet_ns = fact->now_ns;
    else if (fact->kind == SIM_TROUBLE && fact->now_ns + (int64_t)fact->count > own->quiet_ns)
        own->quiet_ns = fact->now_ns + (int64_t)fact->count;
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_table_free(&own->events);
    sim_table_free(&own->set);
}

const sim_checker_ops_t sim_check_age = {
    "what is older than max_age does not go out, and dies when it fails", sizeof(own_t), fact, end};
