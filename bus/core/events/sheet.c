#include "bus/core/events/sheet.h"

#include "proto/topic.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define POOL_MAX    1024 /* structs kept */
#define POOL_EVENTS 2048 /* the longest index kept with one */
#define LOOK_BACK   8    /* topics compared before one is listed (again) */

static void sheet_free(fob_sheet_t *self) {
    free(self->begin);
    free(self->topic);
    free(self->priority);
    free(self->ident);
    free(self->topics);
    free(self->groups);
    free(self);
}

void fob_sheet_pool_free(fob_sheet_pool_t *self) {
    while (self->free) {
        fob_sheet_t *sheet = self->free;
        self->free = sheet->next;
        sheet_free(sheet);
    }
    self->free_count = 0;
    free(self->idents);
    self->idents = NULL;
    self->ident_capacity = 0;
}

fob_sheet_t *fob_sheet_new(fob_sheet_pool_t *pool) {
    fob_sheet_t *self = pool->free;
    if (self) {
        pool->free = self->next;
        pool->free_count--;
    } else {
        self = calloc(1, sizeof *self);
        if (!self)
            return NULL;
    }
    self->pool = pool;
    self->next = NULL;
    self->holders = 1;
    self->pinned = false;
    self->blob = NULL;
    self->bytes = NULL;
    self->first_offset = self->position = self->origin = 0;
    self->time_ms = 0;
    self->flags = 0;
    self->count = self->topic_count = self->group_count = 0;
    return self;
}

fob_sheet_t *fob_sheet_ref(fob_sheet_t *self) {
    self->holders++;
    return self;
}

void fob_sheet_unref(fob_sheet_pool_t *pool, fob_sheet_t *self) {
    assert(self->holders > 0);
    if (--self->holders > 0)
        return;
    fob_blob_unref(&self->blob);
    fob_sheet_forget_idents(self);
    if (pool->free_count >= POOL_MAX || self->capacity > POOL_EVENTS) {
        sheet_free(self);
        return;
    }
    self->next = pool->free;
    pool->free = self;
    pool->free_count++;
}

void fob_sheet_forget_idents(fob_sheet_t *self) {
    fob_sheet_pool_t *pool = self->pool;
    if (self->ident && self->capacity > pool->ident_capacity && self->capacity <= POOL_EVENTS) {
        fob_ident_t *smaller = pool->idents;
        pool->idents = self->ident;
        pool->ident_capacity = self->capacity;
        self->ident = smaller;
    }
    free(self->ident);
    self->ident = NULL;
}

static bool more_priorities(fob_sheet_t *self, uint32_t capacity) {
    uint8_t *priority = realloc(self->priority, capacity);
    if (!priority)
        return false;
    self->priority = priority;
    return true;
}

static bool more_idents(fob_sheet_t *self, uint32_t capacity) {
    fob_ident_t *ident = realloc(self->ident, capacity * sizeof *ident);
    if (!ident)
        return false;
    self->ident = ident;
    return true;
}

static bool more_events(fob_sheet_t *self) {
    uint32_t capacity = self->capacity ? self->capacity * 2 : 16;
    if ((self->priority && !more_priorities(self, capacity)) ||
        (self->ident && !more_idents(self, capacity)))
        return false;
    uint32_t *begin = realloc(self->begin, ((size_t)capacity + 1) * sizeof *begin);
    if (begin)
        self->begin = begin;
    uint32_t *topic = realloc(self->topic, capacity * sizeof *topic);
    if (topic)
        self->topic = topic;
    if (!begin || !topic)
        return false;
    self->capacity = capacity;
    return true;
}

static bool more_topics(fob_sheet_t *self) {
    uint32_t capacity = self->topic_capacity ? self->topic_capacity * 2 : 2;
    fob_sheet_topic_t *topics = realloc(self->topics, capacity * sizeof *topics);
    if (!topics)
        return false;
    self->topics = topics;
    self->topic_capacity = capacity;
    return true;
}

/* The index of a topic, listing it if it is not among the last few; UINT32_MAX: no memory. */
static uint32_t list_topic(fob_sheet_t *self, fob_slice_t topic) {
    uint32_t stop = self->topic_count > LOOK_BACK ? self->topic_count - LOOK_BACK : 0;
    for (uint32_t i = self->topic_count; i-- > stop;) {
        if (fob_slice_eq(fob_sheet_topic(self, i), topic))
            return i;
    }
    if (self->topic_count == self->topic_capacity && !more_topics(self))
        return UINT32_MAX;
    self->topics[self->topic_count] = (fob_sheet_topic_t){
        .at = (uint32_t)(topic.data - self->bytes),
        .size = (uint8_t)topic.size,
        .first = self->count,
    };
    return self->topic_count++;
}

/* --- priorities and ids: most batches have none, and then they cost nothing --- */

static bool first_priority(fob_sheet_t *self) {
    if (!self->priority && !more_priorities(self, self->capacity))
        return false;
    memset(self->priority, 0, self->count);
    self->flags |= FOB_SHEET_PRIORITIES;
    return true;
}

