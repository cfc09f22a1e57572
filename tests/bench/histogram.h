/* histogram: how long things took, in nanoseconds, in buckets that are at most 1.6% wide. It holds
 * no pointer, so it may lie in memory that processes share; one process writes, others read when
 * that has ended. All zeros is an empty one. */
#ifndef FOB_BENCH_HISTOGRAM_H
#define FOB_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS (58 * 64 + 128)

typedef struct {
    uint64_t count, highest;
    uint32_t bucket[HISTOGRAM_BUCKETS];
} histogram_t;

void histogram_add(histogram_t *self, uint64_t ns);
/* Adds all of `from`. */
void histogram_merge(histogram_t *self, const histogram_t *from);
/* Of so many percent of what was added (0 to 100, 100 is the longest) each was at most this long,
 * in ns; 0: none was added. */
uint64_t histogram_at(const histogram_t *self, double percent);

#endif
