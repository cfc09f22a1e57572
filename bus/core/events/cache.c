#include "bus/core/events/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void fob_cache_init(fob_cache_t *self, fob_sheet_pool_t *pool, uint64_t max_bytes,
                    uint32_t page_bytes) {
    *self = (fob_cache_t){.pool = pool, .max_bytes = max_bytes};
    uint64_t stretches = page_bytes ? max_bytes / 4 / page_bytes : FOB_STRETCHES_MAX;
    if (stretches < 4)
        stretches = 4;
    self->stretch_count = stretches > FOB_STRETCHES_MAX ? FOB_STRETCHES_MAX : (uint32_t)stretches;
}

static void empty(fob_cache_t *self, fob_stretch_t *stretch) {
    for (uint32_t i = 0; i < stretch->count; i++)
        fob_sheet_unref(self->pool, stretch->sheets[i]);
    stretch->count = 0;
}

void fob_cache_free(fob_cache_t *self) {
    for (size_t i = 0; i < self->count; i++)
        fob_sheet_unref(self->pool, self->ring[self->begin + i]);
    for (size_t i = 0; i < FOB_STRETCHES_MAX; i++) {
        empty(self, &self->stretches[i]);
        free(self->stretches[i].sheets);
    }
    free(self->ring);
    *self = (fob_cache_t){0};
}

/* --- the newest sheets --- */

bool fob_cache_reserve(fob_cache_t *self, size_t more) {
    if (self->begin + self->count + more <= self->capacity)
        return true;
    if (self->count && self->begin >= self->capacity / 2 && self->begin >= more) {
        memmove(self->ring, self->ring + self->begin, self->count * sizeof *self->ring);
        self->begin = 0;
        return true;
    }
    size_t capacity = self->capacity ? self->capacity * 2 : 256;
    while (capacity < self->count + more)
        capacity *= 2;
    fob_sheet_t **ring = malloc(capacity * sizeof *ring);
    if (!ring)
        return false;
    if (self->count)
        memcpy(ring, self->ring + self->begin, self->count * sizeof *ring);
    free(self->ring);
    self->ring = ring;
    self->begin = 0;
    self->capacity = capacity;
    return true;
}

void fob_cache_trim(fob_cache_t *self) {
    while (self->count && self->bytes > self->max_bytes && !self->ring[self->begin]->pinned) {
        fob_sheet_t *oldest = self->ring[self->begin++];
        self->count--;
        self->bytes -= fob_sheet_weight(oldest);
        fob_sheet_unref(self->pool, oldest);
    }
    if (self->count == 0)
        self->begin = 0;
}

void fob_cache_add(fob_cache_t *self, fob_sheet_t *sheet) {
    assert(self->begin + self->count < self->capacity);
    assert(self->count == 0 || self->ring[self->begin + self->count - 1]->first_offset +
                                       self->ring[self->begin + self->count - 1]->count ==
                                   sheet->first_offset);
    self->ring[self->begin + self->count++] = fob_sheet_ref(sheet);
    self->bytes += fob_sheet_weight(sheet);
    fob_cache_trim(self);
}

/* The batch among ascending ones without holes that holds the offset, which is not below the first.
 */
