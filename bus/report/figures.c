#include "bus/report/figures.h"

#include "bus/core/durable/record.h"
#include "proto/amount.h"

#include <stdio.h>

#define PINNED_MUCH  (16u << 20) /* bytes of the journal: less is not worth a word, */
#define PINNED_TIMES 8           /* nor is less than so many times what the group has */

/* One name and value. */
static void put_uint(fob_buf_t *out, const char *name, uint64_t value) {
    fob_pack_cstr(out, name);
    fob_pack_uint(out, value);
}

static void put_text(fob_buf_t *out, const char *name, fob_slice_t value) {
    fob_pack_cstr(out, name);
    fob_pack_str(out, value);
}

static void put_known(fob_buf_t *out, const char *name, int64_t value) {
    fob_pack_cstr(out, name);
    if (value < 0)
        fob_pack_nil(out);
    else
        fob_pack_uint(out, (uint64_t)value);
}

static void put_rate(fob_buf_t *out, const char *name, double value) {
    fob_pack_cstr(out, name);
    if (value < 0)
        fob_pack_nil(out);
    else
        fob_pack_double(out, value);
}

/* Counts by their names; those of zero are left out. */
static void put_counts(fob_buf_t *out, const char *name, const uint64_t *counts, size_t count,
                       const char *(*name_of)(size_t index)) {
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += counts[i] > 0;
    fob_pack_cstr(out, name);
    fob_pack_map(out, used);
    for (size_t i = 0; i < count; i++)
        if (counts[i] > 0)
            put_uint(out, name_of(i), counts[i]);
}

/* --- the bus --- */

static void put_dropped(fob_buf_t *out, const fob_figures_t *bus) {
    fob_pack_cstr(out, "dropped");
    fob_pack_map(out, (bus->dropped_broadcast > 0) + (bus->dropped_unread > 0));
    if (bus->dropped_broadcast)
        put_uint(out, "broadcast", bus->dropped_broadcast);
    if (bus->dropped_unread)
        put_uint(out, "unread", bus->dropped_unread);
}

static const char *ended_name(size_t reason) {
    return fob_ended_name((fob_ended_t)reason);
}

static void put_bus(fob_buf_t *out, const fob_figures_t *bus) {
    fob_pack_map(out, 21);
    put_text(out, "version", fob_slice_str(FOB_VERSION_STRING));
    put_text(out, "level", fob_slice_str(bus->level));
    put_uint(out, "epoch", bus->epoch);
    put_uint(out, "shards", bus->shards);
    put_uint(out, "uptime_ms", bus->uptime_ms);
    put_uint(out, "journal_bytes", bus->journal_bytes);
    put_known(out, "rss_bytes", bus->rss_bytes);
    put_uint(out, "connections", bus->connections);
    put_uint(out, "publishers", bus->publishers);
    put_uint(out, "subscribers", bus->subscribers);
    put_uint(out, "workers", bus->workers);
    put_uint(out, "events_in", bus->events_in);
    put_uint(out, "busy", bus->busy);
    put_uint(out, "malformed", bus->malformed);
    put_dropped(out, bus);
    put_uint(out, "ids", bus->ids);
    put_known(out, "dedup_span_ms", bus->dedup_span_ms);
    put_counts(out, "ended", bus->ended, FOB_ENDED_COUNT, ended_name);
    put_uint(out, "fetching", bus->fetching);
    put_uint(out, "fetched", bus->fetched);
    put_uint(out, "fetched_bytes", bus->fetched_bytes);
}

/* --- groups --- */

static const char *shed_name(size_t index) {
    return fob_overflow_name(index);
}

static const char *removal_name(size_t index) {
    return fob_removal_name((unsigned)index);
}

static void put_books(fob_buf_t *out, const fob_group_stats_t *group) {
    put_uint(out, "accepted", group->accepted);
    put_uint(out, "acked", group->acked);
    put_uint(out, "dead", group->dead);
    put_uint(out, "expired", group->expired);
    put_uint(out, "shed", group->shed);
    put_counts(out, "shed_by", group->shed_by, sizeof group->shed_by / sizeof group->shed_by[0],
               shed_name);
    put_uint(out, "removed", group->removed);
    put_uint(out, "ready", group->ready);
    put_uint(out, "leased", group->leased);
    put_uint(out, "delayed", group->delayed);
}

