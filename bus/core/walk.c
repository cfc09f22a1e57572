#include "bus/core/walk.h"

#include "proto/topic.h"

#include <stdlib.h>

/* --- which events of a sheet are the group's --- */

typedef struct {
    const fob_sheet_t *sheet;
    fob_slice_t pattern;
    uint32_t *match; /* by topic: id no, id + 1 yes, else not known yet */
    uint32_t id;
    bool all, none;
} matcher_t;

/* False: no memory. */
static bool matcher_init(matcher_t *self, fob_core_t *core, const fob_group_t *group,
                         const fob_sheet_t *sheet) {
    *self = (matcher_t){.sheet = sheet, .pattern = group->pattern};
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

static bool matches(matcher_t *self, uint32_t index) {
    if (self->all || self->none)
        return self->all;
    uint32_t topic = self->sheet->topic[index];
    if (self->match[topic] != self->id && self->match[topic] != self->id + 1) {
        bool match = fob_pattern_match(self->pattern, fob_sheet_topic(self->sheet, topic));
        self->match[topic] = self->id + (match ? 1 : 0);
    }
    return self->match[topic] == self->id + 1;
}

/* Index of the first of the group's at or behind `index`; count: none. UINT32_MAX: no memory. */
static uint32_t next_match(fob_core_t *core, const fob_group_t *group, const fob_sheet_t *sheet,
                           uint32_t index) {
    matcher_t matcher;
    if (!matcher_init(&matcher, core, group, sheet))
        return UINT32_MAX;
    if (matcher.none)
        return sheet->count;
    while (index < sheet->count && !matches(&matcher, index))
        index++;
    return index;
}

uint32_t fob_walk_stretch(fob_core_t *self, const fob_group_t *group, const fob_place_t *place,
                          uint32_t most) {
    matcher_t matcher;
    uint32_t left = place->sheet->count - place->index, count = 1;
    if (left < most)
        most = left;
    if (!matcher_init(&matcher, self, group, place->sheet))
        return 1;
    if (matcher.all)
        return most;
    while (count < most && matches(&matcher, place->index + count))
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

static fob_walk_t ask(fob_core_t *self, fob_group_t *group, uint64_t offset) {
    fob_open_turn_t *turn = turn_for_need(self);
    if (!turn)
        return FOB_WALK_MEMORY;
    fob_ask_t answer = fob_cache_ask(&self->cache, offset);
    if (answer == FOB_ASK_LATER) {
        fob_core_wake(self, group);
        self->again = true;
        return FOB_WALK_BLOCKED;
    }
    fob_waits_block(&self->waits, group, offset);
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

fob_walk_t fob_walk_to(fob_core_t *self, fob_group_t *group, uint64_t offset, fob_place_t *place) {
    uint64_t end;
    fob_cache_answer_t answer = fob_cache_find(&self->cache, offset, &place->sheet, &end);
    if (answer == FOB_CACHE_MISS)
        return ask(self, group, offset);
    if (answer == FOB_CACHE_HOLE)
        return FOB_WALK_END;
    place->index = (uint32_t)(offset - place->sheet->first_offset);
    return FOB_WALK_FOUND;
}

/* --- the fresh walk --- */

/* Steps over what cannot be read. False: no memory. */
static bool skip_damage(fob_core_t *self, fob_group_t *group, uint64_t end) {
    fob_runs_writer_t runs;
    if (end > self->head + 1)
        end = self->head + 1;
    if (!fob_runs_begin(&runs, self, group, 1, 0))
        return false;
    fob_run_record_t run = {.verb = FOB_RUN_COVER,
                            .flags = FOB_RUN_DAMAGED,
                            .reason = FOB_REASON_DAMAGED,
                            .from = group->gap_from,
                            .to = end - 1};
    fob_runs_put(&runs, &run);
    fob_runs_end(&runs);
    group->cursor = group->gap_from = end;
    return true;
}

fob_walk_t fob_walk_fresh(fob_core_t *self, fob_group_t *group, fob_place_t *place) {
    while (!group->caught_up) {
        uint64_t end = 0;
        if (group->cursor > self->head) {
            group->caught_up = true;
            break;
        }
        fob_cache_answer_t answer =
            fob_cache_find(&self->cache, group->cursor, &place->sheet, &end);
        if (answer == FOB_CACHE_MISS)
            return ask(self, group, group->cursor);
        if (answer == FOB_CACHE_HOLE) {
            if (!skip_damage(self, group, end))
                return FOB_WALK_MEMORY;
            continue;
        }
        if (end)
            read_ahead(self, end);
        const fob_sheet_t *sheet = place->sheet;
        place->index =
            next_match(self, group, sheet, (uint32_t)(group->cursor - sheet->first_offset));
        if (place->index == UINT32_MAX)
            return FOB_WALK_MEMORY;
        group->cursor = sheet->first_offset + place->index;
        if (place->index < sheet->count)
            return FOB_WALK_FOUND;
    }
    return FOB_WALK_END;
}

/* --- the resume walk --- */

static void cover(fob_runs_writer_t *runs, fob_group_t *group, uint64_t to, uint8_t flags) {
    fob_run_record_t run = {.verb = FOB_RUN_COVER,
                            .flags = flags,
                            .reason = flags ? FOB_REASON_DAMAGED : FOB_REASON_NONE,
                            .from = group->resume_gap,
                            .to = to};
    fob_runs_put(runs, &run);
    group->resume_at = group->resume_gap = to + 1;
}

static fob_walk_t resume_end(fob_group_t *group, fob_runs_writer_t *runs) {
    if (group->resume_gap <= group->resume_to)
        cover(runs, group, group->resume_to, 0);
    group->resuming = false;
    return FOB_WALK_END;
}

fob_walk_t fob_walk_resume(fob_core_t *self, fob_group_t *group, fob_runs_writer_t *runs,
                           fob_place_t *place) {
    for (;;) {
        uint64_t end;
        group->resume_at = fob_cover_next_open(&group->cover, group->resume_at);
        if (group->resume_at > group->resume_to)
            return resume_end(group, runs);
        fob_cache_answer_t answer =
            fob_cache_find(&self->cache, group->resume_at, &place->sheet, &end);
        if (answer == FOB_CACHE_MISS)
            return ask(self, group, group->resume_at);
        if (answer == FOB_CACHE_HOLE) {
            cover(runs, group, end - 1 < group->resume_to ? end - 1 : group->resume_to,
                  FOB_RUN_DAMAGED);
            continue;
        }
        const fob_sheet_t *sheet = place->sheet;
        place->index =
            next_match(self, group, sheet, (uint32_t)(group->resume_at - sheet->first_offset));
        if (place->index == UINT32_MAX)
            return FOB_WALK_MEMORY;
        uint64_t offset = sheet->first_offset + place->index;
        group->resume_at = offset;
        if (place->index < sheet->count && offset <= group->resume_to &&
            !fob_cover_has(&group->cover, offset))
            return FOB_WALK_FOUND;
    }
}
