#include "sim_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096u

static void *got(void *memory) {
    if (memory == NULL)
        abort(); /* a test's disk, not the journal */
    return memory;
}

sim_file_t *sim_file_new(uint64_t inode, bool folder) {
    sim_file_t *self = got(calloc(1, sizeof *self));
    self->inode = inode;
    self->folder = folder;
    self->refs = 1;
    return self;
}

void sim_file_hold(sim_file_t *self) {
    self->refs++;
}

void sim_file_release(sim_file_t *self) {
    assert(self->refs > 0);
    if (--self->refs > 0)
        return;
    free(self->bytes);
    free(self->durable);
    free(self->sectors);
    free(self);
}

uint64_t sim_file_room(uint64_t size) {
    return (size + BLOCK - 1) / BLOCK * BLOCK;
}

/* What is new is zeros. */
static uint8_t *grown(uint8_t *memory, uint64_t before, uint64_t after) {
    memory = got(realloc(memory, after));
    memset(memory + before, 0, after - before);
    return memory;
}

void sim_file_extend(sim_file_t *self, uint64_t size) {
    if (size <= self->size)
        return;
    uint64_t capacity = sim_file_room(size), before = self->capacity;
    if (capacity > before) {
        self->bytes = grown(self->bytes, before, capacity);
        self->durable = grown(self->durable, before, capacity);
        self->sectors = grown(self->sectors, before / SIM_SECTOR, capacity / SIM_SECTOR);
        self->capacity = capacity;
    }
    self->size = size;
}

void sim_file_truncate(sim_file_t *self) {
    for (uint64_t at = 0; at < self->size; at += SIM_SECTOR)
        self->sectors[at / SIM_SECTOR] = SIM_DIRTY;
    if (self->size > 0)
        memset(self->bytes, 0, self->size);
    self->size = 0;
}

void sim_file_write(sim_file_t *self, uint64_t at, const void *data, size_t size) {
    if (size == 0)
        return;
    sim_file_extend(self, at + size);
    memcpy(self->bytes + at, data, size);
    memset(self->sectors + at / SIM_SECTOR, SIM_DIRTY,
           (at + size - 1) / SIM_SECTOR - at / SIM_SECTOR + 1);
}

static void copy_sector(sim_file_t *self, uint64_t at) {
    memcpy(self->durable + at, self->bytes + at, SIM_SECTOR);
}

void sim_file_sync(sim_file_t *self) {
    for (uint64_t at = 0; at < self->capacity; at += SIM_SECTOR) {
        if (self->sectors[at / SIM_SECTOR] != SIM_DIRTY)
            continue;
        copy_sector(self, at);
        self->sectors[at / SIM_SECTOR] = SIM_CLEAN;
    }
    self->synced = self->size;
}

void sim_file_sync_failed(sim_file_t *self) {
    for (uint64_t at = 0; at < self->capacity; at += SIM_SECTOR)
        if (self->sectors[at / SIM_SECTOR] == SIM_DIRTY)
            self->sectors[at / SIM_SECTOR] = SIM_LOST;
}

static sim_file_t *copied(const sim_file_t *self, uint64_t size) {
    sim_file_t *copy = sim_file_new(self->inode, self->folder);
    sim_file_extend(copy, size);
    return copy;
}

/* What is on disk of a sector that was not synced. */
static void settle(uint8_t *out, const uint8_t *now, const uint8_t *durable, sim_random_t *random) {
    switch (sim_random_below(random, 3)) {
    case 0:
        memcpy(out, now, SIM_SECTOR);
        break;
    case 1:
        memcpy(out, durable, SIM_SECTOR);
        break;
    default:
        sim_random_fill(random, out, SIM_SECTOR);
        for (size_t i = 0; i < SIM_SECTOR; i++)
            if (now[i] == durable[i])
                out[i] = now[i];
    }
}

sim_file_t *sim_file_after_crash(const sim_file_t *self, sim_random_t *random) {
    /* Most crashes lose all or little: a mix of each sector alone would hardly ever leave a whole
     * commit. */
    uint64_t mood = sim_random_below(random, 4);
    bool grown = sim_random_once(random, 2);
    sim_file_t *copy = copied(self, grown ? self->size : self->synced);
    for (uint64_t at = 0; at < copy->size; at += SIM_SECTOR) {
        const uint8_t *now = self->bytes + at, *durable = self->durable + at;
        uint8_t *out = copy->bytes + at;
        bool alone = mood == 2 || (mood == 3 && sim_random_once(random, 8));
        if (self->sectors[at / SIM_SECTOR] == SIM_CLEAN || (!alone && mood == 1))
            memcpy(out, durable, SIM_SECTOR);
        else if (alone)
            settle(out, now, durable, random);
        else
            memcpy(out, now, SIM_SECTOR);
    }
    if (copy->size % SIM_SECTOR != 0) /* nothing behind the end */
        memset(copy->bytes + copy->size, 0, SIM_SECTOR - copy->size % SIM_SECTOR);
    if (copy->size > 0)
        memcpy(copy->durable, copy->bytes, copy->capacity);
    copy->synced = copy->size;
    return copy;
}

sim_file_t *sim_file_after_kill(const sim_file_t *self, sim_random_t *random) {
    sim_file_t *copy = copied(self, self->size);
    copy->synced = self->synced < self->size ? self->synced : self->size;
    if (self->size == 0)
        return copy;
    memcpy(copy->bytes, self->bytes, copy->capacity);
    memcpy(copy->durable, self->durable, copy->capacity);
    memcpy(copy->sectors, self->sectors, copy->capacity / SIM_SECTOR);
    for (uint64_t at = 0; at < copy->capacity; at += SIM_SECTOR) {
        uint8_t *sector = &copy->sectors[at / SIM_SECTOR];
        if (*sector != SIM_LOST || sim_random_once(random, 2))
            continue;
        memcpy(copy->bytes + at, copy->durable + at, SIM_SECTOR);
        *sector = SIM_CLEAN;
    }
    return copy;
}
