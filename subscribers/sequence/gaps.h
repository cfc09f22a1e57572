/* gaps: counts what a broadcast subscriber lost: the events of one source and topic are numbered
 * without holes. The table is bounded; a pair that was pushed out counts as new, so that losses are
 * never invented. Pure; one thread. */
#ifndef FOB_SEQUENCE_GAPS_H
#define FOB_SEQUENCE_GAPS_H

#include "proto/slice.h"

#define FOB_GAPS_SETS 1024
#define FOB_GAPS_WAYS 8

typedef struct fob_gaps fob_gaps_t;

fob_gaps_t *fob_gaps_new(void); /* NULL: no memory */
void fob_gaps_destroy(fob_gaps_t **self_p);

/* Events seq .. seq + count - 1 of this source and topic have come. *missing gets how many are
 * missing before them: 0 for a pair not known before, for one whose numbers went back, and with no
 * memory to remember it. False: these numbers cannot be (`most` are not lost at once, and there is
 * none behind 2^64 - 1): nothing is missing, and the pair's numbering begins anew. */
bool fob_gaps_see(fob_gaps_t *self, uint64_t source, fob_slice_t topic, uint64_t seq,
                  uint64_t count, uint64_t most, uint64_t *missing);

/* So many that came were lost all the same. Of a pair that is not known it is not remembered. */
void fob_gaps_lose(fob_gaps_t *self, uint64_t source, fob_slice_t topic, uint64_t count);

/* What was lost of one source and topic. */
typedef struct {
    uint64_t source, lost;
    fob_slice_t topic;
} fob_gap_loss_t;

/* Steps through the pairs that are known and lost something: *at starts at 0; false at the end. The
 * topic is good until the next fob_gaps_see. */
bool fob_gaps_next(const fob_gaps_t *self, size_t *at, fob_gap_loss_t *out);

#endif
