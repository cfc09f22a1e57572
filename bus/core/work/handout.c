/* handout: what is ready goes to workers with credit, in turn.
 *
 * The highest priority first. Within it what came back, and after a start what may have been out,
 * goes before what was never out; lowest offset first. Hand-outs of such events are records; first
 * hand-outs only need a mark ahead of them. What has a priority and was never out is known by its
 * list; what has none is found by the walk. */
#include "bus/core/work/census.h"
#include "bus/core/work/debt.h"
#include "bus/core/work/delivery.h"
#include "bus/core/work/sparing.h"
#include "proto/planted.h"

#include <assert.h>

#define GROUP_BYTES  ((size_t)1 << 20) /* of one group in one turn */
#define DEBT_EVENTS  65536u            /* cleared for one group in one turn */
#define BURY_EVENTS  4096u             /* in one run */
#define BLOCK_LEAST  2048u
#define SWEEP_EVENTS 65536u

/* --- marks --- */

/* Sees to a mark well ahead of an event. False: no memory. */
static bool mark_ahead(fob_core_t *self, fob_group_t *group, uint64_t offset) {
    uint64_t block = self->config.mark_block > BLOCK_LEAST ? self->config.mark_block : BLOCK_LEAST;
    const fob_mark_t *mark = &group->marks[0];
    if (offset + block / 2 <= mark->offset && group->next_token + block / 2 <= mark->token)
        return true;
    fob_open_turn_t *turn = fob_core_open(self);
    uint8_t *bytes = turn && fob_turn_reserve(turn, 1, 0, 0, 0)
                         ? fob_turn_bytes(turn, FOB_RECORD_MARK_SIZE)
                         : NULL;
    if (!bytes)
        return false;
    /* Offsets do not ascend where there are priorities; marks do. */
    uint64_t next = offset + block > mark->offset ? offset + block : mark->offset;
    fob_record_mark_t record = {group->id, next, group->next_token + block};
    fob_record_write_mark(bytes, &record);
    fob_slice_t slice = fob_slice(bytes, FOB_RECORD_MARK_SIZE);
    fob_turn_record(turn, slice, NULL, 0, 0);
    fob_status_t status = fob_apply(self, fob_core_next_position(self), slice);
    assert(status == FOB_OK);
    (void)status;
    group->marks[1] = group->marks[0];
    group->marks[0] = (fob_mark_t){record.offset, record.token, fob_core_next_position(self)};
    return true;
}

/* The commit that an event's first hand-out rests on: of its mark, of the census that found it, or
 * of what an operator said last, without which the group might be paused. */
static uint64_t rests_on(const fob_group_t *group, uint64_t offset, uint64_t token) {
    const fob_mark_t *older = &group->marks[1];
    bool marked = offset <= older->offset && token <= older->token;
    uint64_t after = marked ? older->position : group->marks[0].position;
    after = group->found > after ? group->found : after;
    return group->ruled > after ? group->ruled : after;
}

/* --- what is not handed out: too old, or not to be read --- */

static bool too_old(const fob_core_t *core, const fob_group_t *group, const fob_sheet_t *sheet) {
    uint64_t most = group->policy.max_age;
    return most && !FOB_PLANTED(TOO_OLD_GOES_OUT) &&
           fob_core_time(core) - sheet->time_ms > (int64_t)most;
}

/* Events that were never out, the last `count` up to `to`, are given up; from..to is done with. */
static bool bury_fresh(fob_core_t *core, fob_group_t *group, const fob_run_record_t *run) {
    fob_runs_writer_t runs;
    if (!fob_runs_begin(&runs, core, group, 1, run->count))
        return false;
    fob_runs_put(&runs, run);
    fob_runs_end(&runs);
    return true;
}

static fob_run_record_t death(fob_reason_t reason, uint64_t from, uint64_t offset, uint32_t count,
                              uint64_t bytes) {
    return (fob_run_record_t){.verb = FOB_RUN_DEAD,
                              .flags = FOB_RUN_FRESH,
                              .reason = (uint8_t)reason,
                              .count = count,
                              .from = from,
                              .to = offset + count - 1,
                              .bytes = bytes};
}

