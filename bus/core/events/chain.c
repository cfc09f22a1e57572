#include "bus/core/events/chain.h"

#include "bus/core/durable/digest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 65536u

bool fob_chain_init(fob_chain_t *self, uint32_t max, size_t max_bytes) {
    *self = (fob_chain_t){.max = max, .max_bytes = max_bytes};
    self->buckets = calloc(BUCKETS, sizeof(fob_tail_t *));
    return self->buckets != NULL;
}

/* --- the lists --- */

static size_t weight(size_t name) {
    return sizeof(fob_tail_t) + name;
}

static uint32_t part_of(uint32_t hash) {
    return hash % FOB_CHAIN_PARTS;
}

static void unlink_kin(fob_chain_t *self, fob_tail_t *tail) {
    if (tail->kin_newer)
        tail->kin_newer->kin_older = tail->kin_older;
    else
        self->kin[part_of(tail->hash)] = tail->kin_older;
    if (tail->kin_older)
        tail->kin_older->kin_newer = tail->kin_newer;
}

static void link_kin(fob_chain_t *self, fob_tail_t *tail) {
    fob_tail_t **newest = &self->kin[part_of(tail->hash)];
    tail->kin_newer = NULL;
    tail->kin_older = *newest;
    if (*newest)
        (*newest)->kin_newer = tail;
    *newest = tail;
}

static void unlink_age(fob_chain_t *self, fob_tail_t *tail) {
    unlink_kin(self, tail);
    if (self->cursor == tail)
        self->cursor = tail->newer;
    if (self->sought == tail)
        self->sought = tail->newer;
    if (tail->newer)
        tail->newer->older = tail->older;
    else
        self->newest = tail->older;
    if (tail->older)
        tail->older->newer = tail->newer;
    else
        self->oldest = tail->newer;
}

static void link_newest(fob_chain_t *self, fob_tail_t *tail) {
    tail->newer = NULL;
    tail->older = self->newest;
    if (self->newest)
        self->newest->newer = tail;
    else
        self->oldest = tail;
    self->newest = tail;
    link_kin(self, tail);
}

static void forget_oldest(fob_chain_t *self) {
    fob_tail_t *tail = self->oldest;
    fob_tail_t **link = &self->buckets[tail->hash % BUCKETS];
    assert(!tail->older);
    while (*link != tail)
        link = &(*link)->chain;
    *link = tail->chain;
    self->floor = tail->last > self->floor ? tail->last : self->floor;
    unlink_age(self, tail);
    self->count--;
    self->bytes -= weight(tail->size);
    free(tail);
}

static void forget_all(fob_chain_t *self) {
    while (self->oldest)
        forget_oldest(self);
}

void fob_chain_free(fob_chain_t *self) {
    forget_all(self);
    free(self->buckets);
    *self = (fob_chain_t){0};
}

void fob_chain_begin(fob_chain_t *self, uint64_t head) {
    forget_all(self);
    self->floor = head;
    self->told = 0;
}

void fob_chain_start(fob_chain_t *self) {
    for (fob_tail_t *tail = self->oldest; tail; tail = tail->newer)
        tail->count = tail->born = 0;
}

/* --- topics --- */

static uint32_t hash_of(fob_slice_t topic) {
    return (uint32_t)fob_digest(topic.data, topic.size);
}

uint32_t fob_chain_part(fob_slice_t topic) {
    return part_of(hash_of(topic));
}

static fob_tail_t *find(const fob_chain_t *self, fob_slice_t topic, uint32_t hash) {
    fob_tail_t *tail = self->buckets[hash % BUCKETS];
    while (tail && !(tail->hash == hash && tail->size == topic.size &&
                     memcmp(tail->bytes, topic.data, topic.size) == 0))
        tail = tail->chain;
    return tail;
}

const fob_tail_t *fob_chain_find(const fob_chain_t *self, fob_slice_t topic) {
    return find(self, topic, hash_of(topic));
}

/* NULL: no memory. */
static fob_tail_t *add(fob_chain_t *self, fob_slice_t topic, uint32_t hash) {
    while (self->oldest &&
           (self->count >= self->max || self->bytes + weight(topic.size) > self->max_bytes))
        forget_oldest(self);
    fob_tail_t *tail = malloc(weight(topic.size));
    if (!tail)
        return NULL;
    *tail = (fob_tail_t){
        .chain = self->buckets[hash % BUCKETS], .hash = hash, .size = (uint8_t)topic.size};
    tail->last = self->floor;
    memcpy(tail->bytes, topic.data, topic.size);
    self->buckets[hash % BUCKETS] = tail;
    self->count++;
    self->bytes += weight(topic.size);
    return tail;
}

fob_linked_t fob_chain_link(fob_chain_t *self, fob_slice_t topic, uint64_t offset, uint32_t count) {
    uint64_t last = offset + count - 1;
    uint32_t hash = hash_of(topic);
    fob_tail_t *tail = find(self, topic, hash);
    assert(!self->newest || self->newest->last < offset);
    if (tail)
        unlink_age(self, tail);
    else
        tail = add(self, topic, hash);
    if (!tail) {
        fob_linked_t link = {.prev = self->floor, .nth = 1, .born = offset};
        self->floor = last;
        return link;
    }
    if (tail->count == 0)
        tail->born = offset;
    fob_linked_t link = {.prev = tail->last, .nth = tail->count + 1, .born = tail->born};
    tail->last = last;
    tail->count += count;
    link_newest(self, tail);
    return link;
}

/* --- recovery --- */

void fob_chain_vouch(fob_chain_t *self, uint64_t floor) {
    self->floor = floor;
}

void fob_chain_put(fob_chain_t *self, fob_slice_t topic, uint64_t last) {
    (void)fob_chain_link(self, topic, last, 1);
}

/* --- walking --- */

void fob_chain_walk(fob_chain_t *self) {
    self->cursor = self->oldest;
}

const fob_tail_t *fob_chain_next(fob_chain_t *self) {
    const fob_tail_t *tail = self->cursor;
    if (tail)
        self->cursor = tail->newer;
    return tail;
}

void fob_chain_seek(fob_chain_t *self, uint64_t from) {
    if (!self->sought || self->sought->last > from)
        self->sought = self->oldest;
}

const fob_tail_t *fob_chain_sought(const fob_chain_t *self) {
    return self->sought;
}

void fob_chain_pass(fob_chain_t *self) {
    if (self->sought)
        self->sought = self->sought->newer;
}
