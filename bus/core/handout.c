/* handout: what is ready goes to workers with credit, in turn.
 *
 * What came back, and after a start what may have been out, goes before what was never out; lowest
 * offset first. Hand-outs of such events are records; first hand-outs only need a mark ahead of
 * them. */
#include "bus/core/lease.h"
#include "bus/core/walk.h"

#include <assert.h>
#include <stdlib.h>

#define GROUP_BYTES  ((size_t)1 << 20) /* of one group in one turn */
#define CHUNK_BYTES  ((size_t)65536)   /* of one delivery, but for its first event */
#define CHUNK_EVENTS 1024u
#define BLOCK_LEAST  2048u
#define SWEEP_EVENTS 65536u

/* One delivery on its way. */
typedef struct {
    fob_core_t *core;
    fob_group_t *group;
    uint32_t member;
    uint32_t quota, count; /* events it may have; has */
    size_t bytes;
    uint64_t after;
    fob_slice_t
        name; /* of the group, in the turn: the group may be gone when the turn is released */
    fob_span_t *spans; /* in the turn */
    uint32_t span_count;
} serving_t;

/* --- deliveries --- */

static bool reserve(serving_t *self) {
    fob_core_t *core = self->core;
    fob_open_turn_t *turn = fob_core_open(core);
    /* Two effects: the delivery, and a NEED that stops it. */
    if (!turn || !fob_turn_reserve(turn, 0, 2, self->quota, 0) ||
        !fob_grants_reserve(&self->group->grants, self->quota))
        return false;
    self->name = fob_turn_copy(turn, self->group->name);
    if (!self->name.data)
        return false;
    self->spans = (void *)fob_turn_bytes(turn, self->quota * sizeof *self->spans);
    return self->spans != NULL;
}

/* How much each of those in turn gets of what is ready; reckoned anew when all had their turn. */
static uint64_t share_of(fob_group_t *group) {
    if (group->round_left == 0) {
        uint64_t ready = fob_group_ready(group);
        group->round_left = group->ring_count;
        group->share = (ready + group->ring_count - 1) / group->ring_count;
    }
    group->round_left--;
    return group->share;
}

/* A delivery to the next in turn. False: no memory. */
static bool begin(serving_t *self, fob_core_t *core, fob_group_t *group) {
    const fob_member_t *member = &core->members.slab[group->ring];
    uint64_t share = share_of(group), room = fob_member_room(member);
    if (share > room)
        share = room;
    if (share > CHUNK_EVENTS)
        share = CHUNK_EVENTS;
    *self = (serving_t){.core = core,
                        .group = group,
                        .member = group->ring,
                        .quota = share ? (uint32_t)share : 1,
                        .after = member->joined};
    return reserve(self);
}

static bool full(const serving_t *self) {
    return self->count >= self->quota || self->bytes >= CHUNK_BYTES;
}

/* Adds `count` events, joined to the span before where they continue it. */
static void add(serving_t *self, const fob_place_t *place, uint32_t count, uint64_t token,
                uint32_t attempt) {
    fob_core_t *core = self->core;
    const fob_sheet_t *sheet = place->sheet;
    assert(self->spans);
    uint64_t offset = sheet->first_offset + place->index;
    size_t at = sheet->at + sheet->begin[place->index];
    size_t size = sheet->begin[place->index + count] - sheet->begin[place->index];
    fob_span_t *last = self->span_count ? &self->spans[self->span_count - 1] : NULL;
    self->count += count;
    self->bytes += size;
    if (sheet->position > self->after)
        self->after = sheet->position;
    if (last && last->blob == sheet->blob && last->offset + last->count == offset &&
        last->token + last->count == token && last->attempt == attempt &&
        last->at + last->size == at && last->time_ms == sheet->time_ms) {
        last->count += count;
        last->size += size;
        return;
    }
    fob_turn_hold(core->open, sheet->blob);
    self->spans[self->span_count++] = (fob_span_t){.offset = offset,
                                                   .count = count,
                                                   .attempt = attempt,
                                                   .token = token,
                                                   .time_ms = sheet->time_ms,
                                                   .blob = sheet->blob,
                                                   .at = at,
                                                   .size = size};
}

static void grant(serving_t *self, uint64_t offset, uint64_t gap_from, uint64_t token, bool back) {
    fob_member_t *member = &self->core->members.slab[self->member];
    fob_grants_add(&self->group->grants, &member->held,
                   &(fob_grant_t){.token = token,
                                  .offset = offset,
                                  .gap_from = gap_from,
                                  .member = self->member,
                                  .back = back});
}

