/* histogram: how long things took, in a fixed room: log-linear, so that a value is known to one
 * part in 128 wherever it lies between 1 ns and 4 hours. Plain memory that may be shared between
 * processes: one writes, the others read when it has ended. Pure. */
#ifndef FOB_BENCH_HISTOGRAM_H
#define FOB_BENCH_HISTOGRAM_H

#include <stdint.h>

#define FOB_HISTOGRAM_EXACT 128 /* values below are counted one by one; so many steps an octave */
#define FOB_HISTOGRAM_STEPS (FOB_HISTOGRAM_EXACT * 38)

/* Zeros are an empty one. */
typedef struct {
    uint64_t count, max, sum; /* exact */
    uint64_t steps[FOB_HISTOGRAM_STEPS];
} fob_histogram_t;

/* Notes a value in ns. Below 0 counts as 0; what is beyond the last step counts as the last, and in
 * `max` as it is. */
void fob_histogram_add(fob_histogram_t *self, int64_t ns);

/* Adds all that another one holds. */
void fob_histogram_join(fob_histogram_t *self, const fob_histogram_t *other);

/* The value that `share` (0 to 1) of all values do not exceed, at most one part in 128 too high,
 * never above `max`. 0 where there are none. */
uint64_t fob_histogram_at(const fob_histogram_t *self, double share);

#endif
