#include "bus/core/work/census.h"

#define STEP_EVENTS 16384u /* looked at in one turn, but for the last batch */

/* A step of it. Events of priority 0 from `from` on are counted and not written down yet. */
typedef struct {
    fob_core_t *core;
    fob_group_t *group;
    fob_runs_writer_t runs;
    uint64_t from, at; /* looked at up to before `at` */
    uint32_t count;
    uint64_t bytes;
    uint64_t left; /* for so many more events there is room to settle them */
} census_t;

/* Writes down what was counted below `at`. False: no memory. */
static bool put_plain(census_t *self) {
    fob_run_record_t run = {.verb = self->count ? FOB_RUN_ACCEPT : FOB_RUN_COVER,
                            .count = self->count,
                            .from = self->from,
                            .to = self->at - 1,
                            .bytes = self->bytes};
    if (self->from < self->at && !fob_runs_add(&self->runs, &run))
        return false;
    self->from = self->at;
    self->count = 0;
    self->bytes = 0;
    return true;
}

static bool put_one(census_t *self, const fob_place_t *place) {
    fob_run_record_t run = {.verb = FOB_RUN_ACCEPT,
                            .detail = place->sheet->priority[place->index],
                            .count = 1,
                            .from = self->at,
                            .to = self->at,
                            .bytes = fob_place_bytes(place, 1)};
    if (!put_plain(self) || !fob_runs_add(&self->runs, &run))
        return false;
    self->from = self->at + 1;
    self->left--;
    return true;
}

/* Each by itself: topics, priorities or covered ones have to be told apart. */
static bool count_each(census_t *self, fob_matcher_t *matcher, fob_place_t *place, uint64_t last) {
    const fob_sheet_t *sheet = place->sheet;
    for (; self->at <= last; self->at++) {
        place->index = (uint32_t)(self->at - sheet->first_offset);
        if (!fob_matcher_has(matcher, place->index) || fob_cover_has(&self->group->cover, self->at))
            continue;
        if (sheet->flags & FOB_SHEET_PRIORITIES && sheet->priority[place->index]) {
            if (!put_one(self, place))
                return false;
            continue;
        }
        self->count++;
        self->left--;
        self->bytes += fob_place_bytes(place, 1);
    }
    return true;
}

/* The events of a sheet, from the place on. False: no memory. */
static bool count_sheet(census_t *self, fob_place_t *place) {
    const fob_sheet_t *sheet = place->sheet;
    uint64_t last = sheet->first_offset + sheet->count - 1;
    fob_matcher_t matcher;
    if (last > self->group->census_to)
        last = self->group->census_to;
    if (last - self->at >= self->left)
        last = self->at + self->left - 1;
    uint32_t left = (uint32_t)(last - self->at) + 1;
    if (!fob_matcher_init(&matcher, self->core, self->group, sheet) ||
        (self->count > UINT32_MAX - left && !put_plain(self)))
        return false;
    bool simple = matcher.all && !(sheet->flags & FOB_SHEET_PRIORITIES) &&
                  fob_cover_next(&self->group->cover, self->at) > last;
    if (!matcher.none && !simple)
        return count_each(self, &matcher, place, last);
    self->count += simple ? left : 0;
    self->left -= simple ? left : 0;
    self->bytes += simple ? fob_place_bytes(place, left) : 0;
    self->at = last + 1;
    return true;
}

/* What cannot be read is nobody's: it is not known what was there. */
static bool pass_hole(census_t *self, uint64_t end) {
    if (end > self->group->census_to + 1)
        end = self->group->census_to + 1;
    fob_run_record_t run = {.verb = FOB_RUN_COVER,
                            .flags = FOB_RUN_DAMAGED,
                            .reason = FOB_REASON_DAMAGED,
                            .from = self->at,
                            .to = end - 1};
    if (!put_plain(self) || !fob_runs_add(&self->runs, &run))
        return false;
    self->from = self->at = end;
    return true;
}

static fob_walk_t look(census_t *self) {
    fob_place_t place;
    uint64_t end;
    fob_walk_t walk = fob_walk_look(self->core, self->group, self->at, &place, &end);
    bool done = true;
    if (walk == FOB_WALK_FOUND)
        done = count_sheet(self, &place);
    else if (walk == FOB_WALK_HOLE)
        done = pass_hole(self, end);
    else
        return walk;
    return done ? FOB_WALK_FOUND : FOB_WALK_MEMORY;
}

bool fob_census_step(fob_core_t *self, fob_group_t *group) {
    if (!fob_census_runs(group) || group->census_blocked || self->room_events == 0)
        return false;
    uint64_t begin = group->census_at, to = group->census_to;
    census_t census = {
        .core = self, .group = group, .from = begin, .at = begin, .left = self->room_events};
    fob_walk_t walk = FOB_WALK_FOUND;
    fob_runs_lazy(&census.runs, self, group);
    while (walk == FOB_WALK_FOUND && census.at <= to && census.at - begin < STEP_EVENTS &&
           census.left > 0)
        walk = look(&census);
    if (!put_plain(&census))
        walk = FOB_WALK_MEMORY;
    self->room_events = census.left;
    if (fob_runs_end(&census.runs))
        group->found = fob_core_next_position(self);
    return walk == FOB_WALK_MEMORY ||
           (walk == FOB_WALK_FOUND && fob_census_runs(group) && self->room_events > 0);
}

bool fob_core_room(fob_core_t *self, uint64_t events) {
    bool waited = self->room_events == 0 && events > 0, any = false;
    self->room_events = events;
    for (size_t i = 0; waited && i < self->groups.count; i++) {
        fob_group_t *group = self->groups.by_id[i];
        if (!fob_census_runs(group))
            continue;
        fob_core_wake(self, group);
        any = true;
    }
    return any;
}
