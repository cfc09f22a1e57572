/* What failed waits as long as its worker or its group's settings say, and dies only where they
 * do. */
#include "bus/core/group/policy.h"
#include "table.h"

#include <inttypes.h>

#define RELEASE_FIRST 100 /* ms, as the simulated bus has it */
#define RELEASES_FREE 100
#define AFTER_MAX     UINT64_C(31536000000)
#define DRIFT         1000 /* a clock is off by less than one in so many */

typedef struct {
    uint32_t attempts, releases; /* on record */
    uint64_t token;              /* under which a handler ended last, */
    int64_t ended_ns;
    uint64_t after; /* and asked to wait so long */
    int64_t due_ns; /* does not go out before, while the bus lives */
    uint32_t life;
} event_t;

typedef struct {
    sim_table_t events;
    uint32_t life; /* of the bus */
} own_t;

static event_t *event_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    return sim_table_at(&own->events, self, group, offset, sizeof(event_t));
}

static uint64_t grown(uint64_t first, uint64_t factor, uint64_t times, uint64_t most) {
    uint64_t pause = first;
    while (times-- > 0 && pause < most && factor > 1)
        pause *= factor;
    return pause < most ? pause : most;
}

/* How long it waits: *least to *most. */
static void pause_of(const event_t *event, const sim_group_t *group, const fob_run_record_t *run,
                     uint64_t *least, uint64_t *most) {
    const uint64_t *settings = group->settings;
    *least = *most = 0;
    if (run->reason == FOB_REASON_RELEASE) {
        *least = *most = grown(RELEASE_FIRST, 2, event->releases, settings[FOB_POLICY_backoff_max]);
    } else if (run->reason == FOB_REASON_RETRY && event->token == run->token && event->after) {
        *least = *most = event->after < AFTER_MAX ? event->after : AFTER_MAX;
    } else if (run->reason == FOB_REASON_RETRY) {
        *most = grown(settings[FOB_POLICY_backoff_first], settings[FOB_POLICY_backoff_factor],
                      event->attempts, settings[FOB_POLICY_backoff_max]);
        *least = *most ? 1 : 0;
    }
}

static void comes_back(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset) {
    own_t *own = self->own;
    const fob_run_record_t *run = fact->run;
    event_t *event = event_of(self, fact->group, offset);
    bool counted = run->flags & FOB_RUN_COUNTED;
    uint64_t least, most, pause = run->due_ms ? (uint64_t)(run->due_ms - fact->time_ms) : 0;
    pause_of(event, fact->group, run, &least, &most);
    if (event->releases < RELEASES_FREE)
        SIM_HOLD(self, pause >= least && pause <= most,
                 "group %s: offset %" PRIu64
                 " comes back (reason %u, attempt %u) and waits %" PRIu64 " ms, not %" PRIu64
                 " to %" PRIu64,
                 fact->group->name, offset, run->reason, event->attempts + 1, pause, least, most);
    event->attempts += counted;
    event->releases += (run->flags & FOB_RUN_RELEASED) != 0;
    SIM_HOLD(self, !counted || event->attempts < fact->group->settings[FOB_POLICY_max_attempts],
             "group %s: offset %" PRIu64 " comes back after attempt %u of %" PRIu64,
             fact->group->name, offset, event->attempts,
             fact->group->settings[FOB_POLICY_max_attempts]);
    int64_t since = event->token == run->token ? event->ended_ns : 0;
    int64_t wait = (int64_t)pause * FOB_MS;
    event->due_ns = since && wait ? since + wait - wait / DRIFT - FOB_MS : 0;
    event->life = own->life;
}

static void dies(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset) {
    const fob_run_record_t *run = fact->run;
    const uint64_t *settings = fact->group->settings;
    const event_t *event = event_of(self, fact->group, offset);
    if (run->reason == FOB_REASON_ATTEMPTS)
        SIM_HOLD(self, event->attempts + 1 >= settings[FOB_POLICY_max_attempts],
                 "group %s: offset %" PRIu64 " is dead after attempt %u of %" PRIu64,
                 fact->group->name, offset, event->attempts + 1, settings[FOB_POLICY_max_attempts]);
    uint64_t age = (uint64_t)(fact->time_ms - self->ground->events[offset].time_ms);
    if (run->reason == FOB_REASON_AGE)
        SIM_HOLD(self, settings[FOB_POLICY_max_age] && age > settings[FOB_POLICY_max_age],
                 "group %s: offset %" PRIu64 " is dead for its age of %" PRIu64 " ms, of %" PRIu64,
                 fact->group->name, offset, age, settings[FOB_POLICY_max_age]);
    if (run->reason == FOB_REASON_OVERFLOW)
        SIM_HOLD(self, settings[FOB_POLICY_overflow] == FOB_OVERFLOW_DEAD_LETTER,
                 "group %s: offset %" PRIu64 " is dead as the group is full, which is not its way",
                 fact->group->name, offset);
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    const fob_run_record_t *run = fact->run;
    if (run->verb == FOB_RUN_REDRIVE)
        for (uint64_t o = run->from; o <= run->to; o++)
            *event_of(self, fact->group, o) = (event_t){0};
    for (uint64_t o = run->to - run->count + 1; o <= run->to && run->verb == FOB_RUN_RETURN; o++) {
        fob_run_record_t one = *run;
        one.token += o - (run->to - run->count + 1);
        sim_fact_t of = *fact;
        of.run = &one;
        comes_back(self, &of, o);
    }
    if (run->verb == FOB_RUN_DEAD && !(run->flags & FOB_RUN_UNKNOWN))
        for (uint64_t o = run->to - run->count + 1; o <= run->to; o++)
            dies(self, fact, o);
}

static void ended(sim_checker_t *self, const sim_fact_t *fact) {
    event_t *event = event_of(self, fact->group, fact->offset);
    if (fact->token <= event->token)
        return;
    event->token = fact->token;
    event->ended_ns = fact->now_ns;
    event->after = fact->settle == FOB_KIND_RETRY ? fact->value : 0;
}

static void delivered(sim_checker_t *self, const sim_fact_t *fact) {
    const own_t *own = self->own;
    for (uint64_t i = 0; i < fact->count; i++) {
        event_t *event = event_of(self, fact->group, fact->offset + i);
        if (!event->due_ns || event->life != own->life)
            continue;
        SIM_HOLD(self, fact->now_ns >= event->due_ns,
                 "group %s: offset %" PRIu64 " goes out %" PRId64 " ms before its time",
                 fact->group->name, fact->offset + i, (event->due_ns - fact->now_ns) / FOB_MS);
        event->due_ns = 0;
    }
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_RUN)
        run(self, fact);
    else if (fact->kind == SIM_ENDED)
        ended(self, fact);
    else if (fact->kind == SIM_DELIVERED)
        delivered(self, fact);
    else if (fact->kind == SIM_BUS_UP)
        own->life++;
    else if (fact->kind == SIM_RESET && fact->reset->mode == FOB_RESET_ANEW)
        for (uint64_t o = 1; o <= self->ground->head; o++)
            *event_of(self, fact->group, o) = (event_t){0};
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_table_free(&own->events);
}

const sim_checker_ops_t sim_check_fate = {
    "what failed waits as long as it should, and dies only with a cause", sizeof(own_t), fact, end};
