#include "bus/core/group/dead_limits.h"

#include "bus/core/durable/runs.h"

#define REMOVED_AT_ONCE 4096
#define LOOK_AGAIN_MS   3600000 /* at the latest: the wall clock may have been set */
#define TRY_AGAIN_MS    100     /* where there was no memory */

static bool too_many(const fob_group_t *group, uint64_t removed) {
    return group->deads.count - removed > group->policy.dead_max;
}

/* When a letter is too old; the past where it is. */
static int64_t age_wait(const fob_core_t *self, const fob_group_t *group, const fob_dead_t *dead) {
    return dead->time_ms + (int64_t)group->policy.dead_max_age - fob_core_time(self);
}

/* Puts runs for the oldest ones that have to go; gives how many. */
static uint64_t put_oldest(fob_core_t *self, const fob_group_t *group, fob_runs_writer_t *runs) {
    size_t at = 0;
    uint64_t count = 0;
    const fob_dead_t *dead;
    while (count < REMOVED_AT_ONCE && (dead = fob_deads_next(&group->deads, &at)) != NULL) {
        bool many = too_many(group, count);
        if (!many && age_wait(self, group, dead) > 0)
            break;
        fob_run_record_t run = {.verb = FOB_RUN_UNBURY,
                                .reason = many ? FOB_REMOVAL_DEAD_MAX : FOB_REMOVAL_DEAD_MAX_AGE,
                                .count = dead->count,
                                .from = dead->offset,
                                .to = dead->offset,
                                .token = dead->serial};
        fob_runs_put(runs, &run);
        count++;
    }
    return count;
}

static bool any_to_go(const fob_core_t *self, fob_group_t *group) {
    const fob_dead_t *oldest = fob_deads_oldest(&group->deads);
    return oldest && (too_many(group, 0) || age_wait(self, group, oldest) <= 0);
}

static int64_t next_look(const fob_core_t *self, fob_group_t *group) {
    const fob_dead_t *oldest = fob_deads_oldest(&group->deads);
    if (!oldest)
        return FOB_NEVER;
    int64_t wait = age_wait(self, group, oldest);
    if (wait <= 0 || too_many(group, 0))
        return self->now.mono_ns;
    return self->now.mono_ns + (wait < LOOK_AGAIN_MS ? wait : LOOK_AGAIN_MS) * FOB_MS;
}

void fob_dead_limits_due(fob_core_t *self, fob_group_t *group) {
    int64_t look = next_look(self, group);
    if (look != FOB_NEVER)
        fob_waits_due(&self->waits, group, look);
}

int64_t fob_dead_limits(fob_core_t *self, fob_group_t *group) {
    fob_runs_writer_t runs;
    if (!any_to_go(self, group))
        return next_look(self, group);
    uint64_t count = group->deads.count;
    size_t most = count < REMOVED_AT_ONCE ? (size_t)count : REMOVED_AT_ONCE;
    if (!fob_runs_begin_ends(&runs, self, group, most))
        return self->now.mono_ns + TRY_AGAIN_MS * FOB_MS;
    put_oldest(self, group, &runs);
    fob_runs_end(&runs);
    int64_t next = next_look(self, group);
    return next > self->now.mono_ns ? next : self->now.mono_ns + 1;
}
