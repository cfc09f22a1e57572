#include "bus/core/work/sparing.h"

#define MOST_OUT    65536u
#define FIRST_PAUSE FOB_SEC
#define LONGEST     (INT64_C(300) * FOB_SEC)

static uint32_t width(const fob_group_t *group) {
    return group->spare_width ? group->spare_width : 1;
}

uint32_t fob_sparing_most(const fob_core_t *self, const fob_group_t *group) {
    if (!self->sparing)
        return UINT32_MAX;
    uint32_t most = width(group) < self->spare_most ? width(group) : self->spare_most;
    if (group->spare_ns > self->now.mono_ns || group->grants.back >= (most ? most : 1))
        return 0;
    return (most ? most : 1) - group->grants.back;
}

static void pause(fob_core_t *self, fob_group_t *group, int64_t ns) {
    group->spare_ns = self->now.mono_ns + ns;
    fob_waits_due(&self->waits, group, group->spare_ns);
}

void fob_sparing_done(fob_core_t *self, fob_group_t *group, const fob_grant_t *grant) {
    if (!self->sparing || !grant->back)
        return;
    group->spare_width = width(group) < MOST_OUT ? width(group) + 1 : MOST_OUT;
    group->spare_ns = group->spare_pause = 0;
    if (self->spare_most == 0)
        pause(self, group, FIRST_PAUSE); /* until what this frees is given back */
}

void fob_sparing_back(fob_core_t *self, fob_group_t *group, const fob_grant_t *grant) {
    if (!self->sparing || !grant->back || group->spare_ns > self->now.mono_ns)
        return;
    int64_t longer = group->spare_pause ? 2 * group->spare_pause : FIRST_PAUSE;
    group->spare_pause = longer < LONGEST ? longer : LONGEST;
    group->spare_width = 1;
    pause(self, group, group->spare_pause);
}

int64_t fob_sparing_due(fob_core_t *self, fob_group_t *group) {
    if (group->spare_ns == 0)
        return FOB_NEVER;
    if (group->spare_ns > self->now.mono_ns)
        return group->spare_ns;
    group->spare_ns = 0;
    fob_core_wake(self, group);
    return FOB_NEVER;
}

void fob_core_spare(fob_core_t *self, bool sparing, uint64_t left) {
    uint64_t most = left / (4 * FOB_SETTLE_ROOM);
    self->spare_most = most < MOST_OUT ? (uint32_t)most : MOST_OUT;
    if (self->sparing == sparing)
        return;
    self->sparing = sparing;
    for (size_t i = 0; i < self->groups.count; i++) {
        fob_group_t *group = self->groups.by_id[i];
        group->spare_width = 0;
        group->spare_ns = group->spare_pause = 0;
        fob_core_wake(self, group);
    }
}
