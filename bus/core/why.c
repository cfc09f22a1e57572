#include "bus/core/why.h"

#include <stdarg.h>
#include <stdio.h>

#define HELD_LONG (10 * FOB_SEC) /* then `why` says who holds without settling */
#define NAME_MOST 80             /* bytes of a pattern that a sentence shows */

static void say(fob_group_stats_t *out, const char *state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add(fob_group_stats_t *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(fob_group_stats_t *out, const char *state, const char *format, ...) {
    va_list args;
    out->state = state;
    va_start(args, format);
    vsnprintf(out->why, sizeof out->why, format, args);
    va_end(args);
}

/* Goes on with the sentence, where there is room for all that is added. */
static void add(fob_group_stats_t *out, const char *format, ...) {
    size_t used = strlen(out->why), room = sizeof out->why - used;
    va_list args;
    va_start(args, format);
    int size = vsnprintf(out->why + used, room, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= room)
        out->why[used] = 0;
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

/* A pattern, or as much of it as a sentence bears. */
static int pattern_size(const fob_group_stats_t *out) {
    return (int)(out->pattern.size < NAME_MOST ? out->pattern.size : NAME_MOST);
}

static uint64_t depth(const fob_group_stats_t *out) {
    return out->ready + out->leased + out->delayed;
}

static bool in_resume_window(const fob_core_t *self, const fob_group_t *group) {
    return self->resume_until != FOB_NEVER &&
           (group->resuming || group->back.in_state[FOB_BACK_IDLE] > 0);
}

/* --- paused --- */

static void explain_paused(const fob_core_t *self, fob_group_stats_t *out) {
    int64_t for_ms = self->now.wall_ms - out->paused_ms;
    say(out, "paused", "paused by an operator for %.0f s: %llu ready",
        for_ms > 0 ? (double)for_ms / 1000 : 0.0, ull(out->ready));
    if (out->leased)
        add(out, ", %llu still with workers", ull(out->leased));
    add(out, "; \"fob group resume %.*s\" lets them go", (int)out->group.size,
        (const char *)out->group.data);
}

/* --- full --- */

static bool full_of_events(const fob_group_stats_t *out) {
    return depth(out) >= out->policy.max_depth;
}

/* The next event, were it as large as these are, does not fit. */
static bool full_of_bytes(const fob_group_stats_t *out) {
    uint64_t mean = depth(out) ? out->bytes / depth(out) : 0;
    return out->bytes > 0 && out->bytes + mean > out->policy.max_bytes;
}

static void add_drain(const fob_core_t *self, const fob_group_t *group, fob_group_stats_t *out) {
    if (group->member_count == 0)
        add(out, "; no worker has joined for %.0f s",
            seconds(group->no_member_ns, self->now.mono_ns));
    else if (out->workers == 0)
        add(out, "; no worker can be reached");
    else if (out->out_rate > 0)
        add(out, "; %.1f settled a second by %u worker%s", out->out_rate, out->workers,
            plural(out->workers));
    else
        add(out, "; nothing was settled for 10 s by its %u worker%s", out->workers,
            plural(out->workers));
}

static void explain_full(const fob_core_t *self, const fob_group_t *group, fob_group_stats_t *out) {
    const char *pattern = (const char *)out->pattern.data;
    if (full_of_events(out))
        say(out, "full", "full: %llu of %llu, publishers of %.*s get BUSY", ull(depth(out)),
            ull(out->policy.max_depth), pattern_size(out), pattern);
    else
        say(out, "full", "full: %llu of %llu bytes, publishers of %.*s get BUSY", ull(out->bytes),
            ull(out->policy.max_bytes), pattern_size(out), pattern);
    if (out->policy.paused) {
        add(out, "; paused by an operator: \"fob group resume %.*s\" lets them go",
            (int)out->group.size, (const char *)out->group.data);
        out->state = "paused";
        return;
    }
    add_drain(self, group, out);
}

/* What comes of a full group that refuses nobody, or of one that soon will. */
static void add_limit(fob_group_stats_t *out) {
    static const char *const makes_room[] = {
        NULL, "the oldest ready event goes for each new one",
        "the oldest of the lowest priority goes for each new one", "each new one is a dead letter"};
    bool full = full_of_events(out) || full_of_bytes(out);
    double used = (double)depth(out), most = (double)out->policy.max_depth;
    if (full && out->policy.overflow != FOB_OVERFLOW_REJECT)
        add(out, "; full: %s", makes_room[out->policy.overflow]);
    else if (!full && used >= 0.8 * most)
        /* rounded down: what is not full is not 100% full */
        add(out, "; %u%% of max_depth=%llu", (unsigned)(100 * used / most),
            ull(out->policy.max_depth));
}

/* --- stuck --- */

/* Whether no worker has a free job, as handlers go on beyond their lease. */
static bool all_stuck(const fob_core_t *self, const fob_group_t *group) {
    for (uint32_t i = 0; i < group->member_count && group->ring_count == 0; i++) {
        const fob_member_t *member = &self->members.slab[group->members[i]];
        if (!member->over_ns && fob_member_free_jobs(member) > 0)
            return false;
    }
    return fob_group_workers(group) > 0 && group->ring_count == 0;
}

static void explain_stuck(const fob_group_t *group, fob_group_stats_t *out) {
    uint32_t workers = fob_group_workers(group);
    say(out, "waiting",
        workers == 1
            ? "%llu ready, the handlers of the %u worker are past their lease and have not ended"
            : "%llu ready, the handlers of all %u workers are past their lease and have not ended",
        ull(out->ready), workers);
}

/* --- not to be reached --- */

/* Workers whose connection broke: what they hold is theirs until they count as lost. */
static void add_unreachable(const fob_core_t *self, const fob_group_t *group,
                            fob_group_stats_t *out) {
    const fob_member_t *first = NULL;
    uint64_t held = 0;
    for (uint32_t i = 0; i < group->member_count; i++) {
        const fob_member_t *member = &self->members.slab[group->members[i]];
        if (!member->over_ns)
            continue;
        held += member->held.count;
        first = first && first->over_ns <= member->over_ns ? first : member;
    }
    if (!first || held == 0)
        return;
    double left = seconds(self->now.mono_ns, first->over_ns);
    fob_slice_t name = fob_member_worker(first);
    if (group->unreachable > 1)
        add(out, "; %u workers are unreachable: their %llu event%s to others from %.1f s on",
            group->unreachable, ull(held), held == 1 ? " goes" : "s go", left);
    else
        add(out, "; worker %.*s is unreachable: its %llu event%s to others in %.1f s",
            (int)name.size, (const char *)name.data, ull(held), held == 1 ? " goes" : "s go", left);
}

/* --- the rest --- */

static void explain_delayed(const fob_core_t *self, const fob_group_t *group,
                            fob_group_stats_t *out) {
    const fob_back_entry_t *first = fob_back_delayed(&group->back);
    say(out, "waiting", "%llu event%s came back and wait%s, the first for another %.1f s",
        ull(out->delayed), plural(out->delayed), out->delayed == 1 ? "s" : "",
        first ? seconds(self->now.mono_ns, first->due_ns) : 0.0);
}

static void explain_waiting(const fob_core_t *self, const fob_group_t *group,
                            fob_group_stats_t *out) {
    if (in_resume_window(self, group))
        say(out, "waiting",
            "%llu ready, some of which may be with workers from before the restart: these may "
            "claim them for another %.1f s",
            ull(out->ready), seconds(self->now.mono_ns, self->resume_until));
    else if (out->ready && group->blocked)
        say(out, "waiting", "%llu ready, being read back from the journal at offset %llu",
            ull(out->ready), ull(group->blocked_at));
    else if (out->ready && self->sparing && group->back.in_state[FOB_BACK_READY] > 0)
        say(out, "waiting",
            "%llu ready, of which %llu came back: these go out a few at a time, as the journal has "
            "hardly any room left",
            ull(out->ready), ull(group->back.in_state[FOB_BACK_READY]));
    else if (out->ready && group->ring_count == 0)
        say(out, "waiting",
            out->workers == 1 ? "%llu ready, the %u worker holds as much as it asked for"
                              : "%llu ready, all %u workers hold as much as they asked for",
            ull(out->ready), out->workers);
    else if (out->ready)
        say(out, "flowing", "%llu ready, going out", ull(out->ready));
    else if (out->leased)
        say(out, "flowing", "%llu event%s with %u of %u workers", ull(out->leased),
            plural(out->leased), out->busy, out->workers);
    else
        explain_delayed(self, group, out);
}

static void explain_idle(const fob_group_t *group, fob_group_stats_t *out) {
    if (fob_census_runs(group))
        say(out, "waiting", "looking through the journal for its events: at offset %llu of %llu",
            ull(group->census_at), ull(group->census_to));
    else if (out->accepted == 0)
        say(out, "idle", "nothing to do: no event has matched %.*s yet", (int)out->pattern.size,
            (const char *)out->pattern.data);
    else
        say(out, "idle", "nothing to do: all %llu accepted events are settled", ull(out->accepted));
}

static void explain(const fob_core_t *self, const fob_group_t *group, fob_group_stats_t *out) {
    bool full = full_of_events(out) || full_of_bytes(out);
    if (full && out->policy.overflow == FOB_OVERFLOW_REJECT)
        explain_full(self, group, out);
    else if (out->policy.paused)
        explain_paused(self, out);
    else if (depth(out) == 0)
        explain_idle(group, out);
    else if (group->member_count == 0)
        say(out, "no_worker", "%llu unsettled, no worker has joined for %.0f s", ull(depth(out)),
            seconds(group->no_member_ns, self->now.mono_ns));
    else if (out->workers == 0)
        say(out, "no_worker", "%llu unsettled, no worker can be reached", ull(depth(out)));
    else if (out->ready && !in_resume_window(self, group) && all_stuck(self, group))
        explain_stuck(group, out);
    else if (out->out_rate > 0 && group->ring_count == 0 && !in_resume_window(self, group) &&
             out->ready)
        say(out, "flowing", "%llu ready, %.1f settled a second by %u worker%s", ull(out->ready),
            out->out_rate, out->workers, plural(out->workers));
    else
        explain_waiting(self, group, out);
}

/* The worker that holds something and has settled nothing for the longest. */
static void add_holder(const fob_core_t *self, const fob_group_t *group, fob_group_stats_t *out) {
    const fob_member_t *holder = NULL;
    for (uint32_t i = 0; i < group->member_count; i++) {
        const fob_member_t *member = &self->members.slab[group->members[i]];
        if (member->held.count > 0 && (!holder || member->since_ns < holder->since_ns))
            holder = member;
    }
    if (!holder || self->now.mono_ns - holder->since_ns < HELD_LONG)
        return;
    add(out, "; %.*s holds %u and has settled none for %.0f s",
        holder->worker_size ? (int)holder->worker_size : (int)strlen("a worker"),
        holder->worker_size ? holder->worker : "a worker", holder->held.count,
        seconds(holder->since_ns, self->now.mono_ns));
}

/* Dead letters keep what they name in the journal, and all that lies above. */
static void add_dead(fob_group_t *group, fob_group_stats_t *out) {
    uint64_t lowest = fob_deads_lowest(&group->deads);
    if (lowest != UINT64_MAX)
        add(out, "; %llu dead letter%s keep%s events from offset %llu on", ull(out->dead),
            plural(out->dead), out->dead == 1 ? "s" : "", ull(lowest));
}

/* How far the walk is that leaves out what a reset forward passes over. (Its floor may stay behind:
 * where nothing more is the group's, that is not written down at once.) */
static uint64_t skip_at(const fob_group_t *group) {
    return group->resuming ? group->resume_at : group->cursor;
}

void fob_why(const fob_core_t *self, fob_group_t *group, fob_group_stats_t *out) {
    explain(self, group, out);
    if (fob_census_runs(group) && depth(out))
        add(out, "; still looking for its events: at offset %llu of %llu", ull(group->census_at),
            ull(group->census_to));
    if (fob_census_runs(group) && self->room_events == 0)
        add(out, "; it goes on once there is room in the journal for settling what it finds");
    if (skip_at(group) < group->skip_to && depth(out))
        add(out, "; leaving out what lies below offset %llu: at %llu", ull(group->skip_to),
            ull(skip_at(group)));
    if (group->unreachable)
        add_unreachable(self, group, out);
    add_limit(out);
    if (!out->policy.paused)
        add_holder(self, group, out);
    add_dead(group, out);
}
