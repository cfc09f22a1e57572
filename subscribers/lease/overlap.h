/* overlap: what two ranges of leases have in common. Leases of one delivery run in step: the one
 * `n` behind the first has an offset and a token that are `n` more. Pure. */
#ifndef FOB_LEASE_OVERLAP_H
#define FOB_LEASE_OVERLAP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t offset, token, count;
} fob_lease_range_t;

/* Whether `of` has any of `other`: *from gets how many of its own lie before these, *common how
 * many they are. */
static inline bool fob_lease_overlap(const fob_lease_range_t *of, const fob_lease_range_t *other,
                                     uint64_t *from, uint64_t *common) {
    /* The two meet only where their offsets and tokens run in step. */
    if (!of->count || of->token - other->token != of->offset - other->offset)
        return false;
    *from = other->offset > of->offset ? other->offset - of->offset : 0;
    uint64_t ahead = of->offset > other->offset ? of->offset - other->offset : 0;
    if (*from >= of->count || ahead >= other->count)
        return false;
    uint64_t left = of->count - *from;
    *common = other->count - ahead;
    if (*common > left)
        *common = left;
    return true;
}

#endif
