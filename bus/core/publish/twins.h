/* twins: finds the events of one batch that have the same (topic, id). Scratch memory of the core:
 * no allocation once warm. */
#ifndef FOB_CORE_TWINS_H
#define FOB_CORE_TWINS_H

#include "bus/core/publish/dedup.h"

#define FOB_TWIN_NONE UINT32_MAX

typedef struct {
    uint64_t high, low;
    uint32_t value; /* the caller's; FOB_TWIN_NONE: free */
} fob_twin_t;

/* All zeros: empty. */
typedef struct {
    fob_twin_t *slots;
    uint32_t mask, capacity;
} fob_twins_t;

void fob_twins_free(fob_twins_t *self);
/* Begins anew, with room for `count`; false: no memory. */
bool fob_twins_begin(fob_twins_t *self, uint32_t count);
/* What was put for the same one, or FOB_TWIN_NONE. */
uint32_t fob_twins_find(const fob_twins_t *self, const fob_ident_t *ident);
/* The same; where nothing was put, `value` is. There must be room. */
uint32_t fob_twins_meet(fob_twins_t *self, const fob_ident_t *ident, uint32_t value);

#endif
