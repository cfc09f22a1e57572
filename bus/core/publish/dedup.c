#include "bus/core/publish/dedup.h"

#include "bus/core/durable/digest.h"
#include "proto/planted.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_BYTES 192 /* what XXH3 takes for its longest input */
#define FIRST_ROOM   64
#define MOST_ROOM    (UINT32_C(1) << 30)
#define TOPIC_MAX    255
#define ID_MAX       255

/* The entries stand in a ring in the order of offsets; a table of their running numbers (+ 1; 0:
 * free) leads to them, with open addressing and no tombstones of its own. An entry that gave way to
 * a later one of the same ident stays in the ring with none until it is the oldest. */
struct fob_dedup {
    uint32_t max;
    int64_t window_ms;
    uint8_t secret[SECRET_BYTES];
    fob_known_t *ring;
    uint32_t *slots; /* twice the ring */
    uint32_t mask;   /* of the ring; its size - 1; 0: none yet */
    uint32_t begin;  /* running number of the oldest */
    uint32_t used;   /* in the ring, gone ones too */
    uint32_t gone;
    uint64_t last; /* the highest offset ever told */
};

#define NUMBER_MASK UINT32_C(0x7FFFFFFF) /* running numbers wrap here */

fob_dedup_t *fob_dedup_new(uint32_t max, int64_t window_ms) {
    fob_dedup_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    max = FOB_PLANTED(IDS_TOO_MANY) ? 10 * max : max;
    self->max = max < MOST_ROOM / 2 ? max : MOST_ROOM / 2;
    window_ms = FOB_PLANTED(WINDOW_TOO_LONG) ? 10 * window_ms : window_ms;
    self->window_ms = FOB_PLANTED(WINDOW_TOO_SHORT) ? window_ms / 2 : window_ms;
    fob_dedup_seed(self, 1);
    return self;
}

void fob_dedup_free(fob_dedup_t *self) {
    if (!self)
        return;
    free(self->ring);
    free(self->slots);
    free(self);
}

/* --- idents --- */

/* The seed drawn out by splitmix64. Idents are in checkpoints: this may not change. */
void fob_dedup_seed(fob_dedup_t *self, uint64_t seed) {
    for (size_t i = 0; i < SECRET_BYTES; i += sizeof seed) {
        uint64_t x = seed += UINT64_C(0x9E3779B97F4A7C15);
        x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
        x ^= x >> 31;
        for (size_t k = 0; k < sizeof x; k++)
            self->secret[i + k] = (uint8_t)(x >> (8 * k));
    }
}

static uint64_t digest64(const fob_dedup_t *self, fob_slice_t bytes) {
    return XXH3_64bits_withSecret(bytes.size ? bytes.data : self->secret, bytes.size, self->secret,
                                  SECRET_BYTES);
}

fob_ident_t fob_dedup_ident(const fob_dedup_t *self, fob_slice_t topic, fob_slice_t id,
                            fob_slice_t content_type, fob_slice_t data) {
    uint8_t text[TOPIC_MAX + 1 + ID_MAX];
    if (id.size == 0)
        return (fob_ident_t){0};
    assert(topic.size <= TOPIC_MAX && id.size <= ID_MAX);
    memcpy(text, topic.data, topic.size);
    text[topic.size] = 0; /* neither holds a zero byte */
    memcpy(text + topic.size + 1, id.data, id.size);
    XXH128_hash_t hash =
        XXH3_128bits_withSecret(text, topic.size + 1 + id.size, self->secret, SECRET_BYTES);
    if (content_type.size == 0)
        content_type = fob_slice_str("application/msgpack"); /* what absent means */
    uint64_t type = digest64(self, content_type);
    fob_ident_t ident = {hash.high64, hash.low64, digest64(self, data)};
    ident.data ^= type << 1 | type >> 63;
    if (ident.high == 0 && ident.low == 0)
        ident.low = 1;
    return ident;
}

static bool is_none(fob_ident_t ident) {
    return ident.high == 0 && ident.low == 0;
}

/* --- the table --- */

static fob_known_t *entry_at(const fob_dedup_t *self, uint32_t number) {
    return &self->ring[number & self->mask];
}

static uint32_t slot_mask(const fob_dedup_t *self) {
    return self->mask * 2 + 1;
}

static uint32_t home(const fob_dedup_t *self, fob_ident_t ident) {
    return (uint32_t)ident.low & slot_mask(self);
}

/* The slot of an ident, or the free one where it would stand. */
static uint32_t find_slot(const fob_dedup_t *self, fob_ident_t ident) {
    uint32_t at = home(self, ident);
    for (; self->slots[at] != 0; at = (at + 1) & slot_mask(self)) {
        const fob_known_t *known = entry_at(self, self->slots[at] - 1);
        if (known->ident.low == ident.low && known->ident.high == ident.high)
            break;
    }
    return at;
}

