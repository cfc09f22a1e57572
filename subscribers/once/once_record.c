#include "subscribers/once/once_record.h"

#include <assert.h>
#include <endian.h>
#include <fob/fob_once.h>
#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

static void put32(uint8_t *out, uint32_t value) {
    value = htole32(value);
    memcpy(out, &value, sizeof value);
}

static void put64(uint8_t *out, uint64_t value) {
    value = htole64(value);
    memcpy(out, &value, sizeof value);
}

static uint32_t get32(const uint8_t *in) {
    uint32_t value;
    memcpy(&value, in, sizeof value);
    return le32toh(value);
}

static uint64_t get64(const uint8_t *in) {
    uint64_t value;
    memcpy(&value, in, sizeof value);
    return le64toh(value);
}

size_t fob_once_record_size(const fob_once_record_t *self) {
    return FOB_ONCE_HEAD_SIZE + self->key.size + self->result.size;
}

/* The head's fields go in as the seed of the rest. */
static uint64_t checksum(const uint8_t *bytes, size_t size) {
    return XXH3_64bits_withSeed(bytes + FOB_ONCE_HEAD_SIZE, size - FOB_ONCE_HEAD_SIZE,
                                XXH3_64bits(bytes, 24));
}

void fob_once_record_write(const fob_once_record_t *self, uint8_t *out) {
    assert(self->key.size <= FOB_ONCE_KEY_MAX && self->result.size <= FOB_ONCE_RESULT_MAX);
    put64(out, self->sequence);
    put64(out + 8, (uint64_t)self->time_ms);
    put32(out + 16, (uint32_t)self->key.size);
    put32(out + 20, (uint32_t)self->result.size);
    if (self->key.size > 0)
        memcpy(out + FOB_ONCE_HEAD_SIZE, self->key.data, self->key.size);
    if (self->result.size > 0)
        memcpy(out + FOB_ONCE_HEAD_SIZE + self->key.size, self->result.data, self->result.size);
    put64(out + 24, checksum(out, fob_once_record_size(self)));
}

bool fob_once_record_read(fob_once_record_t *self, fob_slice_t bytes) {
    if (bytes.size < FOB_ONCE_HEAD_SIZE)
        return false;
    uint64_t key_size = get32(bytes.data + 16), result_size = get32(bytes.data + 20);
    if (FOB_ONCE_HEAD_SIZE + key_size + result_size != bytes.size ||
        get64(bytes.data + 24) != checksum(bytes.data, bytes.size))
        return false;
    const uint8_t *body = bytes.data + FOB_ONCE_HEAD_SIZE;
    *self = (fob_once_record_t){
        .sequence = get64(bytes.data),
        .time_ms = (int64_t)get64(bytes.data + 8),
        .key = fob_slice(body, key_size),
        .result = fob_slice(body + key_size, result_size),
    };
    return true;
}

void fob_once_hash(fob_slice_t key, uint8_t out[FOB_ONCE_HASH_SIZE]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(key.data, key.size));
    memcpy(out, canonical.digest, FOB_ONCE_HASH_SIZE);
}

void fob_once_sequence_write(uint64_t sequence, uint8_t out[8]) {
    sequence = htobe64(sequence);
    memcpy(out, &sequence, sizeof sequence);
}

uint64_t fob_once_sequence_read(const uint8_t in[8]) {
    uint64_t sequence;
    memcpy(&sequence, in, sizeof sequence);
    return be64toh(sequence);
}

void fob_once_entry_write(const uint8_t hash[FOB_ONCE_HASH_SIZE], int64_t time_ms,
                          uint8_t out[FOB_ONCE_ENTRY_SIZE]) {
    memcpy(out, hash, FOB_ONCE_HASH_SIZE);
    put64(out + FOB_ONCE_HASH_SIZE, (uint64_t)time_ms);
}

int64_t fob_once_entry_time(const uint8_t in[FOB_ONCE_ENTRY_SIZE]) {
    return (int64_t)get64(in + FOB_ONCE_HASH_SIZE);
}

/* Appends a part and the zero byte that ends it; one that does not fit stands as its hash. Names
 * are at most 255 bytes, so none of them ever does. */
static size_t put_part(char *key, size_t at, size_t room, const char *text) {
    size_t size = strlen(text);
    uint8_t hash[FOB_ONCE_HASH_SIZE];
    const void *part = text;
    if (size >= room) {
        fob_once_hash(fob_slice_str(text), hash);
        part = hash;
        size = sizeof hash;
    }
    memcpy(key + at, part, size);
    key[at + size] = '\0';
    return at + size + 1;
}

size_t fob_once_key_of(const fob_event_t *event, const char *group, char *key) {
    char place[64], when[32];
    const char *id = fob_event_id(event);
    size_t at = put_part(key, 0, 256, group);
    at = put_part(key, at, 256, fob_event_topic(event));
    at = put_part(key, at, 256, id);
    snprintf(place, sizeof place, "%" PRIu32 "-%" PRIu64, fob_event_shard(event),
             fob_event_offset(event));
    if (strcmp(id, place) != 0)
        return at;
    snprintf(when, sizeof when, "%" PRId64, fob_event_time(event));
    return put_part(key, at, 256, when);
}
