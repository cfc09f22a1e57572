/* marks: up to which offset a subscriber has each topic. Topics fall into parts by their hash, as
 * the bus is asked about them in parts: each part has a base, and each of its topics is had up to
 * there unless it has a mark of its own. A bounded table of topics; finding one in it allocates
 * nothing. Pure; one thread. */
#ifndef FOB_SEQUENCE_MARKS_H
#define FOB_SEQUENCE_MARKS_H

#include "proto/slice.h"
#include "proto/wire.h"

#define FOB_MARKS_MAX   131072        /* topics, unless `max` says less: as many as a bus knows */
#define FOB_MARKS_NAMES (16u << 20)   /* bytes of their names */
#define FOB_MARKS_PARTS FOB_PARTS_MAX /* a power of two */

typedef struct {
    uint64_t upto; /* each event of the topic up to here is had, or accounted for */
    uint64_t hash;
    uint32_t name; /* where it begins among the names */
    uint8_t size;
    bool kept; /* outlives the next sweep, wherever it stands */
} fob_topic_mark_t;

typedef struct {
    fob_topic_mark_t *marks;
    uint32_t *index; /* of a mark, plus one; 0: free */
    uint8_t *names;
    uint32_t count, capacity, mask; /* mask: places of the index - 1 */
    size_t names_size, names_capacity;
    uint64_t base; /* a topic without a mark is had up to here */
    uint64_t high; /* no mark stands above it */
} fob_marks_part_t;

/* All zeros is empty. */
typedef struct {
    fob_marks_part_t parts[FOB_MARKS_PARTS];
    uint32_t count;               /* marks in all parts */
    size_t names_size;            /* of theirs */
    uint32_t max;                 /* 0: FOB_MARKS_MAX */
    uint32_t latest, latest_part; /* the one found last: runs of one topic are the rule */
    uint64_t base_low, base_high; /* of all parts */
    uint64_t high;                /* none stands above it */
} fob_marks_t;

void fob_marks_free(fob_marks_t *self);
/* How many there may be. */
static inline uint32_t fob_marks_max(const fob_marks_t *self) {
    return self->max ? self->max : FOB_MARKS_MAX;
}
/* Whether there is a place for one more topic, of a name of so many bytes. */
static inline bool fob_marks_have_place(const fob_marks_t *self, size_t name) {
    return self->count < fob_marks_max(self) && self->names_size + name <= FOB_MARKS_NAMES;
}
/* The topic's mark, good until one is added or swept away; NULL: it has none. */
fob_topic_mark_t *fob_marks_find(fob_marks_t *self, fob_slice_t topic);
/* Up to where the topic is had. *mark gets its mark, NULL: none. */
uint64_t fob_marks_had(fob_marks_t *self, fob_slice_t topic, fob_topic_mark_t **mark);
/* Adds a topic of 1 to 255 bytes that has none. NULL: the table is full, or no memory. */
fob_topic_mark_t *fob_marks_add(fob_marks_t *self, fob_slice_t topic, uint64_t upto);
/* Moves a mark up. */
void fob_marks_raise(fob_marks_t *self, fob_topic_mark_t *mark, uint64_t upto);

/* Forgets all; the base of each part is `base`. */
void fob_marks_begin(fob_marks_t *self, uint64_t base);
/* The base of each part is `base` where it was lower. */
void fob_marks_rise(fob_marks_t *self, uint64_t base);
/* The lowest base of the parts that make up the part `part` of `parts`, a power of two. */
uint64_t fob_marks_base(const fob_marks_t *self, uint64_t part, uint64_t parts);
/* In that part each topic without a mark that is kept is had up to `upto`: the base rises to it,
 * and marks that stand there or below are forgotten. None of the part is kept from then on. */
void fob_marks_settle(fob_marks_t *self, uint64_t part, uint64_t parts, uint64_t upto);
/* Forgets those that stand at `upto` or below and are not kept; none is kept from then on. */
void fob_marks_sweep(fob_marks_t *self, uint64_t upto);
/* None is kept. */
void fob_marks_unkeep(fob_marks_t *self);
/* Brings marks and bases down to `upto` that stand above it. */
void fob_marks_cap(fob_marks_t *self, uint64_t upto);
/* Each topic is had up to here. Looks at each mark. */
uint64_t fob_marks_low(const fob_marks_t *self);

#endif
