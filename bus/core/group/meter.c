#include "bus/core/group/meter.h"

#include "proto/now.h"

static void advance(fob_meter_t *self, int64_t second) {
    if (self->first == 0)
        self->first = self->last = second;
    if (second - self->last > FOB_METER_SECONDS)
        self->last = second - FOB_METER_SECONDS;
    while (self->last < second) {
        self->last++;
        self->sums[self->last % FOB_METER_SECONDS] = 0;
    }
}

void fob_meter_begin(fob_meter_t *self, int64_t mono_ns) {
    advance(self, mono_ns / FOB_SEC + 1);
}

void fob_meter_add(fob_meter_t *self, int64_t mono_ns, uint64_t count) {
    advance(self, mono_ns / FOB_SEC + 1);
    self->sums[self->last % FOB_METER_SECONDS] += count;
}

double fob_meter_rate(fob_meter_t *self, int64_t mono_ns) {
    if (self->first == 0)
        return -1;
    advance(self, mono_ns / FOB_SEC + 1);
    /* The second that runs counts with the part of it that has passed. */
    int64_t whole = self->last - self->first;
    if (whole > FOB_METER_SECONDS - 1)
        whole = FOB_METER_SECONDS - 1;
    double span = (double)whole + (double)(mono_ns % FOB_SEC) / (double)FOB_SEC;
    if (span < 1)
        return -1;
    uint64_t total = 0;
    for (int i = 0; i < FOB_METER_SECONDS; i++)
        total += self->sums[i];
    return (double)total / span;
}