/* --- first hand-outs --- */

/* Adds events that lie one after the other; before the first nothing matches from `gap_from` on. */
static void add_fresh(fob_delivery_t *self, const fob_place_t *place, uint32_t count,
                      uint64_t gap_from, bool prio) {
    fob_group_t *group = self->group;
    uint64_t offset = fob_place_offset(place), token = group->next_token;
    fob_delivery_grant(self, place, count, token, gap_from, prio);
    uint64_t after = rests_on(group, offset + count - 1, token + count - 1);
    if (after > self->after)
        self->after = after;
    fob_delivery_add(self, place, count, token, 1);
    group->next_token += count;
}

/* As many of `count` from an offset on as its mark covers. */
static uint32_t marked(const fob_group_t *group, uint64_t offset, uint32_t count) {
    uint64_t most = group->marks[0].offset - offset + 1;
    return most < count ? (uint32_t)most : count;
}

static fob_walk_t fill_fresh(fob_delivery_t *self, fob_runs_writer_t *covers, fob_place_t *place) {
    fob_core_t *core = self->core;
    fob_group_t *group = self->group;
    fob_walk_t walk;
    do {
        if (group->cursor > group->marks[0].offset)
            break; /* a long way behind the last: it needs a mark of its own */
        uint32_t most = marked(group, group->cursor, self->quota - self->count);
        most = fob_walk_stretch(core, group, place, most, fob_walk_limit(core, group));
        most = fob_delivery_fit(self, place, most);
        add_fresh(self, place, most, group->gap_from, false);
        most -= FOB_PLANTED(DELIVERED_TWICE) && most > 1;
        group->cursor = group->gap_from = group->cursor + most;
        walk = fob_delivery_full(self) ? FOB_WALK_END : fob_walk_fresh(covers, place);
    } while (walk == FOB_WALK_FOUND);
    return FOB_WALK_FOUND;
}

static fob_walk_t expire_fresh(fob_core_t *core, fob_group_t *group, const fob_place_t *place,
                               size_t *bytes) {
    uint32_t count = fob_walk_stretch(core, group, place, BURY_EVENTS, fob_walk_limit(core, group));
    uint32_t size = fob_place_bytes(place, count);
    fob_run_record_t run = death(FOB_REASON_AGE, group->gap_from, group->cursor, count, size);
    if (!bury_fresh(core, group, &run))
        return FOB_WALK_MEMORY;
    group->cursor = group->gap_from = run.to + 1;
    *bytes += size;
    return FOB_WALK_FOUND;
}

/* FOUND: something was delivered, or settled. */
static fob_walk_t serve_fresh(fob_core_t *core, fob_group_t *group, size_t *bytes) {
    fob_delivery_t delivery;
    fob_runs_writer_t covers;
    fob_place_t place;
    fob_runs_lazy(&covers, core, group);
    fob_walk_t walk = fob_walk_fresh(&covers, &place);
    if (walk == FOB_WALK_FOUND && too_old(core, group, place.sheet)) {
        fob_runs_end(&covers);
        return expire_fresh(core, group, &place, bytes);
    }
    if (walk == FOB_WALK_FOUND) {
        if (mark_ahead(core, group, group->cursor) && fob_delivery_begin(&delivery, core, group)) {
            walk = fill_fresh(&delivery, &covers, &place);
            fob_delivery_end(&delivery);
            *bytes += delivery.bytes;
        } else {
            walk = FOB_WALK_MEMORY;
        }
    }
    fob_runs_end(&covers);
    return walk;
}

/* --- first hand-outs of what has a priority --- */

/* The next of that priority; 0: none may go out. */
static uint64_t next_listed(const fob_core_t *core, const fob_group_t *group, unsigned priority) {
    uint64_t next = fob_prio_next(&group->prio, priority, group->prio_cursor[priority]);
    return next <= fob_walk_limit(core, group) ? next : 0;
}

