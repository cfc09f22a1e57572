#include "bus/core/publish/twins.h"

#include <stdlib.h>

void fob_twins_free(fob_twins_t *self) {
    free(self->slots);
    *self = (fob_twins_t){0};
}

bool fob_twins_begin(fob_twins_t *self, uint32_t count) {
    uint32_t size = 16;
    while (size < count * 2)
        size *= 2;
    if (size > self->capacity) {
        fob_twin_t *slots = realloc(self->slots, size * sizeof *slots);
        if (!slots)
            return false;
        self->slots = slots;
        self->capacity = size;
    }
    self->mask = size - 1;
    for (uint32_t i = 0; i < size; i++)
        self->slots[i].value = FOB_TWIN_NONE;
    return true;
}

/* The slot of the same one, or the free one where it belongs. */
static fob_twin_t *slot_of(const fob_twins_t *self, const fob_ident_t *ident) {
    uint32_t at = (uint32_t)ident->low & self->mask;
    while (self->slots[at].value != FOB_TWIN_NONE &&
           (self->slots[at].high != ident->high || self->slots[at].low != ident->low))
        at = (at + 1) & self->mask;
    return &self->slots[at];
}

uint32_t fob_twins_find(const fob_twins_t *self, const fob_ident_t *ident) {
    return slot_of(self, ident)->value;
}

uint32_t fob_twins_meet(fob_twins_t *self, const fob_ident_t *ident, uint32_t value) {
    fob_twin_t *slot = slot_of(self, ident);
    if (slot->value == FOB_TWIN_NONE)
        *slot = (fob_twin_t){ident->high, ident->low, value};
    else
        return slot->value;
    return FOB_TWIN_NONE;
}
