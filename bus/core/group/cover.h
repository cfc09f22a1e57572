/* cover: which offsets of a group need no first hand-out any more, as a floor and intervals above
 * it.
 *
 * Everything below the floor is covered. Intervals are ascending, apart from each other and from
 * the floor by at least one offset that is not covered. In-order settles only move the floor. One
 * thread. */
#ifndef FOB_CORE_COVER_H
#define FOB_CORE_COVER_H

#include "bus/core/table/intervals.h"

/* All zeros: everything from offset 0 on is open. */
typedef struct {
    uint64_t floor; /* the lowest offset that is not covered */
    fob_intervals_t above;
} fob_cover_t;

void fob_cover_free(fob_cover_t *self);
/* Room for `more` calls of add; false: no memory, nothing changed. */
bool fob_cover_reserve(fob_cover_t *self, size_t more);
/* Covers from..to, whatever of it was covered before; there must be room. */
void fob_cover_add(fob_cover_t *self, uint64_t from, uint64_t to);
bool fob_cover_has(const fob_cover_t *self, uint64_t offset);
/* The lowest offset at or above `offset` that is not covered. */
uint64_t fob_cover_next_open(const fob_cover_t *self, uint64_t offset);
/* The lowest offset at or above `offset` that is covered; UINT64_MAX: none. */
uint64_t fob_cover_next(const fob_cover_t *self, uint64_t offset);
/* From there on everything is open. */
uint64_t fob_cover_end(const fob_cover_t *self);

#endif