/* How many from the place on follow one another in the list, and may go out: at most `most`. */
static uint32_t listed_stretch(const fob_core_t *core, const fob_group_t *group, unsigned priority,
                               const fob_place_t *place, uint32_t most) {
    uint64_t offset = fob_place_offset(place), limit = fob_walk_limit(core, group);
    uint64_t last = fob_prio_stretch(&group->prio, priority, offset);
    uint32_t left = place->sheet->count - place->index;
    last = last < limit ? last : limit;
    most = left < most ? left : most;
    return last - offset < most ? (uint32_t)(last - offset) + 1 : most;
}

static fob_walk_t bury_listed(fob_core_t *core, fob_group_t *group, unsigned priority,
                              const fob_run_record_t *run) {
    if (!bury_fresh(core, group, run))
        return FOB_WALK_MEMORY;
    group->prio_cursor[priority] = run->to + 1;
    return FOB_WALK_FOUND;
}

static void fill_listed(fob_delivery_t *self, unsigned priority, fob_place_t *place) {
    fob_core_t *core = self->core;
    fob_group_t *group = self->group;
    uint64_t offset = fob_place_offset(place);
    do {
        if (offset > group->marks[0].offset)
            break;
        uint32_t most = marked(group, offset, self->quota - self->count);
        most = listed_stretch(core, group, priority, place, most);
        most = fob_delivery_fit(self, place, most);
        add_fresh(self, place, most, offset, true);
        group->prio_cursor[priority] = offset + most;
        offset = next_listed(core, group, priority);
    } while (!fob_delivery_full(self) && offset &&
             fob_walk_to(core, group, offset, priority, place) == FOB_WALK_FOUND);
}

/* FOUND: something was delivered, or settled. */
static fob_walk_t serve_listed(fob_core_t *core, fob_group_t *group, unsigned priority,
                               size_t *bytes) {
    fob_delivery_t delivery;
    fob_place_t place;
    uint64_t offset = next_listed(core, group, priority);
    fob_walk_t walk = offset ? fob_walk_to(core, group, offset, priority, &place) : FOB_WALK_END;
    if (walk == FOB_WALK_HOLE) {
        fob_run_record_t run = death(FOB_REASON_DAMAGED, offset, offset, 1, 0);
        return bury_listed(core, group, priority, &run);
    }
    if (walk == FOB_WALK_FOUND && too_old(core, group, place.sheet)) {
        uint32_t count = listed_stretch(core, group, priority, &place, BURY_EVENTS);
        uint32_t size = fob_place_bytes(&place, count);
        fob_run_record_t run = death(FOB_REASON_AGE, offset, offset, count, size);
        *bytes += size;
        return bury_listed(core, group, priority, &run);
    }
    if (walk != FOB_WALK_FOUND)
        return walk;
    if (!mark_ahead(core, group, offset) || !fob_delivery_begin(&delivery, core, group))
        return FOB_WALK_MEMORY;
    fill_listed(&delivery, priority, &place);
    fob_delivery_end(&delivery);
    *bytes += delivery.bytes;
    return FOB_WALK_FOUND;
}

/* --- what came back, or may have been out before the start --- */

/* A delivery of such events, all of one priority. */
typedef struct {
    fob_delivery_t delivery;
    fob_runs_writer_t runs;
    unsigned priority;
    uint64_t listed_at; /* of its list: those below are in `runs` */
} returning_t;

static bool resume_over(const fob_core_t *core) {
    return core->resume_until == FOB_NEVER;
}

/* Those of priority 0 are found by a walk. */
static bool resume_walks(const fob_core_t *core, const fob_group_t *group) {
    return group->resuming && resume_over(core);
}

/* Those of a list are what is left of it; 0: none. */
static uint64_t resume_listed(const fob_core_t *core, const fob_group_t *group, unsigned priority,
                              uint64_t at) {
    uint64_t next = resume_over(core) ? fob_prio_next(&group->prio, priority, at) : 0;
    return next <= group->resume_to ? next : 0;
}

