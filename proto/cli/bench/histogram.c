#include "proto/cli/bench/histogram.h"

#define EXACT FOB_HISTOGRAM_EXACT
#define BITS  7 /* EXACT is 1 << BITS */

_Static_assert(EXACT == 1 << BITS, "an octave has as many steps as there are exact values");

/* Octave by octave above the exact values: the highest bits choose the octave, the BITS behind the
 * first the step in it. */
static uint32_t step_of(uint64_t value) {
    if (value < EXACT)
        return (uint32_t)value;
    uint32_t shift = (uint32_t)(63 - __builtin_clzll(value)) - BITS;
    uint64_t step = EXACT + (uint64_t)shift * EXACT + ((value >> shift) - EXACT);
    return step < FOB_HISTOGRAM_STEPS ? (uint32_t)step : FOB_HISTOGRAM_STEPS - 1;
}

/* The highest value that counts in this step. */
static uint64_t top_of(uint32_t step) {
    if (step < EXACT)
        return step;
    uint32_t shift = step / EXACT - 1;
    return ((uint64_t)(step % EXACT + EXACT + 1) << shift) - 1;
}

void fob_histogram_add(fob_histogram_t *self, int64_t ns) {
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    self->count++;
    self->sum += value;
    if (value > self->max)
        self->max = value;
    self->steps[step_of(value)]++;
}

void fob_histogram_join(fob_histogram_t *self, const fob_histogram_t *other) {
    self->count += other->count;
    self->sum += other->sum;
    if (other->max > self->max)
        self->max = other->max;
    for (uint32_t i = 0; i < FOB_HISTOGRAM_STEPS; i++)
        self->steps[i] += other->steps[i];
}

uint64_t fob_histogram_at(const fob_histogram_t *self, double share) {
    double rank = share * (double)self->count;
    uint64_t wanted = (uint64_t)rank, seen = 0;
    if (wanted == 0 || (double)wanted < rank)
        wanted++;
    for (uint32_t i = 0; i < FOB_HISTOGRAM_STEPS - 1; i++) {
        seen += self->steps[i];
        if (seen >= wanted)
            return top_of(i) < self->max ? top_of(i) : self->max;
    }
    return self->max;
}