static fob_sheet_t *search(fob_sheet_t **sheets, size_t count, uint64_t offset) {
    size_t low = 0, high = count;
    fob_sheet_t *last = sheets[count - 1];
    if (offset >= last->first_offset)
        return offset - last->first_offset < last->count ? last : NULL;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (sheets[middle]->first_offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return sheets[low];
}

fob_cache_answer_t fob_cache_find(fob_cache_t *self, uint64_t offset, fob_sheet_t **sheet,
                                  uint64_t *end) {
    if (self->count && offset >= self->ring[self->begin]->first_offset) {
        *sheet = search(self->ring + self->begin, self->count, offset);
        return *sheet ? FOB_CACHE_HIT : FOB_CACHE_MISS;
    }
    for (uint32_t i = 0; i < self->stretch_count; i++) {
        fob_stretch_t *s = &self->stretches[i];
        if (s->state < FOB_STRETCH_HERE || offset < s->from || offset >= s->end)
            continue;
        s->used = ++self->clock;
        *end = s->end;
        if (s->state == FOB_STRETCH_HOLE)
            return FOB_CACHE_HOLE;
        *sheet = search(s->sheets, s->count, offset);
        return FOB_CACHE_HIT;
    }
    return FOB_CACHE_MISS;
}

/* --- what was read back --- */

static fob_stretch_t *place_for(fob_cache_t *self) {
    fob_stretch_t *best = NULL;
    for (uint32_t i = 0; i < self->stretch_count; i++) {
        fob_stretch_t *s = &self->stretches[i];
        if (s->state == FOB_STRETCH_FREE)
            return s;
        /* The one found last is being read from just now. */
        if (s->state != FOB_STRETCH_ASKED && s->came != self->takes && s->used != self->clock &&
            (!best || s->used < best->used))
            best = s;
    }
    return best;
}

fob_ask_t fob_cache_ask(fob_cache_t *self, uint64_t offset) {
    for (uint32_t i = 0; i < self->stretch_count; i++) {
        const fob_stretch_t *s = &self->stretches[i];
        /* An answer holds at least a few events: most probably this one is among them. */
        if (s->state == FOB_STRETCH_ASKED && offset >= s->asked && offset - s->asked < 64)
            return FOB_ASK_WAITS;
    }
    if (self->asked >= self->stretch_count / 2)
        return FOB_ASK_WAITS;
    fob_stretch_t *place = place_for(self);
    if (!place)
        return FOB_ASK_LATER;
    empty(self, place);
    place->state = FOB_STRETCH_ASKED;
    place->asked = offset;
    place->from = place->end = 0;
    place->cut = false;
    self->asked++;
    return FOB_ASK_NOW;
}

static fob_stretch_t *find_asked(fob_cache_t *self, uint64_t asked) {
    for (uint32_t i = 0; i < self->stretch_count; i++) {
        fob_stretch_t *s = &self->stretches[i];
        if (s->state == FOB_STRETCH_ASKED && s->asked == asked)
            return s;
    }
    return NULL;
}

static void settle_answer(fob_cache_t *self, fob_stretch_t *s, fob_stretch_state_t state) {
    s->state = state;
    s->used = ++self->clock;
    s->came = self->takes;
    self->asked--;
    if (state != FOB_STRETCH_HERE)
        empty(self, s);
}

static void set_hole(fob_stretch_t *s, uint64_t from, uint64_t end) {
    s->from = from;
    s->end = end;
    s->cut = true;
}

static bool append(fob_stretch_t *s, fob_sheet_t *sheet) {
    if (s->count == s->capacity) {
        uint32_t capacity = s->capacity ? s->capacity * 2 : 64;
        fob_sheet_t **grown = realloc(s->sheets, capacity * sizeof *grown);
        if (!grown)
            return false;
        s->sheets = grown;
        s->capacity = capacity;
    }
    if (s->count == 0)
        s->from = sheet->first_offset;
    s->sheets[s->count++] = sheet;
    s->end = sheet->first_offset + sheet->count;
    return true;
}

/* The first record of an answer should hold the offset asked for: what is before it cannot be had.
 */
static bool first_is_late(const fob_stretch_t *s, uint64_t first) {
    return s->count == 0 && first > s->asked;
}

static bool take_record(fob_stretch_t *s, fob_sheet_t *sheet, uint64_t first, uint64_t count) {
    if (s->cut || (s->count && first != s->end) || (s->count == 0 && first + count <= s->asked))
        return false;
    if (first_is_late(s, first)) {
        set_hole(s, s->asked, first);
        return false;
    }
    if (!sheet) {
        if (s->count == 0)
            set_hole(s, first, first + count);
        s->cut = true;
        return false;
    }
    if (append(s, sheet))
        return true;
    s->cut = true;
    return false;
}

bool fob_cache_page(fob_cache_t *self, uint64_t asked, fob_sheet_t *sheet, uint64_t first,
                    uint64_t count, bool last) {
    fob_stretch_t *s = find_asked(self, asked);
    bool known = s != NULL, kept = known && take_record(s, sheet, first, count);
    if (sheet && !kept)
        fob_sheet_unref(self->pool, sheet);
    if (!known || !last)
        return known;
    if (s->count)
        settle_answer(self, s, FOB_STRETCH_HERE);
    else if (s->end > s->from)
        settle_answer(self, s, FOB_STRETCH_HOLE);
    else
        settle_answer(self, s, FOB_STRETCH_FREE); /* no memory for it: it is asked for again */
    return true;
}

uint64_t fob_cache_bytes(const fob_cache_t *self) {
    uint64_t bytes = self->bytes;
    for (uint32_t i = 0; i < self->stretch_count; i++) {
        for (uint32_t k = 0; k < self->stretches[i].count; k++)
            bytes += fob_sheet_weight(self->stretches[i].sheets[k]);
    }
    return bytes;
}
