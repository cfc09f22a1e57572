#include "bus/core/publish/shed.h"

#include "proto/planted.h"

#include <assert.h>

#define PLAIN_STEPS  64  /* over stretches that are not plain */
#define RUNS_AT_ONCE 64u /* in one record, but for an offer of more events */

/* --- which groups --- */

static bool over(const fob_group_t *group, uint64_t depth, uint64_t bytes) {
    return depth > group->policy.max_depth || (depth > 1 && bytes > group->policy.max_bytes);
}

static bool sheds(const fob_core_t *core, const fob_group_t *group) {
    const fob_load_t *load = &group->load;
    return load->offer == core->offers && load->events > 0 &&
           group->policy.overflow != FOB_OVERFLOW_REJECT && over(group, load->depth, load->bytes);
}

/* The sheet lists a group once for each of its topics: it counts the first time. */
size_t fob_shed_count(const fob_offer_t *offer) {
    const fob_sheet_t *sheet = offer->sheet;
    size_t count = 0;
    for (uint32_t i = 0; offer->items && sheet && i < sheet->group_count; i++) {
        fob_group_t *group = sheet->groups[i];
        if (!sheds(offer->core, group) || group->load.sheds)
            continue;
        group->load.sheds = true;
        count++;
    }
    return count;
}

/* --- room --- */

/* In the resume window nobody knows which of the older ones are out. */
static bool drops_itself(const fob_core_t *core, const fob_group_t *group) {
    return group->policy.overflow == FOB_OVERFLOW_DEAD_LETTER ||
           (core->resume_until != FOB_NEVER && group->resuming);
}

static fob_back_order_t order_of(const fob_group_t *group) {
    return group->policy.overflow == FOB_OVERFLOW_DROP_LOWEST ? FOB_BACK_LOWEST : FOB_BACK_OLDEST;
}

/* As many as events come; more where its limit was lowered. */
static size_t runs_wanted(const fob_group_t *group) {
    const fob_load_t *load = &group->load;
    uint64_t most = group->policy.max_depth, more = load->depth > most ? load->depth - most : 0;
    more = more < RUNS_AT_ONCE ? more : RUNS_AT_ONCE;
    return (load->events > more ? load->events : (size_t)more) + FOB_RUNS_SPARE + 1;
}

static bool begin(fob_shed_t *self, fob_core_t *core) {
    fob_group_t *group = self->group;
    size_t runs = runs_wanted(group);
    if (group->policy.overflow == FOB_OVERFLOW_DEAD_LETTER)
        return fob_runs_begin(&self->runs, core, group, runs, runs);
    return (self->itself || fob_back_order(&group->back, order_of(group))) &&
           fob_runs_begin_ends(&self->runs, core, group, runs);
}

bool fob_shed_reserve(const fob_offer_t *offer, fob_shed_t *out, size_t count) {
    const fob_sheet_t *sheet = offer->sheet;
    for (uint32_t i = 0; offer->items && sheet && i < sheet->group_count; i++) {
        fob_group_t *group = sheet->groups[i];
        if (!sheds(offer->core, group) || !group->load.sheds)
            continue;
        group->load.sheds = false;
        *out = (fob_shed_t){.group = group,
                            .itself = drops_itself(offer->core, group),
                            .behind = count--,
                            .depth = fob_group_depth(group),
                            .bytes = group->bytes};
        if (!begin(out++, offer->core))
            return false;
    }
    return true;
}

/* --- the new events themselves --- */

static bool wants(const fob_group_t *group, const fob_sheet_t *sheet, uint32_t event) {
    const fob_sheet_topic_t *topic = &sheet->topics[sheet->topic[event]];
    for (uint32_t i = 0; i < topic->group_count; i++) {
        if (sheet->groups[topic->groups_at + i] == group)
            return true;
    }
    return false;
}

static void drop_itself(fob_shed_t *self, const fob_item_t *item) {
    bool dead = self->group->policy.overflow == FOB_OVERFLOW_DEAD_LETTER;
    fob_run_record_t run = {.verb = dead ? FOB_RUN_DEAD : FOB_RUN_SHED,
                            .flags = FOB_RUN_FRESH,
                            .reason = dead ? (uint8_t)FOB_REASON_OVERFLOW
                                           : (uint8_t)self->group->policy.overflow,
                            .count = 1,
                            .from = item->offset,
                            .to = item->offset,
                            .bytes = item->size};
    fob_runs_put(&self->runs, &run);
}

static void drop_new(fob_shed_t *self, const fob_offer_t *offer) {
    const fob_group_t *group = self->group;
    for (uint32_t i = 0; i < offer->count; i++) {
        const fob_item_t *item = &offer->items[i];
        if (item->fate != FOB_FATE_STORE || !wants(group, offer->sheet, item->event))
            continue;
        if (fob_limits_full(group, self->depth, self->bytes, item->size)) {
            drop_itself(self, item);
        } else {
            self->depth++;
            self->bytes += item->size;
        }
    }
}

/* --- older ones --- */

/* What goes next. */
typedef struct {
    uint64_t offset;   /* where it lies; of a plain one: at or above */
    unsigned priority; /* 0 and no `back`: of the plain ones, the first */
    fob_back_entry_t *back;
} victim_t;