/* How long the backlog lasts at the rate at which it went out lately; negative: unknown. */
static double drain_seconds(const fob_group_stats_t *group) {
    uint64_t depth = group->ready + group->leased + group->delayed;
    if (depth == 0)
        return 0;
    return group->out_rate > 0 ? (double)depth / group->out_rate : -1;
}

static void put_setting(fob_buf_t *out, unsigned number, uint64_t value) {
    fob_pack_cstr(out, fob_policy_name(number));
    if (fob_policy_kind(number) == FOB_POLICY_OVERFLOW_KIND)
        fob_pack_cstr(out, fob_overflow_name(value));
    else if (fob_policy_kind(number) == FOB_POLICY_FLAG_KIND)
        fob_pack_bool(out, value != 0);
    else
        fob_pack_uint(out, value);
}

static void put_settings(fob_buf_t *out, const fob_policy_t *policy) {
    fob_pack_cstr(out, "settings");
    fob_pack_map(out, FOB_POLICY_SETTINGS);
    for (unsigned number = 1; number < FOB_POLICY_END; number++)
        put_setting(out, number, fob_policy_get(policy, number));
}

void fob_figures_why(const fob_group_stats_t *group, uint64_t pinned, char *out, size_t size) {
    char kept[32];
    fob_amount_about(pinned, kept, sizeof kept);
    if (pinned >= PINNED_MUCH && pinned / PINNED_TIMES > group->bytes)
        snprintf(out, size, "%s; because of it the journal keeps %s, from event %llu on",
                 group->why, kept, (unsigned long long)group->floor);
    else
        snprintf(out, size, "%s", group->why);
}

static void put_group(fob_buf_t *out, const fob_group_stats_t *group, const fob_ledger_t *ledger) {
    uint64_t pinned = fob_ledger_pinned(ledger, group->floor);
    char why[sizeof group->why + 128];
    fob_figures_why(group, pinned, why, sizeof why);
    fob_pack_map(out, 29);
    put_text(out, "group", group->group);
    put_text(out, "pattern", group->pattern);
    put_text(out, "state", fob_slice_str(group->state));
    put_text(out, "why", fob_slice_str(why));
    put_uint(out, "generation", group->generation);
    fob_pack_cstr(out, "since");
    fob_pack_int(out, group->since_ms);
    put_books(out, group);
    put_uint(out, "redelivered", group->redelivered);
    put_uint(out, "workers", group->workers);
    put_uint(out, "busy", group->busy);
    put_rate(out, "in_rate", group->in_rate);
    put_rate(out, "out_rate", group->out_rate);
    put_known(out, "oldest_age_ms", group->oldest_age_ms);
    put_rate(out, "drain_seconds", drain_seconds(group));
    put_uint(out, "limit", group->policy.max_depth);
    put_uint(out, "pinned_bytes", pinned);
    put_counts(out, "removed_by", group->removed_by, FOB_REMOVALS, removal_name);
    put_uint(out, "bytes", group->bytes);
    fob_pack_cstr(out, "temporary");
    fob_pack_bool(out, group->temporary);
    put_settings(out, &group->policy);
}

size_t fob_figures_groups(fob_buf_t *out, fob_ledger_t *ledger, fob_now_t now, fob_slice_t only) {
    fob_core_t *core = fob_ledger_core(ledger);
    size_t all = fob_core_group_count(core);
    fob_group_stats_t group;
    size_t count = 0;
    for (size_t i = 0; only.size && i < all && count == 0; i++)
        if (fob_core_group_stats(core, now, i, &group) && fob_slice_eq(group.group, only))
            count = 1;
    if (only.size) {
        fob_pack_array(out, count);
        if (count)
            put_group(out, &group, ledger);
        return count;
    }
    fob_pack_array(out, all);
    for (size_t i = 0; i < all; i++) {
        if (fob_core_group_stats(core, now, i, &group))
            put_group(out, &group, ledger);
        else
            fob_pack_nil(out);
    }
    return all;
}

void fob_figures_stats(fob_buf_t *out, const fob_figures_t *bus, fob_ledger_t *ledger,
                       fob_now_t now) {
    fob_pack_map(out, 2);
    fob_pack_cstr(out, "bus");
    put_bus(out, bus);
    fob_pack_cstr(out, "groups");
    fob_figures_groups(out, ledger, now, fob_slice(NULL, 0));
}
