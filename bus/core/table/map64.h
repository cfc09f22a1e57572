/* map64: from a number that is not 0 to a small number; open addressing, no tombstones.
 *
 * Used where an offset, a token or a connection leads to a place in a slab. One thread. */
#ifndef FOB_CORE_MAP64_H
#define FOB_CORE_MAP64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOB_MAP64_NONE UINT32_MAX

typedef struct {
    uint64_t key; /* 0: free */
    uint32_t value;
} fob_map64_slot_t;

/* An empty map is all zeros. */
typedef struct {
    fob_map64_slot_t *slots;
    uint32_t mask; /* slots - 1; 0 while there are none */
    uint32_t shift;
    uint32_t count;
} fob_map64_t;

void fob_map64_free(fob_map64_t *self);
/* Room for `more` further keys, so that as many puts cannot fail; false: no memory, nothing
 * changed. */
bool fob_map64_reserve(fob_map64_t *self, size_t more);
/* Puts or replaces; there must be room. */
void fob_map64_put(fob_map64_t *self, uint64_t key, uint32_t value);
/* FOB_MAP64_NONE: not there. */
uint32_t fob_map64_get(const fob_map64_t *self, uint64_t key);
void fob_map64_remove(fob_map64_t *self, uint64_t key);

#endif
