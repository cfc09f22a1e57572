/* stats: figures, and the sentence that says why a group does not move. */
#include "bus/core/state.h"

#include <stdarg.h>
#include <stdio.h>

static void say(fob_group_stats_t *out, const char *state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(fob_group_stats_t *out, const char *state, const char *format, ...) {
    va_list args;
    out->state = state;
    va_start(args, format);
    vsnprintf(out->why, sizeof out->why, format, args);
    va_end(args);
}

static unsigned long long ull(uint64_t value) {
    return (unsigned long long)value;
}

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

static double seconds(int64_t from_ns, int64_t to_ns) {
    return to_ns > from_ns ? (double)(to_ns - from_ns) / (double)FOB_SEC : 0;
}

static bool in_resume_window(const fob_core_t *self, const fob_group_t *group) {
    return self->resume_until != FOB_NEVER &&
           (group->resuming || group->back.in_state[FOB_BACK_IDLE] > 0);
}

static void explain_waiting(const fob_core_t *self, const fob_group_t *group,
                            fob_group_stats_t *out) {
    const fob_back_entry_t *first = fob_back_delayed(&group->back);
    if (in_resume_window(self, group))
        say(out, "waiting",
            "%llu ready, some of which may be with workers from before the restart: these may "
            "claim them for another %.1f s",
            ull(out->ready), seconds(self->now.mono_ns, self->resume_until));
    else if (out->ready && group->blocked)
        say(out, "waiting", "%llu ready, being read back from the journal at offset %llu",
            ull(out->ready), ull(group->blocked_at));
    else if (out->ready && group->ring_count == 0)
        say(out, "waiting",
            group->member_count == 1 ? "%llu ready, the %u worker holds as much as it asked for"
                                     : "%llu ready, all %u workers hold as much as they asked for",
            ull(out->ready), group->member_count);
    else if (out->ready)
        say(out, "flowing", "%llu ready, going out", ull(out->ready));
    else if (out->leased)
        say(out, "flowing", "%llu event%s with %u of %u workers", ull(out->leased),
            plural(out->leased), out->busy, out->workers);
    else
        say(out, "waiting", "%llu event%s came back and wait%s, the first for another %.1f s",
            ull(out->delayed), plural(out->delayed), out->delayed == 1 ? "s" : "",
            first ? seconds(self->now.mono_ns, first->due_ns) : 0.0);
}

static void explain(const fob_core_t *self, const fob_group_t *group, fob_group_stats_t *out) {
    uint64_t left = out->ready + out->leased + out->delayed;
    if (left == 0 && out->accepted == 0)
        say(out, "idle", "nothing to do: no event has matched %.*s yet", (int)out->pattern.size,
            (const char *)out->pattern.data);
    else if (left == 0)
        say(out, "idle", "nothing to do: all %llu accepted events are settled", ull(out->accepted));
    else if (group->member_count == 0)
        say(out, "no_worker", "%llu unsettled, no worker has joined for %.0f s", ull(left),
            seconds(group->no_member_ns, self->now.mono_ns));
    else if (out->out_rate > 0 && group->ring_count == 0 && !in_resume_window(self, group) &&
             out->ready)
        say(out, "flowing", "%llu ready, %.1f settled a second by %u worker%s", ull(out->ready),
            out->out_rate, out->workers, plural(out->workers));
    else
        explain_waiting(self, group, out);
}

/* Dead letters keep what they name in the journal, and all that lies above. */
static void explain_dead(fob_group_t *group, fob_group_stats_t *out) {
    uint64_t lowest = fob_deads_lowest(&group->deads);
    size_t used = strlen(out->why);
    if (lowest != UINT64_MAX)
        snprintf(out->why + used, sizeof out->why - used,
                 "; %llu dead letter%s keep%s events from offset %llu on", ull(out->dead),
                 plural(out->dead), out->dead == 1 ? "s" : "", ull(lowest));
}

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

size_t fob_core_group_count(const fob_core_t *self) {
    return self->groups.count;
}

bool fob_core_group_stats(fob_core_t *self, fob_now_t now, size_t index, fob_group_stats_t *out) {
    if (index >= self->groups.count)
        return false;
    fob_group_t *group = self->groups.by_name[index];
    self->now = now;
    *out = (fob_group_stats_t){.group = group->name,
                               .pattern = group->pattern,
                               .temporary = group->temporary,
                               .policy = group->policy,
                               .paused_ms = group->paused_ms,
                               .generation = group->generation,
                               .since_ms = group->since_ms,
                               .accepted = group->accepted,
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
                               .workers = group->member_count,
                               .in_rate = fob_meter_rate(&group->in, now.mono_ns),
                               .out_rate = fob_meter_rate(&group->out, now.mono_ns),
                               .floor = fob_group_floor(group)};
    memcpy(out->shed_by, group->shed_by, sizeof group->shed_by);
    memcpy(out->removed_by, group->removed_by, sizeof group->removed_by);
    for (uint32_t i = 0; i < group->member_count; i++)
        out->busy += self->members.slab[group->members[i]].held.count > 0;
    out->oldest_age_ms = out->ready + out->leased + out->delayed ? oldest_age(self, group) : -1;
    explain(self, group, out);
    explain_dead(group, out);
    return true;
}

void fob_core_stats(const fob_core_t *self, fob_core_stats_t *out) {
    *out = (fob_core_stats_t){.events_in = self->events_in,
                              .busy = self->busy,
                              .cache_bytes = fob_cache_bytes(&self->cache),
                              .sessions = self->writers.count};
}
