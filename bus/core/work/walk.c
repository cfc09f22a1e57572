#include "bus/core/work/walk.h"

#include "proto/planted.h"
#include "proto/topic.h"

#include <limits.h>
#include <stdlib.h>

/* --- which events of a sheet are the group's --- */

bool fob_matcher_init(fob_matcher_t *self, fob_core_t *core, const fob_group_t *group,
                      const fob_sheet_t *sheet) {
    *self = (fob_matcher_t){.sheet = sheet, .pattern = group->pattern, .none = sheet->origin != 0};
    if (self->none)
        return true;
    if (sheet->topic_count == 1) {
        self->all = fob_pattern_match(group->pattern, fob_sheet_topic(sheet, 0));
        self->none = !self->all;
        return true;
    }
    if (core->match_capacity < sheet->topic_count || core->match_id > UINT32_MAX - 4) {
        size_t capacity = core->match_capacity ? core->match_capacity : 64;
        while (capacity < sheet->topic_count)
            capacity *= 2;
        uint32_t *match = calloc(capacity, sizeof *match);
        if (!match)
            return false;
        free(core->match);
        core->match = match;
        core->match_capacity = capacity;
        core->match_id = 0;
    }
    self->match = core->match;
    self->id = core->match_id += 2;
    return true;
}

bool fob_matcher_has(fob_matcher_t *self, uint32_t index) {
    if (self->all || self->none)
        return self->all;
    uint32_t topic = self->sheet->topic[index];
    if (self->match[topic] != self->id && self->match[topic] != self->id + 1) {
        bool match = fob_pattern_match(self->pattern, fob_sheet_topic(self->sheet, topic));
        self->match[topic] = self->id + (match ? 1 : 0);
    }
    return self->match[topic] == self->id + 1;
}

static bool prioritised(const fob_sheet_t *sheet, uint32_t index) {
    return sheet->flags & FOB_SHEET_PRIORITIES && sheet->priority[index];
}

/* Covers from..to - 1, where nothing is the group's. False: no memory. */
static bool cover_gap(fob_runs_writer_t *runs, const fob_group_t *group, uint64_t from,
                      uint64_t to) {
    if (from >= to || fob_cover_next_open(&group->cover, from) >= to)
        return true;
    fob_run_record_t run = {.verb = FOB_RUN_COVER, .from = from, .to = to - 1};
    return fob_runs_add(runs, &run);
}

/* Looks through a sheet from the offset *at up to `last` for the group's next event of priority 0,
 * and moves *at there, or behind what was looked at. An event of the group that has a priority has
 * its own fate: what lies before it from *gap on is covered, and *gap moves behind it. FOUND, END,
 * MEMORY. */
static fob_walk_t scan(fob_runs_writer_t *runs, const fob_sheet_t *sheet, uint64_t last,
                       uint64_t *at, uint64_t *gap) {
    fob_matcher_t matcher;
    uint64_t first = sheet->first_offset, end = first + sheet->count;
    if (!fob_matcher_init(&matcher, runs->core, runs->group, sheet))
        return FOB_WALK_MEMORY;
    end = last < end ? last + 1 : end;
    if (matcher.none)
        *at = end;
    for (; *at < end; ++*at) {
        if (!fob_matcher_has(&matcher, (uint32_t)(*at - first)))
            continue;
        if (!prioritised(sheet, (uint32_t)(*at - first)))
            return FOB_WALK_FOUND;
        if (!cover_gap(runs, runs->group, *gap, *at))
            return FOB_WALK_MEMORY;
        *gap = *at + 1;
    }
    return FOB_WALK_END;
}

uint32_t fob_walk_stretch(fob_core_t *self, const fob_group_t *group, const fob_place_t *place,
                          uint32_t most, uint64_t last) {
    fob_matcher_t matcher;
    const fob_sheet_t *sheet = place->sheet;
    uint32_t left = sheet->count - place->index, count = 1;
    uint64_t offset = fob_place_offset(place);
    if (left < most)
        most = left;
    uint64_t covered = fob_cover_next(&group->cover, offset + 1);
    if (covered <= last)
        last = covered - 1;
    if (last - offset < most)
        most = (uint32_t)(last - offset) + 1;
    if (!fob_matcher_init(&matcher, self, group, sheet))
        return 1;
    if (matcher.all && !(sheet->flags & FOB_SHEET_PRIORITIES))
        return most;
    while (count < most && fob_matcher_has(&matcher, place->index + count) &&
           !prioritised(sheet, place->index + count))
        count++;
    return count;
}

