/* holes: ranges of single topics that the broadcast did not bring, and of which the bus is to be
 * asked which events they had. Bounded, first come first served. Pure; one thread. */
#ifndef FOB_SEQUENCE_HOLES_H
#define FOB_SEQUENCE_HOLES_H

#include "proto/topic.h"

#define FOB_HOLES_MAX 1024

typedef struct {
    uint64_t after,
        upto; /* events of the topic above `after` and up to `upto`: not accounted for */
    uint8_t size;
    uint8_t bytes[FOB_TOPIC_MAX];
} fob_hole_t;

/* All zeros is empty. */
typedef struct {
    fob_hole_t *ring;
    size_t capacity, head, count, max; /* max 0: FOB_HOLES_MAX */
} fob_holes_t;

void fob_holes_free(fob_holes_t *self);
/* Room for one more; false: there are FOB_HOLES_MAX, or no memory. */
bool fob_holes_reserve(fob_holes_t *self);
/* Adds one, for which room is reserved. */
void fob_holes_put(fob_holes_t *self, fob_slice_t topic, uint64_t after, uint64_t upto);
fob_hole_t *fob_holes_first(const fob_holes_t *self); /* NULL: none */
/* The lowest offset behind which one begins; UINT64_MAX: there is none. */
uint64_t fob_holes_lowest(const fob_holes_t *self);
void fob_holes_drop(fob_holes_t *self); /* the first, which there is */
/* What lies above `upto` is none of theirs any more. */
void fob_holes_cap(fob_holes_t *self, uint64_t upto);

static inline fob_slice_t fob_hole_topic(const fob_hole_t *self) {
    return fob_slice(self->bytes, self->size);
}

#endif