/* Whatever stands behind the hole and may not be separated from its home moves into it. */
static void close_slot(fob_dedup_t *self, uint32_t hole) {
    uint32_t mask = slot_mask(self);
    for (uint32_t at = (hole + 1) & mask; self->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t wants = home(self, entry_at(self, self->slots[at] - 1)->ident);
        if (((at - wants) & mask) < ((at - hole) & mask))
            continue;
        self->slots[hole] = self->slots[at];
        hole = at;
    }
    self->slots[hole] = 0;
}

const fob_known_t *fob_dedup_find(const fob_dedup_t *self, fob_ident_t ident, int64_t time_ms) {
    if (self->used == 0 || is_none(ident))
        return NULL;
    uint32_t slot = self->slots[find_slot(self, ident)];
    const fob_known_t *known = slot ? entry_at(self, slot - 1) : NULL;
    return known && known->time_ms > time_ms - self->window_ms ? known : NULL;
}

static uint32_t room_for(uint32_t entries) {
    uint32_t room = FIRST_ROOM;
    while (room < entries)
        room *= 2;
    return room;
}

static bool resize(fob_dedup_t *self, uint32_t room) {
    fob_known_t *ring = malloc(room * sizeof *ring);
    uint32_t *slots = calloc((size_t)room * 2, sizeof *slots);
    if (!ring || !slots) {
        free(ring);
        free(slots);
        return false;
    }
    fob_dedup_t old = *self;
    self->ring = ring;
    self->slots = slots;
    self->mask = room - 1;
    for (uint32_t i = 0; i < self->used; i++) {
        uint32_t number = (self->begin + i) & NUMBER_MASK;
        fob_known_t known = *entry_at(&old, number);
        *entry_at(self, number) = known;
        if (!is_none(known.ident))
            self->slots[find_slot(self, known.ident)] = number + 1;
    }
    free(old.ring);
    free(old.slots);
    return true;
}

bool fob_dedup_reserve(fob_dedup_t *self, size_t more) {
    if (self->max == 0 || more == 0)
        return true;
    if (more > MOST_ROOM - self->used)
        return false;
    uint32_t want = self->used + (uint32_t)more;
    return (self->ring && want <= self->mask + 1) || resize(self, room_for(want));
}

static void drop_oldest(fob_dedup_t *self) {
    const fob_known_t *oldest = entry_at(self, self->begin);
    if (is_none(oldest->ident))
        self->gone--;
    else
        close_slot(self, find_slot(self, oldest->ident));
    self->begin = (self->begin + 1) & NUMBER_MASK;
    self->used--;
}

/* Drops the oldest while they are out of the window, or there are more than `most`. */
static void drop(fob_dedup_t *self, int64_t time_ms, uint32_t most) {
    while (self->used > 0) {
        const fob_known_t *oldest = entry_at(self, self->begin);
        if (!is_none(oldest->ident) && oldest->time_ms > time_ms - self->window_ms &&
            self->used - self->gone <= most)
            return;
        drop_oldest(self);
    }
}

void fob_dedup_expire(fob_dedup_t *self, int64_t time_ms) {
    drop(self, time_ms, self->max);
}

/* The entry of an ident gives way to a later one. */
static void give_way(fob_dedup_t *self, fob_ident_t ident) {
    uint32_t at = find_slot(self, ident), slot = self->slots[at];
    if (slot == 0)
        return;
    close_slot(self, at);
    entry_at(self, slot - 1)->ident = (fob_ident_t){0};
    self->gone++;
}

void fob_dedup_add(fob_dedup_t *self, const fob_known_t *known) {
    if (known->offset <= self->last)
        return; /* it is there, or was dropped since */
    self->last = known->offset;
    if (self->max == 0 || is_none(known->ident))
        return;
    drop(self, known->time_ms, self->max);
    if (self->used)
        give_way(self, known->ident);
    drop(self, known->time_ms, self->max - 1);
    assert(self->ring && self->used <= self->mask);
    uint32_t number = (self->begin + self->used++) & NUMBER_MASK;
    *entry_at(self, number) = *known;
    self->slots[find_slot(self, known->ident)] = number + 1;
}

/* --- looking --- */

uint64_t fob_dedup_count(const fob_dedup_t *self) {
    return self->used - self->gone;
}

static const fob_known_t *from(const fob_dedup_t *self, uint32_t index) {
    for (; index < self->used; index++) {
        const fob_known_t *known = entry_at(self, self->begin + index);
        if (!is_none(known->ident))
            return known;
    }
    return NULL;
}

int64_t fob_dedup_oldest_ms(const fob_dedup_t *self) {
    const fob_known_t *oldest = from(self, 0);
    return oldest ? oldest->time_ms : 0;
}

const fob_known_t *fob_dedup_above(const fob_dedup_t *self, uint64_t offset) {
    uint32_t low = 0, high = self->used;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entry_at(self, self->begin + middle)->offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return from(self, low);
}

uint64_t fob_dedup_hash(const fob_dedup_t *self) {
    uint64_t sum = self->used - self->gone;
    for (const fob_known_t *known = from(self, 0); known;
         known = fob_dedup_above(self, known->offset))
        sum = sum * 31 + fob_digest(known, sizeof *known);
    return sum;
}
