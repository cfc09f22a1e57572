#include "bus/core/publish/limits.h"

#include "bus/core/admin/reclaim.h"
#include "proto/planted.h"

#include <stdio.h>

#define RETRY_LEAST 50 /* ms */
#define RETRY_MOST  5000
#define RETRY_IDLE  1000 /* nothing is settled: nobody knows */

static bool near(const fob_group_t *group, uint64_t events, uint64_t bytes) {
    return FOB_PLANTED(BUSY_ALWAYS) || fob_group_depth(group) + events > group->policy.max_depth ||
           group->bytes + bytes > group->policy.max_bytes;
}

bool fob_limits_near(const fob_sheet_t *sheet) {
    for (uint32_t i = 0; i < sheet->group_count; i++) {
        if (near(sheet->groups[i], sheet->count, sheet->size))
            return true;
    }
    return false;
}

bool fob_limits_full(const fob_group_t *group, uint64_t depth, uint64_t bytes, uint64_t size) {
    if (FOB_PLANTED(BUSY_ALWAYS) ||
        (FOB_PLANTED(BUSY_EARLY) && depth >= group->policy.max_depth / 2))
        return true;
    return depth >= group->policy.max_depth + FOB_PLANTED(LIMIT_ONE_TOO_HIGH) ||
           (depth > 0 && bytes + size > group->policy.max_bytes);
}

/* --- what there would be --- */

void fob_limits_begin(fob_core_t *core) {
    core->offers++;
}

static fob_load_t *load_of(const fob_core_t *core, fob_group_t *group) {
    fob_load_t *load = &group->load;
    if (load->offer != core->offers)
        *load = (fob_load_t){
            .offer = core->offers, .depth = fob_group_depth(group), .bytes = group->bytes};
    return load;
}

fob_group_t *fob_limits_refuses(const fob_core_t *core, const fob_sheet_t *sheet,
                                const fob_sheet_topic_t *topic, uint64_t size) {
    for (uint32_t i = 0; i < topic->group_count; i++) {
        fob_group_t *group = sheet->groups[topic->groups_at + i];
        const fob_load_t *load = load_of(core, group);
        if (group->policy.overflow == FOB_OVERFLOW_REJECT &&
            fob_limits_full(group, load->depth, load->bytes, size))
            return group;
    }
    return NULL;
}

void fob_limits_add(const fob_core_t *core, const fob_sheet_t *sheet,
                    const fob_sheet_topic_t *topic, uint64_t size) {
    for (uint32_t i = 0; i < topic->group_count; i++) {
        fob_load_t *load = load_of(core, sheet->groups[topic->groups_at + i]);
        load->depth++;
        load->bytes += size;
        load->events++;
    }
}

/* --- what is told --- */

/* The time in which as many are settled as were refused, or half of what waits, where that is less:
 * the group can take no more than what it has settled, and a rate is measured of what there was to
 * settle. A publisher that came back only when all is settled would find idle workers, and keep the
 * rate as low as its own pauses make it. */
static uint64_t retry_after(double rate, uint64_t depth, uint64_t refused) {
    uint64_t wanted = refused < depth / 2 ? refused : depth / 2;
    if (rate <= 0)
        return RETRY_IDLE;
    double ms = (double)wanted * 1000 / rate;
    if (ms < RETRY_LEAST)
        return RETRY_LEAST;
    return ms > RETRY_MOST ? RETRY_MOST : (uint64_t)ms;
}

static void tell_work(const fob_core_t *core, const fob_group_t *group, double rate, char *out,
                      size_t room) {
    int64_t idle = core->now.mono_ns - group->no_member_ns;
    if (group->policy.paused)
        snprintf(out, room, "it is paused");
    else if (group->member_count == 0)
        snprintf(out, room, "no worker for %lld s", (long long)(idle > 0 ? idle / FOB_SEC : 0));
    else if (fob_group_workers(group) == 0)
        snprintf(out, room, "no worker can be reached");
    else
        snprintf(out, room, "%u worker%s, %.0f settled a second", fob_group_workers(group),
                 fob_group_workers(group) == 1 ? "" : "s", rate > 0 ? rate : 0.0);
}

void fob_limits_tell(const fob_core_t *core, fob_group_t *group, uint64_t refused, bool behind,
                     fob_busy_t *out) {
    double rate = fob_meter_rate(&group->out, core->now.mono_ns);
    char work[64];
    out->depth = FOB_PLANTED(BUSY_EARLY) ? group->policy.max_depth : fob_group_depth(group);
    out->limit = group->policy.max_depth;
    out->retry_ms = retry_after(rate, out->depth, refused);
    bool full = out->depth >= out->limit, by_bytes = !full && !behind;
    if (by_bytes) {
        out->depth = group->bytes;
        out->limit = group->policy.max_bytes;
    }
    tell_work(core, group, rate, work, sizeof work);
    snprintf(out->text, sizeof out->text, "group %.*s %s (%s%llu of %llu%s), %s",
             (int)group->name.size, (const char *)group->name.data,
             full || by_bytes ? "is full" : "was full", full || by_bytes ? "" : "now ",
             (unsigned long long)out->depth, (unsigned long long)out->limit,
             by_bytes ? " bytes" : "", work);
}

/* Dead letters below what stays where it is would be out of the way, did not that stay. */
fob_group_t *fob_limits_holder(const fob_core_t *core) {
    fob_group_t *holder = NULL, *stays = NULL;
    uint64_t lowest = core->head + 1, lowest_stays = UINT64_MAX;
    for (size_t i = 0; i < core->groups.count; i++) {
        fob_group_t *group = core->groups.by_id[i];
        uint64_t needs = fob_group_floor(group);
        holder = needs < lowest ? group : holder;
        lowest = needs < lowest ? needs : lowest;
        if (group->cover.floor < lowest_stays && fob_reclaim_stays(core, group)) {
            stays = group;
            lowest_stays = group->cover.floor;
        }
    }
    return stays ? stays : holder;
}

void fob_limits_tell_holder(const fob_core_t *core, fob_group_t *group, char *out) {
    char work[64];
    tell_work(core, group, fob_meter_rate(&group->out, core->now.mono_ns), work, sizeof work);
    snprintf(out, FOB_BUSY_TEXT,
             "no room on the disk: group %.*s needs what is stored from offset %llu on (%llu "
             "unsettled, %llu dead letters), %s",
             (int)group->name.size, (const char *)group->name.data,
             (unsigned long long)fob_group_floor(group), (unsigned long long)fob_group_depth(group),
             (unsigned long long)group->dead, work);
}
