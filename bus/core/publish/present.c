#include "bus/core/publish/present.h"

#include "bus/core/durable/digest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PRESENT_FIRST 64 /* places; a power of two */

void fob_present_free(fob_present_t *self) {
    fob_map64_free(&self->by_conn);
    free(self->slab);
    free(self->buckets);
    *self = (fob_present_t){0};
}

static uint32_t *bucket(const fob_present_t *self, const uint8_t *session) {
    return &self->buckets[fob_digest(session, FOB_SESSION_SIZE) & (self->capacity - 1)];
}

static void chain(fob_present_t *self, uint32_t index) {
    uint32_t *first = bucket(self, self->slab[index].session);
    self->slab[index].chain = *first;
    *first = index + 1;
}

/* All places are taken: twice as many, and buckets. False: no memory. */
static bool grow(fob_present_t *self) {
    uint32_t before = self->capacity, capacity = before ? 2 * before : PRESENT_FIRST;
    uint32_t *buckets = calloc(capacity, sizeof *buckets);
    fob_presence_t *slab = buckets ? realloc(self->slab, capacity * sizeof *slab) : NULL;
    if (!slab) {
        free(buckets);
        return false;
    }
    free(self->buckets);
    self->slab = slab;
    self->buckets = buckets;
    self->capacity = capacity;
    for (uint32_t i = 0; i < before; i++)
        chain(self, i);
    for (uint32_t i = capacity; i-- > before;) {
        slab[i] = (fob_presence_t){.chain = self->free};
        self->free = i + 1;
    }
    return true;
}

bool fob_present_reserve(fob_present_t *self) {
    return fob_map64_reserve(&self->by_conn, 1) && (self->free || grow(self));
}

void fob_present_add(fob_present_t *self, uint64_t conn, const uint8_t *session) {
    assert(self->free && fob_map64_get(&self->by_conn, conn) == FOB_MAP64_NONE);
    uint32_t index = self->free - 1;
    fob_presence_t *one = &self->slab[index];
    self->free = one->chain;
    one->conn = conn;
    memcpy(one->session, session, FOB_SESSION_SIZE);
    chain(self, index);
    fob_map64_put(&self->by_conn, conn, index);
}

bool fob_present_remove(fob_present_t *self, uint64_t conn, uint8_t *session) {
    uint32_t index = fob_map64_get(&self->by_conn, conn);
    if (index == FOB_MAP64_NONE)
        return false;
    fob_presence_t *one = &self->slab[index];
    memcpy(session, one->session, FOB_SESSION_SIZE);
    fob_map64_remove(&self->by_conn, conn);
    uint32_t *link = bucket(self, session);
    while (*link != index + 1)
        link = &self->slab[*link - 1].chain;
    *link = one->chain;
    *one = (fob_presence_t){.chain = self->free};
    self->free = index + 1;
    return true;
}

const uint8_t *fob_present_session(const fob_present_t *self, uint64_t conn) {
    uint32_t index = fob_map64_get(&self->by_conn, conn);
    return index == FOB_MAP64_NONE ? NULL : self->slab[index].session;
}

bool fob_present_has(const fob_present_t *self, const uint8_t *session) {
    uint32_t at = self->capacity ? *bucket(self, session) : 0;
    while (at && memcmp(self->slab[at - 1].session, session, FOB_SESSION_SIZE) != 0)
        at = self->slab[at - 1].chain;
    return at != 0;
}
