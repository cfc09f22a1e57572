/* marks: up to which offset a subscriber has each topic, where that is not what it has of all. A
 * bounded table of topics; finding one in it allocates nothing. Pure; one thread. */
#ifndef FOB_SEQUENCE_MARKS_H
#define FOB_SEQUENCE_MARKS_H

#include "proto/slice.h"

#define FOB_MARKS_MAX 65536 /* topics, unless `max` says less */

typedef struct {
    uint64_t upto; /* each event of the topic up to here is had, or accounted for */
    uint64_t hash;
    uint32_t name; /* where it begins among the names */
    uint8_t size;
    bool kept; /* outlives the next sweep, wherever it stands */
} fob_topic_mark_t;

/* All zeros is empty. */
typedef struct {
    fob_topic_mark_t *marks;
    uint32_t *index; /* of a mark, plus one; 0: free */
    uint8_t *names;
    uint32_t count, capacity, mask; /* mask: places of the index - 1 */
    uint32_t max;                   /* 0: FOB_MARKS_MAX */
    uint32_t latest;                /* the one found last: runs of one topic are the rule */
    size_t names_size, names_capacity;
    uint64_t high; /* none stands above it */
} fob_marks_t;

void fob_marks_free(fob_marks_t *self);
/* How many there may be. */
static inline uint32_t fob_marks_max(const fob_marks_t *self) {
    return self->max ? self->max : FOB_MARKS_MAX;
}
/* The topic's mark, good until one is added or swept away; NULL: it has none. */
fob_topic_mark_t *fob_marks_find(fob_marks_t *self, fob_slice_t topic);
/* Adds a topic of 1 to 255 bytes that has none. NULL: the table is full, or no memory. */
fob_topic_mark_t *fob_marks_add(fob_marks_t *self, fob_slice_t topic, uint64_t upto);
/* Moves a mark up. */
static inline void fob_marks_raise(fob_marks_t *self, fob_topic_mark_t *mark, uint64_t upto) {
    mark->upto = upto;
    if (upto > self->high)
        self->high = upto;
}
/* Forgets those that stand at `upto` or below and are not kept; none is kept from then on. */
void fob_marks_sweep(fob_marks_t *self, uint64_t upto);
/* None is kept. */
void fob_marks_unkeep(fob_marks_t *self);
/* Brings those down to `upto` that stand above it. */
void fob_marks_cap(fob_marks_t *self, uint64_t upto);
/* The lowest of them; UINT64_MAX: there are none. Looks at each. */
uint64_t fob_marks_lowest(const fob_marks_t *self);

#endif