/* What came back and is next, of that priority. */
static fob_back_entry_t *ready_of(const fob_group_t *group, unsigned priority) {
    fob_back_entry_t *entry = fob_back_ready(&group->back);
    return entry && entry->priority == priority ? entry : NULL;
}

/* Where an event lies: in the table, or, with NULL, that may have been out before the start. */
typedef struct {
    fob_back_entry_t *entry;
    uint64_t offset, gap_from;
    fob_place_t place;
} found_t;

static fob_walk_t find_listed(returning_t *self, uint64_t offset, found_t *out) {
    *out = (found_t){.offset = offset, .gap_from = offset};
    return fob_walk_to(self->delivery.core, self->delivery.group, offset, self->priority,
                       &out->place);
}

/* The next of both kinds. HOLE: it cannot be read. */
static fob_walk_t next_back(returning_t *self, found_t *out) {
    fob_core_t *core = self->delivery.core;
    fob_group_t *group = self->delivery.group;
    fob_back_entry_t *entry = ready_of(group, self->priority);
    if (self->priority > 0) {
        uint64_t listed = resume_listed(core, group, self->priority, self->listed_at);
        if (listed && !(entry && entry->offset < listed))
            return find_listed(self, listed, out);
    } else if (resume_walks(core, group) && !(entry && entry->offset < group->resume_at)) {
        fob_walk_t walk = fob_walk_resume(&self->runs, &out->place);
        out->entry = NULL;
        out->offset = group->resume_at;
        out->gap_from = group->resume_gap;
        if (walk != FOB_WALK_END &&
            !(walk == FOB_WALK_FOUND && entry && entry->offset < group->resume_at))
            return walk;
    }
    if (!entry)
        return FOB_WALK_END;
    out->entry = entry;
    out->offset = out->gap_from = entry->offset;
    return fob_walk_to(core, group, entry->offset, self->priority, &out->place);
}

/* It is not looked for again while its run is not applied. */
static void pass(returning_t *self, const found_t *found, fob_back_state_t state) {
    fob_group_t *group = self->delivery.group;
    if (found->entry)
        fob_back_set(&group->back, found->entry, state, 0);
    else if (self->priority > 0)
        self->listed_at = found->offset + 1;
    else
        group->resume_at = group->resume_gap = found->offset + 1;
}

/* The group gives it up. */
static void bury_back(returning_t *self, const found_t *found, fob_reason_t reason) {
    const fob_place_t *place = reason == FOB_REASON_DAMAGED ? NULL : &found->place;
    fob_run_record_t run =
        death(reason, found->gap_from, found->offset, 1, place ? fob_place_bytes(place, 1) : 0);
    if (found->entry) {
        run.flags = 0;
        run.token = found->entry->attempts;
    }
    fob_runs_put(&self->runs, &run);
    pass(self, found, FOB_BACK_LEASED);
}

static void add_back(returning_t *self, const found_t *found) {
    fob_group_t *group = self->delivery.group;
    uint32_t size = fob_place_bytes(&found->place, 1);
    uint32_t attempt = found->entry ? found->entry->attempts + 1 : 1;
    fob_run_record_t run = {.verb = FOB_RUN_HANDOUT,
                            .flags = found->entry ? 0 : FOB_RUN_FRESH,
                            .count = 1,
                            .from = found->gap_from,
                            .to = found->offset,
                            .token = group->next_token};
    fob_runs_put(&self->runs, &run);
    if (found->entry)
        found->entry->size = size;
    pass(self, found, FOB_BACK_LEASED);
    fob_delivery_grant_back(&self->delivery, &found->place, group->next_token);
    fob_delivery_add(&self->delivery, &found->place, 1, group->next_token, attempt);
    group->next_token++;
    group->redelivered++;
}

