#include "bus/core/work/debt.h"

#define PRESSES     4096u /* unpaid: then it is paid though nobody asks for an event */
#define LISTED_RUNS 1024u /* removed from the lists of priorities at once */

static bool window_over(const fob_core_t *self) {
    return self->resume_until == FOB_NEVER;
}

static bool skips(const fob_core_t *self, const fob_group_t *group) {
    uint64_t at = group->resuming && window_over(self) ? group->resume_at : group->cursor;
    return at < group->skip_to && at <= fob_walk_limit(self, group);
}

bool fob_debt_any(const fob_core_t *self, const fob_group_t *group) {
    bool walks = !group->caught_up || (group->resuming && window_over(self));
    return walks && (group->debt || skips(self, group));
}

bool fob_debt_waits(const fob_core_t *self, const fob_group_t *group) {
    return group->debt && group->resuming && !window_over(self);
}

bool fob_debt_presses(const fob_core_t *self, const fob_group_t *group) {
    if (!fob_debt_any(self, group) || fob_debt_waits(self, group))
        return false;
    return group->debt >= PRESSES || group->debt > fob_group_ready_plain(group) / 4 ||
           skips(self, group);
}

/* --- priority 0 --- */

/* One walk, as far as it pays. */
typedef struct {
    fob_group_t *group;
    fob_runs_writer_t runs;
    uint64_t *at, *gap, last; /* of the walk; how far it goes */
    uint64_t debt;
    fob_walk_t (*walk)(fob_runs_writer_t *runs, fob_place_t *place);
} paying_t;

/* How many offsets from this one on are to be cleared, by what is known. */
static uint64_t due(const paying_t *self, uint64_t offset) {
    if (self->debt)
        return self->debt;
    return offset < self->group->skip_to ? self->group->skip_to - offset : 0;
}

static fob_run_record_t cleared(const paying_t *self, const fob_place_t *place, uint32_t count) {
    bool paid = self->debt > 0;
    return (fob_run_record_t){.verb = paid ? FOB_RUN_SHED : FOB_RUN_REMOVE,
                              .flags = FOB_RUN_FRESH | (paid ? FOB_RUN_PAID : 0),
                              .reason = paid ? 0 : FOB_REMOVAL_RESET,
                              .count = count,
                              .from = *self->gap,
                              .to = fob_place_offset(place) + count - 1,
                              .bytes = paid ? 0 : fob_place_bytes(place, count)};
}

static fob_walk_t pay_stretch(paying_t *self, uint32_t *budget) {
    fob_place_t place;
    if (due(self, *self->at) == 0)
        return FOB_WALK_END;
    fob_walk_t walk = self->walk(&self->runs, &place);
    uint64_t most = walk == FOB_WALK_FOUND ? due(self, *self->at) : 0;
    if (walk != FOB_WALK_FOUND || most == 0)
        return walk == FOB_WALK_FOUND ? FOB_WALK_END : walk;
    uint32_t count = fob_walk_stretch(self->runs.core, self->group, &place,
                                      most < *budget ? (uint32_t)most : *budget, self->last);
    fob_run_record_t run = cleared(self, &place, count);
    if (!fob_runs_add(&self->runs, &run))
        return FOB_WALK_MEMORY;
    *self->at = *self->gap = run.to + 1;
    self->debt -= self->debt ? count : 0;
    *budget -= count;
    return FOB_WALK_FOUND;
}

static fob_walk_t pay(paying_t *self, uint32_t *budget) {
    fob_walk_t walk = FOB_WALK_FOUND;
    while (walk == FOB_WALK_FOUND && *budget)
        walk = pay_stretch(self, budget);
    fob_runs_end(&self->runs);
    return walk;
}

static fob_walk_t pay_resumed(fob_core_t *self, fob_group_t *group, uint32_t *budget) {
    paying_t paying = {.group = group,
                       .at = &group->resume_at,
                       .gap = &group->resume_gap,
                       .last = group->resume_to,
                       .debt = group->debt,
                       .walk = fob_walk_resume};
    fob_runs_lazy(&paying.runs, self, group);
    return pay(&paying, budget);
}

static fob_walk_t pay_fresh(fob_core_t *self, fob_group_t *group, uint32_t *budget) {
    paying_t paying = {.group = group,
                       .at = &group->cursor,
                       .gap = &group->gap_from,
                       .last = fob_walk_limit(self, group),
                       .debt = group->debt,
                       .walk = fob_walk_fresh};
    fob_runs_lazy(&paying.runs, self, group);
    return pay(&paying, budget);
}

/* What may have been out before the start lies below what was not. */
fob_walk_t fob_debt_pay(fob_core_t *self, fob_group_t *group, uint32_t *budget) {
    if (fob_debt_waits(self, group))
        return FOB_WALK_END;
    if (group->resuming && window_over(self)) {
        fob_walk_t walk = pay_resumed(self, group, budget);
        if (walk != FOB_WALK_END || group->resuming)
            return walk;
    }
    if (group->caught_up)
        return FOB_WALK_END;
    return pay_fresh(self, group, budget);
}

/* --- priorities --- */

/* Removes those of one priority from *at up to `last`. False: there is more, or no memory. */
static bool skip_range(fob_runs_writer_t *runs, unsigned priority, uint64_t *at, uint64_t last,
                       uint32_t *budget) {
    const fob_prio_t *prio = &runs->group->prio;
    uint64_t offset;
    while ((offset = fob_prio_next(prio, priority, *at)) != 0 && offset <= last) {
        uint64_t to = fob_prio_stretch(prio, priority, offset);
        to = to < last ? to : last;
        to = to - offset < UINT32_MAX ? to : offset + UINT32_MAX - 1;
        fob_run_record_t run = {.verb = FOB_RUN_REMOVE,
                                .flags = FOB_RUN_FRESH,
                                .reason = FOB_REMOVAL_RESET,
                                .count = (uint32_t)(to - offset) + 1,
                                .from = offset,
                                .to = to};
        if (*budget == 0 || !fob_runs_add(runs, &run))
            return false;
        --*budget;
        *at = to + 1;
    }
    return true;
}

static bool skip_priority(fob_runs_writer_t *runs, unsigned priority, uint64_t last,
                          uint32_t *budget) {
    fob_group_t *group = runs->group;
    uint64_t resumed = group->resume_to < last ? group->resume_to : last, at = 1;
    if (window_over(runs->core) && !skip_range(runs, priority, &at, resumed, budget))
        return false;
    if (!skip_range(runs, priority, &group->prio_cursor[priority], last, budget))
        return false;
    if (group->prio_cursor[priority] <= last)
        group->prio_cursor[priority] = last + 1;
    return true;
}

fob_walk_t fob_debt_skip_listed(fob_core_t *self, fob_group_t *group) {
    uint64_t limit = fob_walk_limit(self, group), last = group->skip_to - 1;
    uint32_t budget = LISTED_RUNS;
    if (group->skip_to == 0 || group->prio.events == 0)
        return FOB_WALK_END;
    bool done = true;
    fob_runs_writer_t runs;
    fob_runs_lazy(&runs, self, group);
    for (unsigned i = FOB_PRIORITIES - 1; done && i > 0; i--) {
        if (group->prio.lists[i].stretches.count)
            done = skip_priority(&runs, i, last < limit ? last : limit, &budget);
    }
    fob_runs_end(&runs);
    return done ? FOB_WALK_END : budget ? FOB_WALK_MEMORY : FOB_WALK_FOUND;
}
