#include "bus/core/publish/refusal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void fob_refusals_free(fob_refusals_t *self) {
    for (uint32_t i = 0; i < self->used; i++)
        free(self->slab[i].closed);
    free(self->slab);
    free(self->draft.closed);
    fob_map64_free(&self->by_conn);
    *self = (fob_refusals_t){0};
}

const fob_refusal_t *fob_refusals_find(const fob_refusals_t *self, uint64_t conn,
                                       const uint8_t *session) {
    uint32_t at = self->used ? fob_map64_get(&self->by_conn, conn) : FOB_MAP64_NONE;
    if (at == FOB_MAP64_NONE)
        return NULL;
    const fob_refusal_t *refusal = &self->slab[at];
    return memcmp(refusal->session, session, FOB_SESSION_SIZE) == 0 ? refusal : NULL;
}

/* Everything but the room for closed topics, which each keeps. */
static void copy(fob_refusal_t *to, const fob_refusal_t *from) {
    fob_closed_t *closed = to->closed;
    uint32_t capacity = to->capacity;
    assert(from->count <= capacity);
    *to = *from;
    to->closed = closed;
    to->capacity = capacity;
    if (from->count)
        memcpy(closed, from->closed, from->count * sizeof *closed);
}

static bool grow(fob_refusal_t *self, uint32_t capacity) {
    if (capacity <= self->capacity)
        return true;
    fob_closed_t *closed = realloc(self->closed, capacity * sizeof *closed);
    if (!closed)
        return false;
    self->closed = closed;
    self->capacity = capacity;
    return true;
}

fob_refusal_t *fob_refusals_draft(fob_refusals_t *self, uint64_t conn, const uint8_t *session) {
    fob_refusal_t *draft = &self->draft;
    if (!grow(draft, FOB_CLOSED_MAX))
        return NULL;
    const fob_refusal_t *known = fob_refusals_find(self, conn, session);
    copy(draft, known ? known : &(fob_refusal_t){.shut = FOB_OK});
    memcpy(draft->session, session, FOB_SESSION_SIZE);
    return draft;
}

static bool more_places(fob_refusals_t *self) {
    uint32_t capacity = self->capacity ? self->capacity * 2 : 16;
    fob_refusal_t *slab = realloc(self->slab, capacity * sizeof *slab);
    if (!slab)
        return false;
    memset(slab + self->capacity, 0, (capacity - self->capacity) * sizeof *slab);
    self->slab = slab;
    self->capacity = capacity;
    return true;
}

/* The place that the connection has, or would get. */
static uint32_t place_of(const fob_refusals_t *self, uint64_t conn) {
    uint32_t at = fob_map64_get(&self->by_conn, conn);
    if (at == FOB_MAP64_NONE)
        at = self->free ? self->free - 1 : self->used;
    return at;
}

bool fob_refusals_reserve(fob_refusals_t *self, uint64_t conn) {
    if (!fob_map64_reserve(&self->by_conn, 1))
        return false;
    if (!self->free && self->used == self->capacity && !more_places(self))
        return false;
    uint32_t wanted = 0;
    while (wanted < self->draft.count)
        wanted = wanted ? wanted * 2 : 4;
    return grow(&self->slab[place_of(self, conn)], wanted);
}

static bool says_nothing(const fob_refusal_t *self, uint64_t next) {
    return self->count == 0 && self->shut == FOB_OK && self->answered < next;
}

void fob_refusals_keep(fob_refusals_t *self, uint64_t conn, uint64_t next) {
    uint32_t at = fob_map64_get(&self->by_conn, conn);
    if (says_nothing(&self->draft, next)) {
        fob_refusals_forget(self, conn);
        return;
    }
    if (at == FOB_MAP64_NONE) {
        at = place_of(self, conn);
        if (self->free)
            self->free = self->slab[at].next_free;
        else
            self->used++;
        fob_map64_put(&self->by_conn, conn, at);
    }
    copy(&self->slab[at], &self->draft);
}

void fob_refusals_forget(fob_refusals_t *self, uint64_t conn) {
    uint32_t at = self->used ? fob_map64_get(&self->by_conn, conn) : FOB_MAP64_NONE;
    if (at == FOB_MAP64_NONE)
        return;
    fob_map64_remove(&self->by_conn, conn);
    self->slab[at].count = 0;
    self->slab[at].next_free = self->free;
    self->free = at + 1;
}

/* --- one of them --- */

/* Whether it is open again. */
static bool come_again(fob_closed_t *self, uint64_t number, uint64_t low) {
    if (self->from == number || self->from < low)
        self->from = UINT64_MAX;
    return self->from == UINT64_MAX && (self->last == number || self->last < low);
}

void fob_refusal_offer(fob_refusal_t *self, uint64_t number, uint64_t low) {
    for (uint32_t i = self->count; i-- > 0;) {
        if (come_again(&self->closed[i], number, low))
            self->closed[i] = self->closed[--self->count];
    }
    if (self->shut != FOB_OK && come_again(&self->all, number, low))
        self->shut = FOB_OK;
}

static fob_closed_t *find(const fob_refusal_t *self, uint64_t topic) {
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->closed[i].topic == topic)
            return &self->closed[i];
    }
    return NULL;
}

static bool is_closed(const fob_closed_t *self, uint64_t number) {
    return number > self->from || number > self->last;
}

fob_closed_t *fob_refusal_closed(const fob_refusal_t *self, uint64_t topic, uint64_t number) {
    fob_closed_t *closed = find(self, topic);
    return closed && is_closed(closed, number) ? closed : NULL;
}

fob_closed_t *fob_refusal_shut(fob_refusal_t *self, uint64_t number) {
    return self->shut != FOB_OK && is_closed(&self->all, number) ? &self->all : NULL;
}

static void close_behind(fob_closed_t *self, uint64_t number, uint32_t group) {
    self->from = number < self->from ? number : self->from;
    self->group = group;
    fob_closed_refuse(self, number);
}

void fob_refusal_close(fob_refusal_t *self, uint64_t topic, uint64_t number, uint32_t group) {
    fob_closed_t *closed = find(self, topic);
    if (!closed && self->count == FOB_CLOSED_MAX) {
        fob_refusal_shut_all(self, number, FOB_BUSY, group);
        return;
    }
    if (!closed) {
        closed = &self->closed[self->count++];
        *closed = (fob_closed_t){.topic = topic, .from = UINT64_MAX};
    }
    close_behind(closed, number, group);
}

void fob_refusal_shut_all(fob_refusal_t *self, uint64_t number, fob_status_t status,
                          uint32_t group) {
    if (self->shut == FOB_OK)
        self->all = (fob_closed_t){.from = UINT64_MAX};
    self->shut = status;
    close_behind(&self->all, number, group);
}
