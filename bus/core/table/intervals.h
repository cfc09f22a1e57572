/* intervals: ascending intervals of offsets, apart from each other, in one array. Cheap at both
 * ends, where queues work: what goes at the front leaves slack there, which is closed up when it is
 * worth it. One thread. */
#ifndef FOB_CORE_INTERVALS_H
#define FOB_CORE_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t from, to; /* both in it */
} fob_interval_t;

/* All zeros: none. */
typedef struct {
    fob_interval_t *items;
    size_t begin, count, capacity; /* items[begin .. begin + count - 1] are in use */
} fob_intervals_t;

void fob_intervals_free(fob_intervals_t *self);
/* Room for `more` inserts; false: no memory, nothing changed. */
bool fob_intervals_reserve(fob_intervals_t *self, size_t more);

/* The first of them; good until the next change. NULL where none was ever there. */
static inline fob_interval_t *fob_intervals_first(const fob_intervals_t *self) {
    return self->items ? self->items + self->begin : NULL;
}

/* Index of the first that ends at or behind `offset`; the count: none does. */
size_t fob_intervals_find(const fob_intervals_t *self, uint64_t offset);
/* Puts one at that index; there must be room, and its place must be there. */
void fob_intervals_insert(fob_intervals_t *self, size_t at, fob_interval_t item);
/* Takes `count` out from that index on. */
void fob_intervals_erase(fob_intervals_t *self, size_t at, size_t count);

#endif