/* Whether a goes before b. */
static bool before(const fob_shed_t *self, const victim_t *a, const victim_t *b) {
    if (self->group->policy.overflow == FOB_OVERFLOW_DROP_LOWEST &&
        !FOB_PLANTED(DROP_LOWEST_IGNORED) && a->priority != b->priority)
        return a->priority < b->priority;
    return a->offset < b->offset;
}

static void consider(const fob_shed_t *self, victim_t *best, victim_t one) {
    if (one.offset && (best->offset == 0 || before(self, &one, best)))
        *best = one;
}

/* Where the first plain one lies at the earliest: no page says where it lies, but what is covered
 * or has a priority is not it. */
static uint64_t plain_place(const fob_group_t *group) {
    uint64_t at = group->resuming ? group->resume_at : group->cursor, before = 0;
    at = at ? at : 1;
    for (unsigned steps = 0; at != before && steps < PLAIN_STEPS; steps++) {
        before = at;
        at = fob_cover_next_open(&group->cover, at);
        for (unsigned p = 1; group->prio.events && p < FOB_PRIORITIES; p++) {
            uint64_t last = fob_prio_stretch(&group->prio, p, at);
            at = last ? last + 1 : at;
        }
    }
    return at;
}

/* The next of a list that is not out: what may have been out before the start is not, now that
 * nobody has claimed it, and lies below what was not. */
static uint64_t next_listed(const fob_shed_t *self, unsigned priority) {
    const fob_group_t *group = self->group;
    uint64_t cursor = self->cursor[priority], fresh = group->prio_cursor[priority];
    uint64_t next = fob_prio_next(&group->prio, priority, cursor);
    if (next <= group->resume_to || cursor >= fresh)
        return next;
    return fob_prio_next(&group->prio, priority, fresh);
}

/* The ready event that goes first; its offset is 0 where none is ready. */
static victim_t choose(const fob_shed_t *self) {
    const fob_group_t *group = self->group;
    victim_t best = {0};
    fob_back_entry_t *entry = fob_back_first_to_go(&group->back);
    if (entry)
        best = (victim_t){entry->offset, entry->priority, entry};
    for (unsigned p = 1; group->prio.events && p < FOB_PRIORITIES; p++)
        consider(self, &best, (victim_t){next_listed(self, p), p, NULL});
    if (self->plain)
        consider(self, &best, (victim_t){plain_place(group), 0, NULL});
    return best;
}

static void lighten(fob_shed_t *self, uint64_t count, uint64_t bytes) {
    assert(count < self->depth);
    if (bytes == 0)
        bytes = self->bytes / self->depth * count + self->bytes % self->depth * count / self->depth;
    self->bytes -= bytes < self->bytes ? bytes : self->bytes;
    self->depth -= count;
}

/* How many plain ones have to go, as nothing else goes before them. */
static uint64_t plain_count(const fob_shed_t *self) {
    const fob_policy_t *policy = &self->group->policy;
    uint64_t count = 1;
    if (self->depth > policy->max_depth)
        count = self->depth - policy->max_depth + FOB_PLANTED(SHED_ONE_TOO_MANY);
    if (self->bytes > policy->max_bytes) {
        uint64_t mean = self->bytes / self->depth, much = self->bytes - policy->max_bytes;
        uint64_t many = mean ? (much + mean - 1) / mean : 1;
        count = many > count ? many : count;
    }
    count = count < self->plain ? count : self->plain;
    count = count < UINT32_MAX ? count : UINT32_MAX;
    return count < self->depth ? count : self->depth - 1;
}

/* False: no memory. */
static bool drop(fob_shed_t *self, const victim_t *victim) {
    fob_core_t *core = self->runs.core;
    /* The record may be full: room for another, and for those that follow, as was reserved. */
    if (!fob_turn_reserve(core->open, self->behind + 2, 0, 0, 0))
        return false;
    fob_run_record_t run = {.verb = FOB_RUN_SHED,
                            .reason = (uint8_t)self->group->policy.overflow,
                            .count = 1,
                            .from = victim->offset,
                            .to = victim->offset};
    bool plain = !victim->back && victim->priority == 0;
    if (plain) {
        run.flags = FOB_RUN_DEBT;
        run.count = (uint32_t)plain_count(self);
        run.from = 1;
        run.to = core->head;
    } else if (victim->back) {
        run.bytes = victim->back->size;
    } else {
        run.flags = FOB_RUN_FRESH;
    }
    if (!fob_runs_add(&self->runs, &run))
        return false;
    if (plain)
        self->plain -= run.count;
    else if (victim->back)
        fob_back_set(&self->group->back, victim->back, FOB_BACK_LEASED, 0);
    else
        self->cursor[victim->priority] = victim->offset + 1;
    lighten(self, run.count, run.bytes);
    return true;
}

static void drop_old(fob_shed_t *self) {
    fob_group_t *group = self->group;
    self->depth = fob_group_depth(group);
    self->bytes = group->bytes;
    self->plain = fob_group_ready_plain(group);
    for (unsigned p = 0; p < FOB_PRIORITIES; p++)
        self->cursor[p] = 1;
    while (over(group, self->depth, self->bytes)) {
        victim_t victim = choose(self);
        if (victim.offset == 0 || !drop(self, &victim))
            break; /* without memory the next offer goes on */
    }
}

void fob_shed_perform(const fob_offer_t *offer, fob_shed_t *shed) {
    if (shed->itself)
        drop_new(shed, offer);
    else
        drop_old(shed);
    fob_runs_end(&shed->runs);
}
