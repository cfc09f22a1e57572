/* meter: how many a second, over the last ten seconds. */
#ifndef FOB_CORE_METER_H
#define FOB_CORE_METER_H

#include <stdint.h>

#define FOB_METER_SECONDS 10

/* All zeros: nothing counted yet. */
typedef struct {
    uint64_t sums[FOB_METER_SECONDS]; /* by second, modulo */
    int64_t first, last;              /* seconds of the monotonic clock, + 1 so that 0 is none */
} fob_meter_t;

void fob_meter_add(fob_meter_t *self, int64_t mono_ns, uint64_t count);
/* Begins to count, so that "none" is a known rate. */
void fob_meter_begin(fob_meter_t *self, int64_t mono_ns);
/* Events a second; negative: unknown, as the meter is younger than a second. */
double fob_meter_rate(fob_meter_t *self, int64_t mono_ns);

#endif
