#include "bus/core/group/back.h"

#include "proto/planted.h"

#include <assert.h>
#include <stdlib.h>

void fob_back_free(fob_back_t *self) {
    free(self->slab);
    free(self->ready.items);
    free(self->delayed.items);
    free(self->go.items);
    fob_map64_free(&self->map);
    fob_lows_free(&self->lows);
    *self = (fob_back_t){0};
}

static bool grow_items(fob_back_heap_t *heap, size_t capacity) {
    uint32_t *items = realloc(heap->items, capacity * sizeof *items);
    if (items)
        heap->items = items;
    return items != NULL;
}

static bool there(const void *owner, const fob_low_t *low) {
    const fob_back_t *self = owner;
    return fob_map64_get(&self->map, low->offset) != FOB_MAP64_NONE &&
           !(self->moved && fob_moved_has(self->moved, low->offset));
}

/* Each heap has as much room as the slab, so that moving between them cannot fail. */
bool fob_back_reserve(fob_back_t *self, size_t more) {
    if (!fob_map64_reserve(&self->map, more) ||
        !fob_lows_reserve(&self->lows, more, self->count, there, self))
        return false;
    size_t want = (size_t)self->count + more;
    if (want <= self->capacity)
        return true;
    size_t capacity = self->capacity ? self->capacity : 16;
    while (capacity < want)
        capacity *= 2;
    if (!grow_items(&self->ready, capacity) || !grow_items(&self->delayed, capacity) ||
        (self->order && !grow_items(&self->go, capacity)))
        return false;
    fob_back_entry_t *slab = realloc(self->slab, capacity * sizeof *slab);
    if (!slab)
        return false;
    self->slab = slab;
    self->capacity = (uint32_t)capacity;
    return true;
}

/* --- heaps --- */

static bool before(const fob_back_t *self, const fob_back_heap_t *heap, uint32_t a, uint32_t b) {
    const fob_back_entry_t *x = &self->slab[a], *y = &self->slab[b];
    if (heap == &self->delayed && x->due_ns != y->due_ns)
        return x->due_ns < y->due_ns;
    if (heap == &self->ready && x->priority != y->priority)
        return x->priority > y->priority;
    if (heap == &self->go && self->order == FOB_BACK_LOWEST && x->priority != y->priority)
        return x->priority < y->priority;
    return FOB_PLANTED(BACK_REVERSED) ? x->offset > y->offset : x->offset < y->offset;
}

static uint32_t *place_in(fob_back_t *self, const fob_back_heap_t *heap, uint32_t item) {
    return heap == &self->go ? &self->slab[item].go_at : &self->slab[item].heap_at;
}

static void place(fob_back_t *self, fob_back_heap_t *heap, uint32_t at, uint32_t item) {
    heap->items[at] = item;
    *place_in(self, heap, item) = at;
}

static void sift_up(fob_back_t *self, fob_back_heap_t *heap, uint32_t at) {
    uint32_t item = heap->items[at];
    while (at > 0 && before(self, heap, item, heap->items[(at - 1) / 2])) {
        place(self, heap, at, heap->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(self, heap, at, item);
}

static void sift_down(fob_back_t *self, fob_back_heap_t *heap, uint32_t at) {
    uint32_t item = heap->items[at];
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            before(self, heap, heap->items[child + 1], heap->items[child]))
            child++;
        if (!before(self, heap, heap->items[child], item))
            break;
        place(self, heap, at, heap->items[child]);
        at = child;
    }
    place(self, heap, at, item);
}

static void heap_remove(fob_back_t *self, fob_back_heap_t *heap, uint32_t at) {
    uint32_t moved = heap->items[--heap->count];
    if (at == heap->count)
        return;
    place(self, heap, at, moved);
    sift_up(self, heap, at);
    sift_down(self, heap, *place_in(self, heap, moved));
}

static fob_back_heap_t *heap_of(fob_back_t *self, uint8_t state) {
    return state == FOB_BACK_READY     ? &self->ready
           : state == FOB_BACK_DELAYED ? &self->delayed
                                       : NULL;
}