/* The pool's room, where it is enough. */
static bool first_ident(fob_sheet_t *self) {
    fob_sheet_pool_t *pool = self->pool;
    if (!self->ident && pool->ident_capacity >= self->capacity) {
        self->ident = pool->idents;
        pool->idents = NULL;
        pool->ident_capacity = 0;
    }
    if (!self->ident && !more_idents(self, self->capacity))
        return false;
    memset(self->ident, 0, self->count * sizeof *self->ident);
    self->flags |= FOB_SHEET_IDS;
    return true;
}

/* Those of the event that comes next, where it or one before has any. False: no memory. */
static bool list_attributes(fob_sheet_t *self, const fob_envelope_t *event,
                            const fob_dedup_t *dedup) {
    if (event->priority && !(self->flags & FOB_SHEET_PRIORITIES) && !first_priority(self))
        return false;
    if (self->flags & FOB_SHEET_PRIORITIES)
        self->priority[self->count] = event->priority;
    if (dedup && event->id.size && !(self->flags & FOB_SHEET_IDS) && !first_ident(self))
        return false;
    if (self->flags & FOB_SHEET_IDS)
        self->ident[self->count] =
            fob_dedup_ident(dedup, event->topic, event->id, event->datacontenttype, event->data);
    return true;
}

/* How a batch is read. */
typedef struct {
    bool check;
    uint64_t max_data;
    uint8_t flags;
    const fob_dedup_t *dedup;
} manner_t;

/* The topic, where it is checked at all, is by the caller. */
static bool read_one(fob_cursor_t *cursor, const manner_t *manner, fob_envelope_t *event) {
    if (manner->check)
        return fob_envelope_read_any(cursor, manner->max_data, event) == FOB_OK;
    bool good = manner->flags ? fob_envelope_glance(cursor, event)
                              : fob_envelope_skim(cursor, &event->topic, &event->bytes);
    return good && event->topic.size > 0 && event->topic.size <= UINT8_MAX;
}

static fob_status_t index_events(fob_sheet_t *self, const manner_t *manner) {
    fob_cursor_t cursor = fob_cursor(fob_slice(self->bytes, self->size));
    fob_slice_t last = {0};
    fob_envelope_t event = {0};
    uint32_t topic = 0;
    while (!fob_cursor_end(&cursor)) {
        if (self->count == self->capacity && !more_events(self))
            return FOB_NO_MEMORY;
        uint32_t begin = (uint32_t)(cursor.at - self->bytes);
        if (!read_one(&cursor, manner, &event))
            return FOB_BAD_EVENT;
        if (self->count == 0 || !fob_slice_eq(event.topic, last)) {
            if (manner->check && !fob_topic_valid(event.topic))
                return FOB_BAD_EVENT;
            topic = list_topic(self, event.topic);
            if (topic == UINT32_MAX)
                return FOB_NO_MEMORY;
            last = event.topic;
        }
        if ((event.id.size | event.priority | self->flags) != 0 &&
            !list_attributes(self, &event, manner->dedup))
            return FOB_NO_MEMORY;
        self->begin[self->count] = begin;
        self->topic[self->count] = topic;
        self->topics[topic].count++;
        self->topics[topic].bytes += (uint32_t)(cursor.at - self->bytes) - begin;
        self->count++;
    }
    if (self->count == 0)
        return FOB_BAD_EVENT;
    self->begin[self->count] = (uint32_t)self->size;
    return FOB_OK;
}

fob_status_t fob_sheet_index(fob_sheet_t *self, fob_blob_t *blob, size_t at, fob_slice_t bytes,
                             bool check, uint64_t max_data, uint8_t flags,
                             const fob_dedup_t *dedup) {
    const manner_t manner = {check, max_data, flags, dedup};
    if (bytes.size > UINT32_MAX)
        return FOB_BAD_EVENT;
    self->bytes = bytes.data;
    self->at = at;
    self->size = bytes.size;
    if (blob)
        self->blob = fob_blob_ref(blob);
    return index_events(self, &manner);
}

static bool more_groups(fob_sheet_t *self, size_t more) {
    if (self->group_count + more <= self->group_capacity)
        return true;
    uint32_t capacity = self->group_capacity ? self->group_capacity : 8;
    while (capacity < self->group_count + more)
        capacity *= 2;
    fob_group_t **groups = realloc(self->groups, capacity * sizeof *groups);
    if (!groups)
        return false;
    self->groups = groups;
    self->group_capacity = capacity;
    return true;
}

bool fob_sheet_route(fob_sheet_t *self, fob_topics_t *topics, const fob_groups_t *groups) {
    self->group_count = 0;
    for (uint32_t i = 0; i < self->topic_count; i++) {
        const fob_known_topic_t *known = fob_topics_route(topics, groups, fob_sheet_topic(self, i));
        if (!known || !more_groups(self, known->group_count))
            return false;
        self->topics[i].groups_at = self->group_count;
        self->topics[i].group_count = known->group_count;
        if (known->group_count)
            memcpy(self->groups + self->group_count, known->groups,
                   known->group_count * sizeof *self->groups);
        self->group_count += known->group_count;
    }
    return true;
}

size_t fob_sheet_weight(const fob_sheet_t *self) {
    return sizeof *self + self->size + (size_t)self->capacity * 2 * sizeof(uint32_t) +
           self->topic_capacity * sizeof *self->topics + (self->priority ? self->capacity : 0) +
           (self->ident ? self->capacity * sizeof *self->ident : 0);
}
