/* lasts: questions about the last event of each topic that matches a pattern. Pure reading. */
#ifndef FOB_CORE_LASTS_H
#define FOB_CORE_LASTS_H

#include "bus/core/events/chain.h"
#include "proto/buf.h"

#define FOB_LASTS_BYTES  (256u << 10) /* of an answer, about */
#define FOB_LASTS_LOOKED 8192u        /* topics looked at for one, at the most */

/* Of which topics: those that match, of the part `part` of `parts`, a power of two up to
 * FOB_CHAIN_PARTS, whose last event lies above `from`. */
typedef struct {
    fob_slice_t pattern;
    uint64_t from;
    uint32_t part, parts;
} fob_lasts_of_t;

typedef struct {
    uint64_t floor; /* at or below it nothing is vouched for */
    bool more;      /* not all were told: the floor is above those that were not */
    size_t looked;  /* topics */
    uint32_t parts; /* in so many the same had better be asked next */
} fob_lasts_t;

/* Appends an array of [topic, offset of its last event] of these, where that lies above the floor;
 * looks at `most` topics at the most. Check rows->failed. */
void fob_lasts_write(const fob_chain_t *chain, const fob_lasts_of_t *of, size_t most,
                     fob_buf_t *rows, fob_lasts_t *out);

#endif
