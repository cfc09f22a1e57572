#include "bus/guard/subscriptions.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define ROOM_FIRST 8 /* most connections hold a few */

/* Where the hash is, or belongs. */
static uint32_t place_of(const fob_subscriptions_t *self, uint64_t hash) {
    uint32_t low = 0, high = self->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->hashes[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool holds(const fob_subscriptions_t *self, uint32_t at, uint64_t hash) {
    return at < self->count && self->hashes[at] == hash;
}

static bool full(const fob_subscriptions_t *self) {
    return self->count + self->refused >= FOB_SUBSCRIPTIONS_MAX;
}

static bool grow(fob_subscriptions_t *self) {
    if (self->count < self->room)
        return true;
    uint32_t room = self->room ? 2 * self->room : ROOM_FIRST;
    uint64_t *hashes = realloc(self->hashes, room * sizeof *hashes);
    if (!hashes)
        return false;
    self->hashes = hashes;
    self->room = room;
    return true;
}

fob_status_t fob_subscriptions_add(fob_subscriptions_t *self, fob_slice_t prefix, uint64_t seed) {
    uint64_t hash = XXH3_64bits_withSeed(prefix.data, prefix.size, seed);
    uint32_t at = place_of(self, hash);
    if (holds(self, at, hash))
        return FOB_OK;
    if (full(self))
        return FOB_TOO_LARGE;
    if (!grow(self))
        return FOB_NO_MEMORY;
    memmove(self->hashes + at + 1, self->hashes + at, (self->count - at) * sizeof *self->hashes);
    self->hashes[at] = hash;
    self->count++;
    return FOB_OK;
}

void fob_subscriptions_remove(fob_subscriptions_t *self, fob_slice_t prefix, uint64_t seed) {
    uint64_t hash = XXH3_64bits_withSeed(prefix.data, prefix.size, seed);
    uint32_t at = place_of(self, hash);
    if (!holds(self, at, hash))
        return;
    self->count--;
    memmove(self->hashes + at, self->hashes + at + 1, (self->count - at) * sizeof *self->hashes);
    if (self->count > 0)
        return;
    free(self->hashes);
    self->hashes = NULL;
    self->room = 0;
}

fob_status_t fob_subscriptions_refuse(fob_subscriptions_t *self) {
    if (full(self))
        return FOB_TOO_LARGE;
    self->refused++;
    return FOB_OK;
}

void fob_subscriptions_clear(fob_subscriptions_t *self) {
    free(self->hashes);
    *self = (fob_subscriptions_t){0};
}
