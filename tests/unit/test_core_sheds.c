/* The part of the model that knows what a full group has to drop: of what is ready the oldest, or
 * the oldest of the lowest priority. Those that were never out and have priority 0 are dropped
 * without a look at where they lie: among themselves the oldest first, before what has a place. */
#include "test_core_world.h"

#include "bus/core/durable/record.h"

/* How soon an event has to go: the lowest first. */
static uint64_t turn_of(const books_group_t *group, uint64_t offset) {
    bool by_priority = group->policy.overflow == FOB_OVERFLOW_DROP_LOWEST;
    return (by_priority ? (uint64_t)world->books.events[offset].priority << 32 : 0) + offset;
}

/* What this turn dropped of a group. */
typedef struct {
    uint64_t last;  /* turn_of the last of those that have a place */
    uint64_t drops; /* in all */
} dropped_t;

static void add_run(const books_group_t *group, const fob_run_record_t *run, dropped_t *out) {
    if (run->verb != FOB_RUN_SHED || (run->flags & FOB_RUN_PAID))
        return;
    out->drops += run->count;
    uint64_t turn = run->flags & FOB_RUN_DEBT ? 0 : turn_of(group, run->to);
    out->last = turn > out->last ? turn : out->last;
}

static dropped_t dropped_now(const books_group_t *group) {
    const kit_t *kit = &world->kit;
    dropped_t dropped = {0};
    for (size_t i = kit->turn_from; i < kit->log_count; i++) {
        fob_record_runs_t record;
        fob_run_record_t run;
        if (!fob_record_read_runs(fob_slice(kit->log[i].bytes, kit->log[i].size), &record) ||
            &world->books.groups[record.group] != group)
            continue;
        for (size_t k = 0; k < record.count; k++) {
            if (fob_record_read_run(record.runs + k * FOB_RUN_SIZE, &run))
                add_run(group, &run, &dropped);
        }
    }
    return dropped;
}

/* Whether it was ready beyond doubt, and is there still. */
static bool ready(const books_group_t *group, unsigned index, uint64_t offset) {
    const books_entry_t *entry = &group->entries[offset];
    if (entry->place == BOOKS_BACK)
        return !entry->out && entry->due_ms == 0;
    return entry->place == BOOKS_FRESH && !world->fates[index][offset].first_out;
}

/* Never out, and of priority 0, before this turn found it as one of those dropped. */
static bool is_plain(const books_group_t *group, uint64_t offset) {
    const books_entry_t *entry = &group->entries[offset];
    return entry->paid == world->kit.position ||
           (entry->place == BOOKS_FRESH && world->books.events[offset].priority == 0);
}

/* The oldest `owed` plain ones are gone; of these the last are of this turn. */
static void watch_plain(const books_group_t *group, unsigned index, const dropped_t *dropped) {
    uint64_t owed = group->debt, count = 0;
    for (uint64_t offset = 1; offset <= world->books.head; offset++)
        owed += group->entries[offset].paid == world->kit.position;
    for (uint64_t offset = 1; offset <= world->books.head; offset++) {
        bool found = group->entries[offset].paid == world->kit.position;
        if (!is_plain(group, offset) || (!found && !ready(group, index, offset)))
            continue;
        check(++count <= owed || !found, "%s dropped %llu, which is not among the oldest %llu",
              group->name, (unsigned long long)offset, (unsigned long long)owed);
        check(count <= owed || turn_of(group, offset) > dropped->last,
              "%s kept %llu, and dropped one that goes later", group->name,
              (unsigned long long)offset);
    }
}

static void watch_group(const books_group_t *group, unsigned index) {
    dropped_t dropped = dropped_now(group);
    if (dropped.drops == 0)
        return;
    watch_plain(group, index, &dropped);
    for (uint64_t offset = 1; offset <= world->books.head; offset++) {
        if (!is_plain(group, offset) && ready(group, index, offset))
            check(turn_of(group, offset) > dropped.last,
                  "%s kept %llu, and dropped one that goes later", group->name,
                  (unsigned long long)offset);
    }
    model_tally.drops++;
}

void model_watch_shed(void) {
    for (unsigned i = 0; i < GROUPS; i++) {
        const books_group_t *group = books_find(&world->books, group_names[i]);
        if (group && (group->policy.overflow == FOB_OVERFLOW_DROP_OLDEST ||
                      group->policy.overflow == FOB_OVERFLOW_DROP_LOWEST))
            watch_group(group, i);
    }
}
