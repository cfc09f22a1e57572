#include "bus/fetch/line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

void fob_line_free(fob_line_t *self) {
    assert(self->count == 0);
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

/* --- the queues --- */

static void enqueue(fob_queue_t *queue, fob_waiter_t *waiter) {
    waiter->before = queue->last;
    waiter->behind = NULL;
    if (queue->last)
        queue->last->behind = waiter;
    else
        queue->first = waiter;
    queue->last = waiter;
}

static void dequeue(fob_queue_t *queue, fob_waiter_t *waiter) {
    if (waiter->before)
        waiter->before->behind = waiter->behind;
    else
        queue->first = waiter->behind;
    if (waiter->behind)
        waiter->behind->before = waiter->before;
    else
        queue->last = waiter->before;
}

/* Out of where it stands. */
static void leave(fob_line_t *self, fob_waiter_t *waiter) {
    dequeue(waiter->aside ? &self->aside : &self->turns, waiter);
    if (!waiter->aside)
        fob_treap_remove(&self->wants, &waiter->node);
}

static void step_aside(fob_line_t *self, fob_waiter_t *waiter) {
    waiter->aside = true;
    enqueue(&self->aside, waiter);
}

/* --- who waits --- */

void fob_line_add(fob_line_t *self, fob_waiter_t *waiter) {
    fob_waiter_t **slot = &self->slots[(uint32_t)waiter->conn];
    assert(!*slot);
    *slot = waiter;
    self->count++;
    step_aside(self, waiter);
}

void fob_line_remove(fob_line_t *self, fob_waiter_t *waiter) {
    leave(self, waiter);
    self->slots[(uint32_t)waiter->conn] = NULL;
    self->count--;
}

void fob_line_turn(fob_line_t *self, fob_waiter_t *waiter, uint64_t want) {
    leave(self, waiter);
    waiter->aside = false;
    waiter->node.key = want;
    waiter->node.turn = ++self->turn;
    enqueue(&self->turns, waiter);
    fob_treap_add(&self->wants, &waiter->node);
}

void fob_line_want(fob_line_t *self, fob_waiter_t *waiter, uint64_t want) {
    assert(!waiter->aside);
    fob_treap_remove(&self->wants, &waiter->node);
    waiter->node.key = want;
    fob_treap_add(&self->wants, &waiter->node);
}

void fob_line_set_aside(fob_line_t *self, fob_waiter_t *waiter) {
    leave(self, waiter);
    step_aside(self, waiter);
}

fob_waiter_t *fob_line_within(const fob_line_t *self, uint64_t from, uint64_t end) {
    fob_node_t *node = fob_treap_from(&self->wants, from);
    return node && node->key < end ? (fob_waiter_t *)(void *)node : NULL;
}
