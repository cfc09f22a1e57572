/* lows: the lowest of many offsets that come and go, without a walk over them all.
 *
 * A heap. What goes away stays in it until it is on top, or until most of it is stale: the owner
 * tells what is still there. Volatile. One thread. */
#ifndef FOB_CORE_LOWS_H
#define FOB_CORE_LOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t offset, tag; /* tag: the owner's */
} fob_low_t;

/* All zeros: empty. */
typedef struct {
    fob_low_t *items;
    size_t count, capacity;
} fob_lows_t;

/* Whether it is still there. */
typedef bool fob_low_fn(const void *owner, const fob_low_t *low);

void fob_lows_free(fob_lows_t *self);
/* Room for `more`; drops what is stale where `live`, which are still there, are less than half.
 * False: no memory, nothing changed. */
bool fob_lows_reserve(fob_lows_t *self, size_t more, size_t live, fob_low_fn *there,
                      const void *owner);
/* There must be room. */
void fob_lows_push(fob_lows_t *self, fob_low_t low);
/* The lowest that is still there; UINT64_MAX: none. */
uint64_t fob_lows_first(fob_lows_t *self, fob_low_fn *there, const void *owner);

#endif
