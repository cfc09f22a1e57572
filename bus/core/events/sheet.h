/* sheet: a batch of consecutive events as they were published, with an index: where each begins,
 * which topic it has, and, where some have them, priorities and ids.
 *
 * Built once, when the bytes are checked; kept in the cache; read by every group's hand-outs.
 * Counted holders, one thread. Index arrays are kept with the struct in a pool: no allocation once
 * warm. */
#ifndef FOB_CORE_SHEET_H
#define FOB_CORE_SHEET_H

#include "bus/core/durable/record.h"
#include "bus/core/events/topics.h"
#include "bus/core/publish/dedup.h"
#include "proto/blob.h"
#include "proto/envelope.h"

typedef struct {
    uint32_t at; /* of the topic's bytes, from the batch's first byte */
    uint8_t size;
    uint32_t first, count;           /* index of its first event; how many */
    uint32_t bytes;                  /* of its events */
    uint32_t groups_at, group_count; /* in `groups`, once routed */
} fob_sheet_topic_t;

/* What some of the events have: the bits of an EVENTS record. */
enum { FOB_SHEET_PRIORITIES = FOB_EVENTS_PRIORITY, FOB_SHEET_IDS = FOB_EVENTS_ID };

typedef struct fob_sheet fob_sheet_t;
typedef struct fob_sheet_pool fob_sheet_pool_t;
struct fob_sheet {
    fob_sheet_pool_t *pool;
    fob_sheet_t *next; /* in the pool */
    uint32_t holders;
    bool pinned;      /* its commit may not be durable yet: nowhere else to be read from */
    fob_blob_t *blob; /* NULL: only looked at (replay) */
    const uint8_t *bytes;
    size_t at, size; /* of `bytes` in the blob */
    uint64_t first_offset;
    uint64_t origin; /* not 0: a copy of that one event, see moved.h; of no group's offsets here */
    uint64_t position; /* of its commit; 0: durable since long */
    int64_t time_ms;
    uint32_t count;
    uint32_t *begin;    /* count + 1 places from `bytes` */
    uint32_t *topic;    /* count indexes into `topics`; the same topic may be listed twice */
    uint32_t capacity;  /* of both, and of the next two where they are not NULL */
    uint8_t flags;      /* FOB_SHEET_... */
    uint8_t *priority;  /* count, where the flag is set; else not good */
    fob_ident_t *ident; /* the same */
    fob_sheet_topic_t *topics;
    uint32_t topic_count, topic_capacity;
    fob_group_t **groups; /* good only while the publish is applied */
    uint32_t group_count, group_capacity;
};

struct fob_sheet_pool {
    fob_sheet_t *free;
    uint32_t free_count;
    fob_ident_t *idents; /* spare room for them, wanted only while a batch is stored */
    uint32_t ident_capacity;
};

void fob_sheet_pool_free(fob_sheet_pool_t *self);
/* An empty batch with one holder; NULL: no memory. */
fob_sheet_t *fob_sheet_new(fob_sheet_pool_t *pool);
fob_sheet_t *fob_sheet_ref(fob_sheet_t *self);
void fob_sheet_unref(fob_sheet_pool_t *pool, fob_sheet_t *self);

/* Indexes all of `bytes`, which lie at `at` in `blob` (one more holder) or, with NULL, are only
 * borrowed. With `check`, every event is read whole (data up to max_data), and `flags` does not
 * count; otherwise they were checked before, and `flags` says what some may have (FOB_SHEET_...: of
 * their record). Idents are made by `dedup`; with NULL there are none. FOB_OK; FOB_BAD_EVENT: an
 * event is not good (the batch is then unusable); FOB_NO_MEMORY. */
fob_status_t fob_sheet_index(fob_sheet_t *self, fob_blob_t *blob, size_t at, fob_slice_t bytes,
                             bool check, uint64_t max_data, uint8_t flags,
                             const fob_dedup_t *dedup) FOB_MUST_USE;
/* The idents are not wanted any more: a batch in the cache does without. `flags` stays. */
void fob_sheet_forget_idents(fob_sheet_t *self);

/* Finds the groups of each topic; false: no memory. */
bool fob_sheet_route(fob_sheet_t *self, fob_topics_t *topics, const fob_groups_t *groups);

/* The offset of an event, for everybody. */
static inline uint64_t fob_sheet_offset(const fob_sheet_t *self, uint32_t index) {
    return self->origin ? self->origin : self->first_offset + index;
}
static inline fob_slice_t fob_sheet_topic(const fob_sheet_t *self, uint32_t topic) {
    return fob_slice(self->bytes + self->topics[topic].at, self->topics[topic].size);
}

/* Bytes of memory that it takes in the cache. */
size_t fob_sheet_weight(const fob_sheet_t *self);

#endif
