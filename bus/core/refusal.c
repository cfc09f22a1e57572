#include "bus/core/refusal.h"

#include <stdlib.h>
#include <string.h>

void fob_refusals_free(fob_refusals_t *self) {
    free(self->slab);
    fob_map64_free(&self->by_conn);
    *self = (fob_refusals_t){0};
}

const fob_refusal_t *fob_refusals_find(const fob_refusals_t *self, uint64_t conn,
                                       const uint8_t *session) {
    uint32_t at = fob_map64_get(&self->by_conn, conn);
    if (at == FOB_MAP64_NONE)
        return NULL;
    const fob_refusal_t *refusal = &self->slab[at];
    return memcmp(refusal->session, session, FOB_SESSION_SIZE) == 0 ? refusal : NULL;
}

static bool reserve(fob_refusals_t *self) {
    if (!fob_map64_reserve(&self->by_conn, 1))
        return false;
    if (self->free || self->used < self->capacity)
        return true;
    uint32_t capacity = self->capacity ? self->capacity * 2 : 16;
    fob_refusal_t *slab = realloc(self->slab, capacity * sizeof *slab);
    if (!slab)
        return false;
    self->slab = slab;
    self->capacity = capacity;
    return true;
}

void fob_refusals_put(fob_refusals_t *self, uint64_t conn, const uint8_t *session, uint64_t from,
                      fob_status_t status) {
    uint32_t at = fob_map64_get(&self->by_conn, conn);
    if (at == FOB_MAP64_NONE) {
        if (conn == 0 || !reserve(self))
            return;
        at = self->free ? self->free - 1 : self->used++;
        if (self->free)
            self->free = self->slab[at].next_free;
        fob_map64_put(&self->by_conn, conn, at);
    }
    fob_refusal_t *refusal = &self->slab[at];
    *refusal = (fob_refusal_t){.from = from, .status = status};
    memcpy(refusal->session, session, FOB_SESSION_SIZE);
}

void fob_refusals_forget(fob_refusals_t *self, uint64_t conn) {
    uint32_t at = fob_map64_get(&self->by_conn, conn);
    if (at == FOB_MAP64_NONE)
        return;
    fob_map64_remove(&self->by_conn, conn);
    self->slab[at].next_free = self->free;
    self->free = at + 1;
}