static void heap_add(fob_back_t *self, fob_back_heap_t *heap, uint32_t item) {
    place(self, heap, heap->count++, item);
    sift_up(self, heap, *place_in(self, heap, item));
}

void fob_back_set(fob_back_t *self, fob_back_entry_t *entry, fob_back_state_t state,
                  int64_t due_ns) {
    assert(self && entry);
    uint32_t item = (uint32_t)(entry - self->slab);
    fob_back_heap_t *heap = heap_of(self, entry->state);
    if (heap)
        heap_remove(self, heap, entry->heap_at);
    if (entry->state == FOB_BACK_READY) {
        self->ready_by[entry->priority]--;
        if (self->order)
            heap_remove(self, &self->go, entry->go_at);
    }
    self->in_state[entry->state]--;
    self->in_state[state]++;
    entry->state = (uint8_t)state;
    entry->due_ns = due_ns;
    heap = heap_of(self, entry->state);
    if (heap)
        heap_add(self, heap, item);
    if (state == FOB_BACK_READY) {
        self->ready_by[entry->priority]++;
        if (self->order)
            heap_add(self, &self->go, item);
    }
}

/* Whether all that are ready have one priority: then the order of hand-outs is that of going too.
 */
static bool one_priority(const fob_back_t *self) {
    return !self->ready.count ||
           self->ready_by[self->slab[self->ready.items[0]].priority] == self->ready.count;
}

bool fob_back_order(fob_back_t *self, fob_back_order_t order) {
    if (self->order == order || one_priority(self))
        return true;
    if (!grow_items(&self->go, self->capacity))
        return false;
    self->order = (uint8_t)order;
    self->go.count = 0;
    for (uint32_t i = 0; i < self->ready.count; i++)
        heap_add(self, &self->go, self->ready.items[i]);
    return true;
}

fob_back_entry_t *fob_back_first_to_go(const fob_back_t *self) {
    if (one_priority(self) || !self->order)
        return fob_back_ready(self);
    return &self->slab[self->go.items[0]];
}

/* --- entries --- */

fob_back_entry_t *fob_back_add(fob_back_t *self, uint64_t offset) {
    uint32_t at;
    if (self->free) {
        at = self->free - 1;
        self->free = self->slab[at].heap_at;
    } else {
        assert(self->used < self->capacity);
        at = self->used++;
    }
    self->slab[at] = (fob_back_entry_t){.offset = offset};
    fob_map64_put(&self->map, offset, at);
    fob_lows_push(&self->lows, (fob_low_t){.offset = offset});
    self->count++;
    self->in_state[FOB_BACK_IDLE]++;
    return &self->slab[at];
}

fob_back_entry_t *fob_back_find(const fob_back_t *self, uint64_t offset) {
    uint32_t at = fob_map64_get(&self->map, offset);
    return at == FOB_MAP64_NONE ? NULL : &self->slab[at];
}

void fob_back_remove(fob_back_t *self, fob_back_entry_t *entry) {
    fob_back_set(self, entry, FOB_BACK_IDLE, 0);
    self->in_state[FOB_BACK_IDLE]--;
    fob_map64_remove(&self->map, entry->offset);
    self->count--;
    entry->offset = 0;
    entry->heap_at = self->free;
    self->free = (uint32_t)(entry - self->slab) + 1;
}

fob_back_entry_t *fob_back_ready(const fob_back_t *self) {
    return self->ready.count ? &self->slab[self->ready.items[0]] : NULL;
}

fob_back_entry_t *fob_back_delayed(const fob_back_t *self) {
    return self->delayed.count ? &self->slab[self->delayed.items[0]] : NULL;
}

fob_back_entry_t *fob_back_next(const fob_back_t *self, uint32_t *at) {
    while (*at < self->used) {
        fob_back_entry_t *entry = &self->slab[(*at)++];
        if (entry->offset)
            return entry;
    }
    return NULL;
}

uint64_t fob_back_lowest(fob_back_t *self) {
    return fob_lows_first(&self->lows, there, self);
}
