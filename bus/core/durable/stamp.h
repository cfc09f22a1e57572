/* stamp: a place in the row of records: before the index-th record of a commit. */
#ifndef FOB_CORE_STAMP_H
#define FOB_CORE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t position;
    uint32_t index;
} fob_stamp_t;

#define FOB_STAMP_NEVER ((fob_stamp_t){UINT64_MAX, UINT32_MAX})

static inline bool fob_stamp_before(fob_stamp_t a, fob_stamp_t b) {
    return a.position != b.position ? a.position < b.position : a.index < b.index;
}

#endif
