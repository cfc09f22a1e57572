#include "publishers/slots.h"

#include <assert.h>
#include <stdlib.h>

bool fob_slots_init(fob_slots_t *self, uint32_t capacity) {
    *self = (fob_slots_t){.all = calloc(capacity, sizeof *self->all), .capacity = capacity};
    return self->all != NULL;
}

void fob_slots_free(fob_slots_t *self) {
    free(self->all);
    *self = (fob_slots_t){0};
}

static fob_slot_t *take_spare(fob_slots_t *self) {
    fob_slot_t *slot = self->spare;
    if (slot)
        self->spare = slot->behind;
    else if (self->made < self->capacity)
        slot = &self->all[self->made++];
    return slot;
}

fob_slot_t *fob_slots_append(fob_slots_t *self) {
    fob_slot_t *slot = take_spare(self);
    if (!slot)
        return NULL;
    *slot = (fob_slot_t){.before = self->last};
    if (self->last)
        self->last->behind = slot;
    else
        self->first = slot;
    self->last = slot;
    self->count++;
    return slot;
}

void fob_slots_remove(fob_slots_t *self, fob_slot_t *slot) {
    assert(self->count > 0);
    *(slot->before ? &slot->before->behind : &self->first) = slot->behind;
    *(slot->behind ? &slot->behind->before : &self->last) = slot->before;
    slot->behind = self->spare;
    self->spare = slot;
    self->count--;
}