/* One event. */
static fob_walk_t step_back(returning_t *self) {
    found_t found;
    fob_walk_t walk = next_back(self, &found);
    if (walk == FOB_WALK_HOLE)
        bury_back(self, &found, FOB_REASON_DAMAGED);
    else if (walk != FOB_WALK_FOUND)
        return walk;
    else if (too_old(self->delivery.core, self->delivery.group, found.place.sheet))
        bury_back(self, &found, FOB_REASON_AGE);
    else
        add_back(self, &found);
    return FOB_WALK_FOUND;
}

/* FOUND: something was delivered, or at least settled. END: nothing of that kind is left. */
static fob_walk_t serve_back(fob_core_t *core, fob_group_t *group, unsigned priority,
                             size_t *bytes) {
    returning_t self = {.priority = priority, .listed_at = 1};
    if (!fob_delivery_begin(&self.delivery, core, group))
        return FOB_WALK_MEMORY;
    uint32_t spared = fob_sparing_most(core, group);
    if (self.delivery.quota > spared)
        self.delivery.quota = spared;
    /* What is only given up counts towards the room too. */
    uint32_t most = self.delivery.quota * 2 + 1;
    if (!fob_runs_begin(&self.runs, core, group, most + FOB_RUNS_SPARE + 1, most))
        return FOB_WALK_MEMORY;
    fob_walk_t walk = FOB_WALK_FOUND;
    uint32_t steps = 0;
    while (walk == FOB_WALK_FOUND && !fob_delivery_full(&self.delivery) && steps < most &&
           fob_runs_left(&self.runs) > 0) {
        walk = step_back(&self);
        steps += walk == FOB_WALK_FOUND;
    }
    if (fob_runs_end(&self.runs) && self.delivery.count)
        self.delivery.after = fob_core_next_position(core);
    fob_delivery_end(&self.delivery);
    *bytes += self.delivery.bytes;
    return steps ? FOB_WALK_FOUND : walk;
}

/* --- a group --- */

/* Something was skipped that could not be read: once all else is known, the books tell how much it
 * was. */
static void settle_unknown(fob_core_t *core, fob_group_t *group) {
    uint64_t plain = fob_group_ready_plain(group);
    fob_runs_writer_t runs;
    if (!group->caught_up || group->resuming || plain + group->debt == 0 ||
        !fob_runs_begin(&runs, core, group, 2, 0))
        return;
    fob_run_record_t run = {.verb = FOB_RUN_SHED,
                            .flags = FOB_RUN_PAID | FOB_RUN_UNKNOWN,
                            .count = group->debt < UINT32_MAX ? (uint32_t)group->debt : UINT32_MAX,
                            .from = 1,
                            .to = core->head};
    if (run.count && run.count <= core->head)
        fob_runs_put(&runs, &run);
    run.verb = FOB_RUN_DEAD;
    run.flags = FOB_RUN_UNKNOWN;
    run.reason = FOB_REASON_DAMAGED;
    run.count = plain < UINT32_MAX ? (uint32_t)plain : UINT32_MAX;
    if (run.count && run.count <= core->head)
        fob_runs_put(&runs, &run);
    fob_runs_end(&runs);
}

/* Whether what came back, or may have been out, may go out at all. */
static bool back_open(const fob_core_t *core, const fob_group_t *group) {
    return fob_sparing_most(core, group) > 0;
}

/* The highest priority of what may go out, as far as it is known without a walk: 0 where it may be
 * that. */
static unsigned top_priority(const fob_core_t *core, const fob_group_t *group) {
    bool open = back_open(core, group);
    const fob_back_entry_t *entry = open ? fob_back_ready(&group->back) : NULL;
    unsigned top = entry ? entry->priority : 0;
    for (unsigned n = FOB_PRIORITIES - 1; group->prio.events && n > top; n--) {
        unsigned i = FOB_PLANTED(PRIORITY_IGNORED) ? FOB_PRIORITIES - n : n;
        if (group->prio.lists[i].stretches.count &&
            (next_listed(core, group, i) || (open && resume_listed(core, group, i, 1))))
            return i;
    }
    return top;
}

