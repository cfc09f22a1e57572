#include "bus/core/work/fate.h"

#include "proto/planted.h"

/* One event on its way. */
typedef struct {
    const fob_core_t *core;
    const fob_group_t *group;
    const fob_grant_t *grant;
    const fob_back_entry_t *entry; /* NULL: it was never back */
    fob_reason_t reason;
} fate_t;

/* --- how long it waits --- */

/* A number that looks random and is the same in every run. */
static uint64_t scatter(uint64_t offset, uint64_t attempt) {
    uint64_t x = offset * UINT64_C(0x9E3779B97F4A7C15) + attempt * UINT64_C(0xD1B54A32D192ED03);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static int64_t grown(int64_t first, uint64_t factor, uint32_t times, int64_t max) {
    int64_t pause = first;
    if (factor == 1)
        times = 0;
    for (uint32_t i = 0; i < times && pause > 0 && pause < max; i++)
        pause = factor && pause > max / (int64_t)factor ? max : pause * (int64_t)factor;
    return pause < max ? pause : max;
}

int64_t fob_fate_backoff(const fob_policy_t *policy, uint64_t offset, uint32_t attempts) {
    int64_t bound = grown((int64_t)policy->backoff_first, policy->backoff_factor, attempts - 1,
                          (int64_t)policy->backoff_max);
    return bound > 0 ? (int64_t)(scatter(offset, attempts) % (uint64_t)bound) + 1 : 0;
}

/* --- what becomes of it --- */

static void die(const fate_t *self, fob_reason_t why, uint32_t attempts, fob_run_record_t *run) {
    run->verb = FOB_RUN_DEAD;
    run->reason = (uint8_t)why;
    run->detail = (uint8_t)self->reason;
    run->token = attempts;
}

static bool too_old(const fate_t *self) {
    int64_t stored = self->grant->time_ms;
    uint64_t max_age = self->group->policy.max_age;
    return max_age && stored && !FOB_PLANTED(AGE_IGNORED) &&
           fob_core_time(self->core) - stored > (int64_t)max_age;
}

static int64_t pause_of(const fate_t *self, uint32_t attempts, uint64_t after_ms) {
    if (FOB_PLANTED(NO_BACKOFF))
        return 0;
    if (self->reason == FOB_REASON_LOST || self->reason == FOB_REASON_LEASE)
        return 0; /* it waited long enough */
    if (after_ms && self->reason == FOB_REASON_RETRY)
        return after_ms < FOB_RETRY_AFTER_MAX ? (int64_t)after_ms : FOB_RETRY_AFTER_MAX;
    return fob_fate_backoff(&self->group->policy, self->grant->offset, attempts);
}

static void count_attempt(const fate_t *self, uint64_t after_ms, fob_run_record_t *run) {
    uint32_t attempts = (self->entry ? self->entry->attempts : 0) + 1;
    if (attempts >= self->group->policy.max_attempts + FOB_PLANTED(ATTEMPT_TOO_MANY)) {
        die(self, FOB_REASON_ATTEMPTS, attempts, run);
    } else if (too_old(self)) {
        die(self, FOB_REASON_AGE, attempts, run);
    } else {
        int64_t pause = pause_of(self, attempts, after_ms);
        run->flags |= FOB_RUN_COUNTED | (self->reason == FOB_REASON_RELEASE ? FOB_RUN_RELEASED : 0);
        run->due_ms = pause ? fob_core_time(self->core) + pause : 0;
    }
}

static void release(const fate_t *self, fob_run_record_t *run) {
    const fob_core_config_t *config = &self->core->config;
    uint32_t releases = self->entry ? self->entry->releases : 0;
    if (releases >= FOB_RELEASES_FREE) {
        count_attempt(self, 0, run);
        return;
    }
    run->flags |= FOB_RUN_RELEASED;
    run->due_ms = fob_core_time(self->core) + grown(config->release_first_ms, 2, releases,
                                                    (int64_t)self->group->policy.backoff_max);
}

fob_run_record_t fob_fate(const fob_core_t *self, const fob_group_t *group,
                          const fob_grant_t *grant, fob_reason_t reason, bool begun,
                          uint64_t after_ms) {
    fate_t fate = {.core = self,
                   .group = group,
                   .grant = grant,
                   .entry = grant->back ? fob_back_find(&group->back, grant->offset) : NULL,
                   .reason = reason};
    fob_run_record_t run = {.verb = FOB_RUN_RETURN,
                            .flags = grant->back ? 0 : FOB_RUN_FRESH,
                            .reason = (uint8_t)reason,
                            .count = 1,
                            .from = grant->back ? grant->offset : grant->gap_from,
                            .to = grant->offset,
                            .token = grant->token,
                            .bytes = grant->size};
    if (reason == FOB_REASON_REJECT)
        die(&fate, FOB_REASON_REJECT, (fate.entry ? fate.entry->attempts : 0) + 1, &run);
    else if (reason == FOB_REASON_RELEASE)
        release(&fate, &run);
    else if (begun)
        count_attempt(&fate, after_ms, &run);
    return run;
}