/* Sends what was added, and goes on to the next in turn. */
static void end(serving_t *self) {
    fob_core_t *core = self->core;
    fob_group_t *group = self->group;
    fob_turn_shrink(core->open, (uint8_t *)self->spans, self->quota * sizeof *self->spans,
                    self->span_count * sizeof *self->spans);
    if (self->count == 0)
        return;
    fob_member_t *member = &core->members.slab[self->member];
    fob_effect_t *effect = fob_turn_effect(core->open, FOB_EFF_DELIVER);
    effect->conn = member->conn;
    effect->group = self->name;
    effect->after = self->after;
    effect->spans = self->spans;
    effect->span_count = self->span_count;
    fob_core_wait(core, self->after);
    member->delivered += self->count;
    fob_lease_begin(core, self->member);
    group->ring = member->ring_next;
    fob_members_ring(&core->members, self->member);
}

/* --- first hand-outs --- */

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
    fob_record_mark_t record = {group->id, offset + block, group->next_token + block};
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

/* The commit of the mark that an event's first hand-out rests on. */
static uint64_t mark_position(const fob_group_t *group, uint64_t offset, uint64_t token) {
    const fob_mark_t *older = &group->marks[1];
    return offset <= older->offset && token <= older->token ? older->position
                                                            : group->marks[0].position;
}

/* How many events of the stretch still fit into the delivery, by bytes. */
static uint32_t fit(const serving_t *self, const fob_place_t *place, uint32_t count) {
    const uint32_t *begin = place->sheet->begin + place->index;
    size_t room = CHUNK_BYTES - self->bytes;
    if (begin[count] - begin[0] <= room)
        return count;
    uint32_t n = 1;
    while (n < count && begin[n + 1] - begin[0] <= room)
        n++;
    return n;
}

/* Adds a stretch of events that lie one after the other. */
static void add_fresh(serving_t *self, const fob_place_t *place, uint32_t count) {
    fob_group_t *group = self->group;
    uint64_t offset = group->cursor, token = group->next_token;
    for (uint32_t i = 0; i < count; i++)
        grant(self, offset + i, i == 0 ? group->gap_from : offset + i, token + i, false);
    uint64_t rests_on = mark_position(group, offset + count - 1, token + count - 1);
    if (rests_on > self->after)
        self->after = rests_on;
    add(self, place, count, token, 1);
    group->next_token += count;
    group->cursor = group->gap_from = offset + count;
}

/* FOUND: something was delivered. */
static fob_walk_t serve_fresh(fob_core_t *core, fob_group_t *group, size_t *bytes) {
    serving_t serving;
    fob_place_t place;
    fob_walk_t walk = fob_walk_fresh(core, group, &place);
    if (walk != FOB_WALK_FOUND)
        return walk;
    if (!mark_ahead(core, group, group->cursor) || !begin(&serving, core, group))
        return FOB_WALK_MEMORY;
    do {
        if (group->cursor > group->marks[0].offset)
            break; /* a long way behind the last: it needs a mark of its own */
        uint32_t most = serving.quota - serving.count;
        uint64_t marked = group->marks[0].offset - group->cursor + 1;
        most = marked < most ? (uint32_t)marked : most;
        most = fob_walk_stretch(core, group, &place, most);
        add_fresh(&serving, &place, fit(&serving, &place, most));
        walk = full(&serving) ? FOB_WALK_FOUND : fob_walk_fresh(core, group, &place);
    } while (!full(&serving) && walk == FOB_WALK_FOUND);
    end(&serving);
    *bytes += serving.bytes;
    return FOB_WALK_FOUND;
}

/* --- what came back, or may have been out before the start --- */

/* The event cannot be read: the group gives it up. */
static void bury_unreadable(fob_group_t *group, fob_runs_writer_t *runs, fob_back_entry_t *entry) {
    fob_run_record_t run = {.verb = FOB_RUN_DEAD,
                            .reason = FOB_REASON_DAMAGED,
                            .count = 1,
                            .from = entry->offset,
                            .to = entry->offset,
                            .token = entry->attempts};
    fob_runs_put(runs, &run);
    fob_back_set(&group->back, entry, FOB_BACK_LEASED, 0);
}

static bool resume_over(const fob_core_t *core, const fob_group_t *group) {
    return group->resuming && core->resume_until == FOB_NEVER;
}

/* The next of both kinds: *entry is NULL where it comes from the resume walk. Puts up to two runs.
 */
