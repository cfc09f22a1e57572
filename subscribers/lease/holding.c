#include "subscribers/lease/holding.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CAPACITY 16

static size_t home_of(const fob_holding_t *self, uint64_t token) {
    return (size_t)((token * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (self->capacity - 1);
}

static void place(fob_holding_t *self, fob_held_t held) {
    size_t at = home_of(self, held.token);
    while (self->slots[at].event)
        at = (at + 1) & (self->capacity - 1);
    self->slots[at] = held;
}

bool fob_holding_reserve(fob_holding_t *self) {
    if (2 * (self->count + 1) <= self->capacity)
        return true;
    fob_holding_t bigger = *self;
    bigger.capacity = self->capacity ? 2 * self->capacity : FIRST_CAPACITY;
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < self->capacity; i++)
        if (self->slots[i].event)
            place(&bigger, self->slots[i]);
    free(self->slots);
    *self = bigger;
    return true;
}

void fob_holding_put(fob_holding_t *self, uint64_t token, uint64_t offset, fob_event_t *event) {
    assert(event && 2 * (self->count + 1) <= self->capacity);
    place(self, (fob_held_t){.token = token, .offset = offset, .event = event});
    self->count++;
}

fob_held_t *fob_holding_find(const fob_holding_t *self, uint64_t token) {
    if (!self->count)
        return NULL;
    for (size_t at = home_of(self, token); self->slots[at].event;
         at = (at + 1) & (self->capacity - 1))
        if (self->slots[at].token == token)
            return &self->slots[at];
    return NULL;
}

void fob_holding_take(fob_holding_t *self, fob_held_t *held) {
    size_t mask = self->capacity - 1, hole = (size_t)(held - self->slots);
    assert(hole < self->capacity && held->event);
    self->count--;
    self->lost -= held->lost;
    /* What follows in the chain moves up, unless it is at home already: no tombstones. */
    for (size_t at = (hole + 1) & mask; self->slots[at].event; at = (at + 1) & mask) {
        size_t home = home_of(self, self->slots[at].token);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        self->slots[hole] = self->slots[at];
        hole = at;
    }
    self->slots[hole] = (fob_held_t){0};
}

uint64_t fob_holding_lose(fob_holding_t *self, uint64_t offset, uint64_t count, uint64_t token,
                          uint64_t in) {
    uint64_t lost = 0;
    for (size_t i = 0; i < self->capacity; i++) {
        fob_held_t *held = &self->slots[i];
        if (!held->event || held->lost ||
            !fob_lease_within(held->offset, held->token, offset, count, token))
            continue;
        held->lost = true;
        held->lost_in = in;
        self->lost++;
        lost++;
    }
    return lost;
}

void fob_holding_lose_all(fob_holding_t *self) {
    for (size_t i = 0; i < self->capacity; i++)
        self->slots[i].lost = self->slots[i].event != NULL;
    self->lost = self->count;
}

void fob_holding_free(fob_holding_t *self) {
    for (size_t i = 0; i < self->capacity; i++)
        fob_event_destroy(&self->slots[i].event);
    free(self->slots);
    *self = (fob_holding_t){0};
}
