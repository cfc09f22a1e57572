#include "bus/core/turn.h"

#include "bus/core/table/room.h"

#include <assert.h>
#include <stdlib.h>

#define CHUNK_SIZE  ((size_t)256 * 1024)
#define CHUNKS_KEPT 2
#define ITEMS_KEPT  8192 /* of each array; a turn that grew beyond gives its memory back */

struct fob_chunk {
    fob_chunk_t *next;
    size_t used, size;
    _Alignas(8) uint8_t data[];
};

static fob_chunk_t *chunk_new(size_t size) {
    fob_chunk_t *self = malloc(sizeof *self + size);
    if (self)
        *self = (fob_chunk_t){.size = size};
    return self;
}

fob_open_turn_t *fob_turn_new(void) {
    return calloc(1, sizeof(fob_open_turn_t));
}

void fob_turn_free(fob_open_turn_t *self) {
    if (!self)
        return;
    fob_turn_clear(self);
    while (self->chunks) {
        fob_chunk_t *next = self->chunks->next;
        free(self->chunks);
        self->chunks = next;
    }
    free(self->records);
    free(self->effects);
    free(self->blobs);
    free(self->sheets);
    free(self);
}

/* `items_p` points to a pointer of any type: its bytes are copied in and out. */
static void trim_array(void *items_p, size_t *capacity) {
    if (*capacity <= ITEMS_KEPT)
        return;
    void *items;
    memcpy(&items, items_p, sizeof items);
    free(items);
    items = NULL;
    memcpy(items_p, &items, sizeof items);
    *capacity = 0;
}

void fob_turn_clear(fob_open_turn_t *self) {
    for (size_t i = 0; i < self->blob_count; i++)
        fob_blob_unref(&self->blobs[i]);
    self->record_count = self->effect_count = self->blob_count = self->sheet_count = 0;
    self->record_begun = 0;
    self->bytes = 0;
    trim_array(&self->records, &self->record_capacity);
    trim_array(&self->effects, &self->effect_capacity);
    trim_array(&self->blobs, &self->blob_capacity);
    trim_array(&self->sheets, &self->sheet_capacity);
    size_t kept = 0;
    for (fob_chunk_t **link = &self->chunks; *link;) {
        fob_chunk_t *chunk = *link;
        chunk->used = 0;
        if (chunk->size == CHUNK_SIZE && kept < CHUNKS_KEPT) {
            kept++;
            link = &chunk->next;
        } else {
            *link = chunk->next;
            free(chunk);
        }
    }
    self->chunk = self->chunks;
    self->lent = (fob_turn_t){0};
}

static fob_chunk_t *chunk_with(fob_open_turn_t *self, size_t size) {
    fob_chunk_t *chunk = self->chunk;
    while (chunk && chunk->size - chunk->used < size)
        chunk = chunk->next;
    if (!chunk) {
        chunk = chunk_new(size > CHUNK_SIZE ? size : CHUNK_SIZE);
        if (!chunk)
            return NULL;
        if (self->chunk) {
            chunk->next = self->chunk->next;
            self->chunk->next = chunk;
        } else {
            self->chunks = chunk;
        }
    }
    self->chunk = chunk;
    return chunk;
}

uint8_t *fob_turn_bytes(fob_open_turn_t *self, size_t size) {
    size_t rounded = (size + 7) & ~(size_t)7;
    fob_chunk_t *chunk = chunk_with(self, rounded);
    if (!chunk)
        return NULL;
    uint8_t *bytes = chunk->data + chunk->used;
    chunk->used += rounded;
    return bytes;
}

void fob_turn_shrink(fob_open_turn_t *self, const uint8_t *bytes, size_t from, size_t to) {
    size_t before = (from + 7) & ~(size_t)7, after = (to + 7) & ~(size_t)7;
    fob_chunk_t *chunk = self->chunk;
    assert(after <= before);
    if (chunk && bytes + before == chunk->data + chunk->used)
        chunk->used -= before - after;
}

fob_slice_t fob_turn_copy(fob_open_turn_t *self, fob_slice_t bytes) {
    if (bytes.size == 0)
        return (fob_slice_t){0};
    uint8_t *copy = fob_turn_bytes(self, bytes.size);
    if (copy)
        memcpy(copy, bytes.data, bytes.size);
    return fob_slice(copy, bytes.size);
}

bool fob_turn_reserve(fob_open_turn_t *self, size_t records, size_t effects, size_t blobs,
                      size_t sheets) {
    return fob_room(&self->records, &self->record_capacity,
                    self->record_count + self->record_begun + records, sizeof *self->records) &&
           fob_room(&self->effects, &self->effect_capacity, self->effect_count + effects,
                    sizeof *self->effects) &&
           fob_room(&self->blobs, &self->blob_capacity, self->blob_count + blobs,
                    sizeof *self->blobs) &&
           fob_room(&self->sheets, &self->sheet_capacity, self->sheet_count + sheets,
                    sizeof *self->sheets);
}

fob_effect_t *fob_turn_effect(fob_open_turn_t *self, fob_effect_kind_t kind) {
    assert(self->effect_count < self->effect_capacity);
    fob_effect_t *effect = &self->effects[self->effect_count++];
    *effect = (fob_effect_t){.kind = kind};
    return effect;
}

void fob_turn_record(fob_open_turn_t *self, fob_slice_t head, fob_blob_t *body,
                     uint64_t first_offset, uint32_t count) {
    assert(self->record_count < self->record_capacity);
    self->records[self->record_count++] = (fob_record_t){head, body, first_offset, count};
    self->bytes += head.size;
    if (body) {
        self->bytes += fob_blob_slice(body).size;
        fob_turn_hold(self, body);
    }
}

void fob_turn_hold(fob_open_turn_t *self, fob_blob_t *blob) {
    if (self->blob_count && self->blobs[self->blob_count - 1] == blob)
        return;
    assert(self->blob_count < self->blob_capacity);
    self->blobs[self->blob_count++] = fob_blob_ref(blob);
}