/* --- pages --- */

/* Room for a NEED, and for the delivery that may be under way: its place must not be taken. */
static fob_open_turn_t *turn_for_need(fob_core_t *self) {
    fob_open_turn_t *turn = fob_core_open(self);
    return turn && fob_turn_reserve(turn, 0, 2, 0, 0) ? turn : NULL;
}

static void need(fob_core_t *self, fob_open_turn_t *turn, uint64_t offset) {
    fob_effect_t *effect = fob_turn_effect(turn, FOB_EFF_NEED);
    effect->need_offset = offset;
    effect->need_bytes = self->config.page_bytes;
}

#define FOR_CENSUS UINT_MAX /* it waits by itself: not for the sake of a hand-out */

static fob_walk_t ask(fob_core_t *self, fob_group_t *group, uint64_t offset, unsigned priority) {
    fob_open_turn_t *turn = turn_for_need(self);
    if (!turn)
        return FOB_WALK_MEMORY;
    fob_ask_t answer = fob_cache_ask(&self->cache, offset);
    if (answer == FOB_ASK_LATER) {
        fob_core_wake(self, group);
        self->again = true;
        return FOB_WALK_BLOCKED;
    }
    if (priority == FOR_CENSUS)
        fob_waits_block_census(&self->waits, group);
    else
        fob_waits_block(&self->waits, group, offset, (uint8_t)priority);
    if (answer == FOB_ASK_NOW)
        need(self, turn, offset);
    return FOB_WALK_BLOCKED;
}

/* Asks for what comes behind a stretch that is being read, so that the walk need not stop there. */
static void read_ahead(fob_core_t *self, uint64_t offset) {
    fob_sheet_t *sheet;
    uint64_t end;
    if (offset > self->head || self->cache.asked >= self->cache.stretch_count / 4 ||
        fob_cache_find(&self->cache, offset, &sheet, &end) != FOB_CACHE_MISS)
        return;
    fob_open_turn_t *turn = turn_for_need(self);
    if (turn && fob_cache_ask(&self->cache, offset) == FOB_ASK_NOW)
        need(self, turn, offset);
}

/* The sheet that holds an offset, or the end of the hole there. */
static fob_walk_t find(fob_core_t *self, fob_group_t *group, uint64_t offset, unsigned priority,
                       fob_place_t *place, uint64_t *end) {
    *end = 0;
    fob_cache_answer_t answer = fob_cache_find(&self->cache, offset, &place->sheet, end);
    if (answer == FOB_CACHE_MISS)
        return ask(self, group, offset, priority);
    if (answer == FOB_CACHE_HOLE)
        return FOB_WALK_HOLE;
    place->index = (uint32_t)(offset - place->sheet->first_offset);
    return FOB_WALK_FOUND;
}

fob_walk_t fob_walk_to(fob_core_t *self, fob_group_t *group, uint64_t offset, unsigned priority,
                       fob_place_t *place) {
    uint64_t end;
    return find(self, group, fob_moved_place(&self->moved, offset), priority, place, &end);
}

fob_walk_t fob_walk_look(fob_core_t *self, fob_group_t *group, uint64_t offset, fob_place_t *place,
                         uint64_t *end) {
    fob_walk_t walk = find(self, group, offset, FOR_CENSUS, place, end);
    if (walk == FOB_WALK_FOUND && *end)
        read_ahead(self, *end);
    return walk;
}

/* --- holes --- */

/* Steps over a hole from *at up to `end`, or to an event with a priority, which is known and has
 * its own fate. Nobody knows what else lies there. False: no memory. */
static bool skip_hole(fob_runs_writer_t *runs, uint64_t end, uint64_t *at, uint64_t *gap) {
    uint64_t listed = fob_prio_first(&runs->group->prio, *at);
    if (listed && listed < end)
        end = listed;
    fob_run_record_t run = {.verb = FOB_RUN_COVER,
                            .flags = FOB_RUN_DAMAGED,
                            .reason = FOB_REASON_DAMAGED,
                            .from = *gap,
                            .to = end - 1};
    if (*gap < end && !fob_runs_add(runs, &run))
        return false;
    *at = *gap = listed == end ? end + 1 : end;
    return true;
}

