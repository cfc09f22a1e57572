#include "bus/fetch/line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

void fob_line_free(fob_line_t *self) {
    assert(!self->first);
    free(self->slots);
    *self = (fob_line_t){0};
}

bool fob_line_room(fob_line_t *self, uint64_t conn) {
    uint32_t slot = (uint32_t)conn;
    size_t count = self->slot_count ? self->slot_count : FIRST_SLOTS;
    if (slot < self->slot_count)
        return true;
    while (count <= slot)
        count *= 2;
    fob_waiter_t **slots = realloc(self->slots, count * sizeof *slots);
    if (!slots)
        return false;
    memset(slots + self->slot_count, 0, (count - self->slot_count) * sizeof *slots);
    self->slots = slots;
    self->slot_count = count;
    return true;
}

fob_waiter_t *fob_line_of(const fob_line_t *self, uint64_t conn) {
    uint32_t slot = (uint32_t)conn;
    fob_waiter_t *waiter = slot < self->slot_count ? self->slots[slot] : NULL;
    return waiter && waiter->conn == conn ? waiter : NULL;
}

static void enqueue(fob_line_t *self, fob_waiter_t *waiter) {
    waiter->before = self->last;
    waiter->behind = NULL;
    if (self->last)
        self->last->behind = waiter;
    else
        self->first = waiter;
    self->last = waiter;
}

static void dequeue(fob_line_t *self, fob_waiter_t *waiter) {
    if (waiter->before)
        waiter->before->behind = waiter->behind;
    else
        self->first = waiter->behind;
    if (waiter->behind)
        waiter->behind->before = waiter->before;
    else
        self->last = waiter->before;
}

void fob_line_add(fob_line_t *self, fob_waiter_t *waiter) {
    fob_waiter_t **slot = &self->slots[(uint32_t)waiter->conn];
    assert(!*slot);
    *slot = waiter;
    enqueue(self, waiter);
    self->count++;
}

void fob_line_remove(fob_line_t *self, fob_waiter_t *waiter) {
    dequeue(self, waiter);
    self->slots[(uint32_t)waiter->conn] = NULL;
    self->count--;
}

void fob_line_turn(fob_line_t *self, fob_waiter_t *waiter) {
    dequeue(self, waiter);
    enqueue(self, waiter);
}