static fob_walk_t next_back(fob_core_t *core, fob_group_t *group, fob_runs_writer_t *runs,
                            fob_place_t *place, fob_back_entry_t **entry) {
    *entry = fob_back_ready(&group->back);
    if (resume_over(core, group) && !(*entry && (*entry)->offset < group->resume_at)) {
        fob_walk_t walk = fob_walk_resume(core, group, runs, place);
        if (walk == FOB_WALK_FOUND && !(*entry && (*entry)->offset < group->resume_at)) {
            *entry = NULL;
            return walk;
        }
        if (walk == FOB_WALK_BLOCKED || walk == FOB_WALK_MEMORY)
            return walk;
    }
    return *entry ? fob_walk_to(core, group, (*entry)->offset, place) : FOB_WALK_END;
}

static void add_back(serving_t *self, fob_runs_writer_t *runs, const fob_place_t *place,
                     fob_back_entry_t *entry) {
    fob_group_t *group = self->group;
    uint64_t offset = place->sheet->first_offset + place->index;
    fob_run_record_t run = {.verb = FOB_RUN_HANDOUT,
                            .flags = entry ? 0 : FOB_RUN_FRESH,
                            .count = 1,
                            .from = entry ? offset : group->resume_gap,
                            .to = offset,
                            .token = group->next_token};
    fob_runs_put(runs, &run);
    if (entry)
        fob_back_set(&group->back, entry, FOB_BACK_LEASED, 0);
    else
        group->resume_at = group->resume_gap = offset + 1;
    grant(self, offset, offset, group->next_token, true);
    add(self, place, 1, group->next_token, entry ? entry->attempts + 1 : 1);
    group->next_token++;
    group->redelivered++;
}

/* FOUND: something was delivered, or at least settled. END: nothing of that kind is left. */
static fob_walk_t serve_back(fob_core_t *core, fob_group_t *group, size_t *bytes) {
    serving_t serving;
    fob_runs_writer_t runs;
    fob_walk_t walk = FOB_WALK_FOUND;
    if (!begin(&serving, core, group))
        return FOB_WALK_MEMORY;
    /* Each step puts at most three runs; steps that deliver nothing count towards the room too. */
    size_t room = serving.quota * 3 + 3;
    if (!fob_runs_begin(&runs, core, group, room, serving.quota))
        return FOB_WALK_MEMORY;
    for (size_t step = 0; !full(&serving) && (step + 1) * 3 <= room; step++) {
        fob_place_t place;
        fob_back_entry_t *entry;
        walk = next_back(core, group, &runs, &place, &entry);
        if (walk == FOB_WALK_END && entry)
            bury_unreadable(group, &runs, entry);
        else if (walk == FOB_WALK_FOUND)
            add_back(&serving, &runs, &place, entry);
        else
            break;
        walk = FOB_WALK_FOUND;
    }
    if (fob_runs_end(&runs) && serving.count)
        serving.after = fob_core_next_position(core);
    end(&serving);
    *bytes += serving.bytes;
    return serving.count ? FOB_WALK_FOUND : walk;
}

/* --- a group --- */

/* Something was skipped that could not be read: once all else is known, the books tell how much it
 * was. */
static void settle_unknown(fob_core_t *core, fob_group_t *group) {
    uint64_t pristine = fob_group_pristine(group);
    uint64_t out = group->grants.count - group->grants.back;
    fob_runs_writer_t runs;
    if (!group->damaged || !group->caught_up || group->resuming || pristine <= out ||
        !fob_runs_begin(&runs, core, group, 1, 0))
        return;
    uint64_t count = pristine - out;
    fob_run_record_t run = {.verb = FOB_RUN_DEAD,
                            .flags = FOB_RUN_UNKNOWN,
                            .reason = FOB_REASON_DAMAGED,
                            .count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX,
                            .from = 1,
                            .to = core->head};
    if (run.count <= core->head)
        fob_runs_put(&runs, &run);
    fob_runs_end(&runs);
}

static bool any_back(const fob_core_t *core, const fob_group_t *group) {
    return fob_back_ready(&group->back) || resume_over(core, group);
}

bool fob_handout(fob_core_t *self, fob_group_t *group) {
    size_t bytes = 0;
    if (group->blocked)
        return false;
    group->round_left = 0;
    while (group->ring_count > 0) {
        if (bytes >= GROUP_BYTES) {
            self->take_bytes += bytes;
            return true;
        }
        fob_walk_t walk = FOB_WALK_END;
        if (any_back(self, group))
            walk = serve_back(self, group, &bytes);
        if (walk == FOB_WALK_END)
            walk = serve_fresh(self, group, &bytes);
        if (walk == FOB_WALK_MEMORY)
            return true; /* the next take tries again */
        if (walk != FOB_WALK_FOUND)
            break;
    }
    self->take_bytes += bytes;
    settle_unknown(self, group);
    return false;
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
