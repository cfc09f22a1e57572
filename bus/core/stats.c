/* stats: figures. */
#include "bus/core/publish/limits.h"
#include "bus/core/why.h"

/* How old the event is at which the group stands, where it is in memory. */
static int64_t oldest_age(fob_core_t *self, fob_group_t *group) {
    uint64_t back = fob_back_lowest(&group->back), end;
    uint64_t oldest = group->cover.floor < back ? group->cover.floor : back;
    fob_sheet_t *sheet;
    if (oldest > self->head || fob_cache_find(&self->cache, oldest, &sheet, &end) != FOB_CACHE_HIT)
        return -1;
    int64_t age = self->now.wall_ms - sheet->time_ms;
    return age > 0 ? age : 0;
}

/* Leases without which the books would not balance: in their stead events were claimed that were
 * not the group's. They are taken as accepted when they are settled. */
static uint64_t claimed_wrongly(const fob_group_t *group) {
    uint64_t fresh = group->grants.count - group->grants.back;
    uint64_t pristine = fob_group_pristine(group);
    return fresh > pristine ? fresh - pristine : 0;
}

size_t fob_core_group_count(const fob_core_t *self) {
    return self->groups.count;
}

static void look_at(fob_core_t *self, fob_now_t now, fob_group_t *group, fob_group_stats_t *out) {
    self->now = now;
    *out = (fob_group_stats_t){.group = group->name,
                               .pattern = group->pattern,
                               .temporary = group->temporary,
                               .policy = group->policy,
                               .paused_ms = group->paused_ms,
                               .generation = group->generation,
                               .since_ms = group->since_ms,
                               .accepted = group->accepted + claimed_wrongly(group),
                               .acked = group->acked,
                               .dead = group->dead,
                               .expired = group->expired,
                               .shed = group->shed,
                               .removed = group->removed,
                               .bytes = group->bytes,
                               .ready = fob_group_ready(group),
                               .leased = fob_group_leased(group),
                               .delayed = fob_group_delayed(group),
                               .redelivered = group->redelivered,
                               .workers = fob_group_workers(group),
                               .in_rate = fob_meter_rate(&group->in, now.mono_ns),
                               .out_rate = fob_meter_rate(&group->out, now.mono_ns),
                               .floor = fob_group_floor(group)};
    memcpy(out->shed_by, group->shed_by, sizeof group->shed_by);
    memcpy(out->removed_by, group->removed_by, sizeof group->removed_by);
    for (uint32_t i = 0; i < group->member_count; i++) {
        const fob_member_t *member = &self->members.slab[group->members[i]];
        out->busy += member->held.count > 0 && !member->over_ns;
    }
    out->oldest_age_ms = out->ready + out->leased + out->delayed ? oldest_age(self, group) : -1;
    fob_why(self, group, out);
}

bool fob_core_group_stats(fob_core_t *self, fob_now_t now, size_t index, fob_group_stats_t *out) {
    if (index >= self->groups.count)
        return false;
    look_at(self, now, self->groups.by_name[index], out);
    return true;
}

bool fob_core_holder(fob_core_t *self, fob_now_t now, fob_group_stats_t *out) {
    fob_group_t *holder = fob_limits_holder(self);
    if (holder)
        look_at(self, now, holder, out);
    return holder != NULL;
}

void fob_core_stats(const fob_core_t *self, fob_core_stats_t *out) {
    *out = (fob_core_stats_t){.events_in = self->events_in,
                              .busy = self->busy,
                              .cache_bytes = fob_cache_bytes(&self->cache),
                              .sessions = self->writers.count,
                              .ids = fob_dedup_count(self->dedup),
                              .dedup_span_ms = -1};
    int64_t oldest = fob_dedup_oldest_ms(self->dedup);
    if (out->ids)
        out->dedup_span_ms = self->now.wall_ms > oldest ? self->now.wall_ms - oldest : 0;
}
