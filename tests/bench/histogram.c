/* histogram: buckets of 1/64 of a power of two; below 128 ns one a nanosecond. */
#include "tests/bench/histogram.h"

/* Powers of two from 2^7 on have 64 buckets each. */
static unsigned bucket_of(uint64_t ns) {
    if (ns < 128)
        return (unsigned)ns;
    unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - 6;
    return shift * 64 + (unsigned)(ns >> shift);
}

/* The longest time that falls into it. */
static uint64_t top_of(unsigned bucket) {
    if (bucket < 128)
        return bucket;
    unsigned shift = bucket / 64 - 1;
    return ((uint64_t)(bucket - shift * 64 + 1) << shift) - 1;
}

void histogram_add(histogram_t *self, uint64_t ns) {
    self->bucket[bucket_of(ns)]++;
    self->count++;
    if (ns > self->highest)
        self->highest = ns;
}

void histogram_merge(histogram_t *self, const histogram_t *from) {
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        self->bucket[i] += from->bucket[i];
    self->count += from->count;
    if (from->highest > self->highest)
        self->highest = from->highest;
}

uint64_t histogram_at(const histogram_t *self, double percent) {
    double due = (double)self->count * percent / 100;
    uint64_t below = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += self->bucket[i];
        if (below > 0 && (double)below >= due)
            return top_of(i) < self->highest ? top_of(i) : self->highest;
    }
    return self->highest;
}
