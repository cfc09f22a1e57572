#include "bus/core/table/map64.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_SLOTS 16u

void fob_map64_free(fob_map64_t *self) {
    free(self->slots);
    *self = (fob_map64_t){0};
}

static inline uint32_t home(const fob_map64_t *self, uint64_t key) {
    return (uint32_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> self->shift);
}

static uint32_t find(const fob_map64_t *self, uint64_t key) {
    uint32_t at = home(self, key);
    while (self->slots[at].key != 0 && self->slots[at].key != key)
        at = (at + 1) & self->mask;
    return at;
}

static bool resize(fob_map64_t *self, uint32_t slots) {
    fob_map64_t bigger = {.mask = slots - 1, .shift = 64, .count = self->count};
    for (uint32_t n = slots; n > 1; n /= 2)
        bigger.shift--;
    bigger.slots = calloc(slots, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (uint32_t i = 0; self->slots && i <= self->mask; i++) {
        if (self->slots[i].key != 0)
            bigger.slots[find(&bigger, self->slots[i].key)] = self->slots[i];
    }
    free(self->slots);
    *self = bigger;
    return true;
}

bool fob_map64_reserve(fob_map64_t *self, size_t more) {
    size_t want = ((size_t)self->count + more) * 2;
    uint32_t slots = self->slots ? self->mask + 1 : FIRST_SLOTS;
    if (want > UINT32_C(1) << 31)
        return false;
    while (slots < want)
        slots *= 2;
    return (self->slots && slots == self->mask + 1) || resize(self, slots);
}

void fob_map64_put(fob_map64_t *self, uint64_t key, uint32_t value) {
    assert(key != 0 && self->slots);
    uint32_t at = find(self, key);
    if (self->slots[at].key == 0) {
        self->count++;
        assert(self->count <= self->mask);
    }
    self->slots[at] = (fob_map64_slot_t){key, value};
}

uint32_t fob_map64_get(const fob_map64_t *self, uint64_t key) {
    if (self->count == 0 || key == 0)
        return FOB_MAP64_NONE;
    uint32_t at = find(self, key);
    return self->slots[at].key == key ? self->slots[at].value : FOB_MAP64_NONE;
}

void fob_map64_remove(fob_map64_t *self, uint64_t key) {
    if (self->count == 0 || key == 0)
        return;
    uint32_t hole = find(self, key);
    if (self->slots[hole].key == 0)
        return;
    self->count--;
    /* Whatever stands behind the hole and may not be separated from its home moves into it. */
    for (uint32_t at = (hole + 1) & self->mask; self->slots[at].key != 0;
         at = (at + 1) & self->mask) {
        uint32_t wants = home(self, self->slots[at].key);
        if (((at - wants) & self->mask) < ((at - hole) & self->mask))
            continue;
        self->slots[hole] = self->slots[at];
        hole = at;
    }
    self->slots[hole].key = 0;
}