static fob_walk_t serve_plain(fob_core_t *core, fob_group_t *group, size_t *bytes,
                              uint32_t *budget) {
    fob_walk_t walk = FOB_WALK_END;
    if ((group->debt || group->skip_to) && fob_debt_any(core, group))
        walk = fob_debt_pay(core, group, budget);
    bool back = ready_of(group, 0) || resume_walks(core, group);
    if (walk == FOB_WALK_END && back && back_open(core, group))
        walk = serve_back(core, group, 0, bytes);
    if (walk == FOB_WALK_END && !group->caught_up && !fob_debt_waits(core, group))
        walk = serve_fresh(core, group, bytes);
    return walk;
}

static fob_walk_t serve(fob_core_t *core, fob_group_t *group, size_t *bytes, uint32_t *budget) {
    unsigned priority = top_priority(core, group);
    if (group->blocked && priority <= group->blocked_priority)
        return FOB_WALK_BLOCKED;
    if (priority == 0)
        return serve_plain(core, group, bytes, budget);
    fob_walk_t walk = FOB_WALK_END;
    bool back = ready_of(group, priority) || resume_listed(core, group, priority, 1);
    if (back && back_open(core, group))
        walk = serve_back(core, group, priority, bytes);
    return walk == FOB_WALK_END ? serve_listed(core, group, priority, bytes) : walk;
}

/* FOUND: there is more, and it had its share of this turn. */
static fob_walk_t serve_all(fob_core_t *core, fob_group_t *group, uint32_t *budget) {
    size_t bytes = 0;
    fob_walk_t walk = FOB_WALK_FOUND;
    group->round_left = 0;
    while (walk == FOB_WALK_FOUND && group->ring_count > 0 && bytes < GROUP_BYTES && *budget)
        walk = serve(core, group, &bytes, budget);
    core->take_bytes += bytes;
    return walk == FOB_WALK_FOUND && group->ring_count == 0 ? FOB_WALK_END : walk;
}

/* What is done without workers too. True: there is more of it. */
static bool work_off(fob_core_t *core, fob_group_t *group, uint32_t *budget) {
    fob_walk_t walk = FOB_WALK_END;
    if (!group->blocked && *budget && fob_debt_presses(core, group))
        walk = fob_debt_pay(core, group, budget);
    if (group->damaged)
        settle_unknown(core, group);
    return walk == FOB_WALK_FOUND || walk == FOB_WALK_MEMORY;
}

bool fob_handout(fob_core_t *self, fob_group_t *group) {
    uint32_t budget = DEBT_EVENTS;
    fob_walk_t walk = FOB_WALK_END;
    bool more = fob_census_runs(group) && fob_census_step(self, group);
    if (group->skip_to)
        walk = fob_debt_skip_listed(self, group);
    if (walk == FOB_WALK_END && (!group->policy.paused || FOB_PLANTED(PAUSE_IGNORED)))
        walk = serve_all(self, group, &budget);
    more = more || walk == FOB_WALK_FOUND || walk == FOB_WALK_MEMORY;
    if (group->debt || group->skip_to || group->damaged)
        more = work_off(self, group, &budget) || more;
    return more;
}

void fob_handout_sweep(fob_core_t *self) {
    if (self->head - self->swept < SWEEP_EVENTS)
        return;
    self->swept = self->head;
    for (size_t i = 0; i < self->groups.count; i++) {
        fob_group_t *group = self->groups.by_id[i];
        fob_runs_writer_t runs;
        if (!group->caught_up || self->head + 1 - group->gap_from < SWEEP_EVENTS ||
            !fob_runs_begin(&runs, self, group, 1, 0))
            continue;
        fob_run_record_t run = {.verb = FOB_RUN_COVER, .from = group->gap_from, .to = self->head};
        fob_runs_put(&runs, &run);
        fob_runs_end(&runs);
        group->gap_from = self->head + 1;
    }
}
