#include "bus/core/work/delivery.h"

#include "bus/core/work/lease.h"
#include "proto/planted.h"

#include <assert.h>

#define CHUNK_BYTES  ((size_t)65536) /* of one delivery, but for its first event */
#define CHUNK_EVENTS 1024u

static bool reserve(fob_delivery_t *self) {
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

bool fob_delivery_begin(fob_delivery_t *self, fob_core_t *core, fob_group_t *group) {
    const fob_member_t *member = &core->members.slab[group->ring];
    uint64_t share = share_of(group), room = fob_member_room(member) + FOB_PLANTED(CREDIT_IGNORED);
    if (share > room)
        share = room;
    if (share > CHUNK_EVENTS)
        share = CHUNK_EVENTS;
    *self = (fob_delivery_t){.core = core,
                             .group = group,
                             .member = group->ring,
                             .quota = share ? (uint32_t)share : 1,
                             .after = member->joined};
    return reserve(self);
}

bool fob_delivery_full(const fob_delivery_t *self) {
    return self->count >= self->quota || self->bytes >= CHUNK_BYTES;
}

uint32_t fob_delivery_fit(const fob_delivery_t *self, const fob_place_t *place, uint32_t count) {
    const uint32_t *begin = place->sheet->begin + place->index;
    size_t room = CHUNK_BYTES - self->bytes;
    assert(count <= self->quota - self->count);
    if (begin[count] - begin[0] <= room)
        return count;
    uint32_t n = 1;
    while (n < count && begin[n + 1] - begin[0] <= room)
        n++;
    return n;
}

void fob_delivery_add(fob_delivery_t *self, const fob_place_t *place, uint32_t count,
                      uint64_t token, uint32_t attempt) {
    fob_core_t *core = self->core;
    const fob_sheet_t *sheet = place->sheet;
    assert(self->spans);
    uint64_t offset = fob_sheet_offset(sheet, place->index);
    size_t at = sheet->at + sheet->begin[place->index];
    size_t size = sheet->begin[place->index + count] - sheet->begin[place->index];
    fob_span_t *last = self->span_count ? &self->spans[self->span_count - 1] : NULL;
    self->count += count;
    self->bytes += size;
    if (sheet->position > self->after)
        self->after = sheet->position;
    if (last && last->blob == sheet->blob && last->offset + last->count == offset &&
        last->token + last->count == token && last->attempt == attempt &&
        ((last->at + last->size == at && last->time_ms == sheet->time_ms) ||
         FOB_PLANTED(SPAN_TOO_LONG))) {
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

/* What the worker holds; from now on, if that was nothing. */
static fob_grant_list_t *held_by(fob_delivery_t *self) {
    fob_member_t *member = &self->core->members.slab[self->member];
    if (member->held.count == 0)
        member->since_ns = self->core->now.mono_ns;
    return &member->held;
}

void fob_delivery_grant(fob_delivery_t *self, const fob_place_t *place, uint32_t count,
                        uint64_t token, uint64_t gap_from, bool prio) {
    const fob_grant_t first = {.token = token,
                               .offset = fob_place_offset(place),
                               .gap_from = gap_from,
                               .time_ms = place->sheet->time_ms,
                               .member = self->member,
                               .prio = prio};
    fob_grants_add_run(&self->group->grants, held_by(self), &first,
                       place->sheet->begin + place->index, count);
}

void fob_delivery_grant_back(fob_delivery_t *self, const fob_place_t *place, uint64_t token) {
    fob_grant_list_t *held = held_by(self);
    uint64_t offset = fob_place_offset(place);
    const fob_grant_t grant = {.token = token,
                               .offset = offset,
                               .gap_from = offset,
                               .time_ms = place->sheet->time_ms,
                               .member = self->member,
                               .back = true};
    fob_grants_add_run(&self->group->grants, held, &grant, place->sheet->begin + place->index, 1);
}

void fob_delivery_end(fob_delivery_t *self) {
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