static uint64_t lower(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* --- the fresh walk --- */

/* Whether the cursor stands on what is covered: damage that the census met, dead letters from
 * before a reset, what came back before one. Seldom is anything covered above it. */
static bool covered_above(const fob_group_t *group) {
    const fob_cover_t *cover = &group->cover;
    return fob_cover_end(cover) > group->cursor && fob_cover_has(cover, group->cursor);
}

fob_walk_t fob_walk_fresh(fob_runs_writer_t *runs, fob_place_t *place) {
    fob_core_t *self = runs->core;
    fob_group_t *group = runs->group;
    while (!group->caught_up) {
        uint64_t end, limit = fob_walk_limit(self, group);
        if (covered_above(group))
            group->cursor = fob_cover_next_open(&group->cover, group->cursor);
        if (group->cursor > limit) {
            group->caught_up = !fob_census_runs(group);
            break;
        }
        fob_walk_t walk = find(self, group, group->cursor, 0, place, &end);
        if (walk == FOB_WALK_HOLE) {
            if (!skip_hole(runs, lower(end, limit + 1), &group->cursor, &group->gap_from))
                return FOB_WALK_MEMORY;
            continue;
        }
        if (walk != FOB_WALK_FOUND)
            return walk;
        if (end)
            read_ahead(self, end);
        walk = scan(runs, place->sheet, limit, &group->cursor, &group->gap_from);
        place->index = (uint32_t)(group->cursor - place->sheet->first_offset);
        if (walk == FOB_WALK_MEMORY || (walk == FOB_WALK_FOUND && !covered_above(group)))
            return walk;
    }
    return FOB_WALK_END;
}

/* --- the resume walk --- */

static fob_walk_t resume_end(fob_runs_writer_t *runs, fob_group_t *group) {
    if (!cover_gap(runs, group, group->resume_gap, group->resume_to + 1))
        return FOB_WALK_MEMORY;
    group->resume_at = group->resume_gap = group->resume_to + 1;
    group->resuming = false;
    return FOB_WALK_END;
}

fob_walk_t fob_walk_resume(fob_runs_writer_t *runs, fob_place_t *place) {
    fob_group_t *group = runs->group;
    for (;;) {
        uint64_t end;
        group->resume_at = fob_cover_next_open(&group->cover, group->resume_at);
        if (group->resume_at > group->resume_to)
            return resume_end(runs, group);
        fob_walk_t walk = find(runs->core, group, group->resume_at, 0, place, &end);
        if (walk == FOB_WALK_HOLE) {
            end = lower(end, group->resume_to + 1);
            if (!skip_hole(runs, end, &group->resume_at, &group->resume_gap))
                return FOB_WALK_MEMORY;
            continue;
        }
        if (walk != FOB_WALK_FOUND)
            return walk;
        walk = scan(runs, place->sheet, group->resume_to, &group->resume_at, &group->resume_gap);
        place->index = (uint32_t)(group->resume_at - place->sheet->first_offset);
        if (walk == FOB_WALK_MEMORY ||
            (walk == FOB_WALK_FOUND && !fob_cover_has(&group->cover, group->resume_at)))
            return walk;
    }
}

/* --- where they begin --- */

void fob_walk_begin(fob_core_t *self, fob_group_t *group, bool resume) {
    uint64_t limit = fob_walk_limit(self, group), floor = group->cover.floor;
    group->resume_at = group->resume_gap = floor;
    group->resume_to = !resume ? 0 : group->mark_offset < limit ? group->mark_offset : limit;
    group->resume_token = resume ? group->mark_token : 0;
    group->resuming = group->resume_at <= group->resume_to;
    group->cursor = group->resuming ? group->resume_to + 1 : floor;
    group->gap_from = group->cursor;
    group->caught_up = group->cursor > self->head;
    for (unsigned i = 0; i < FOB_PRIORITIES; i++)
        group->prio_cursor[i] = group->cursor;
    if (resume)
        group->next_token = group->mark_token / (1 + FOB_PLANTED(TOKEN_REUSED)) + 1;
    uint64_t position = self->live ? fob_core_next_position(self) : 0;
    group->marks[0] = group->marks[1] =
        (fob_mark_t){group->mark_offset, group->mark_token, resume ? 0 : position};
}
