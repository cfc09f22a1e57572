#include "random.h"

#include <string.h>

static uint64_t mixed(uint64_t value) {
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

sim_random_t sim_random_new(uint64_t seed) {
    return (sim_random_t){mixed(seed + UINT64_C(0x9e3779b97f4a7c15))};
}

uint64_t sim_random_next(sim_random_t *self) {
    self->state += UINT64_C(0x9e3779b97f4a7c15);
    return mixed(self->state);
}

uint64_t sim_random_below(sim_random_t *self, uint64_t below) {
    uint64_t value = sim_random_next(self); /* drawn in any case: the sequence stays in step */
    return below == 0 ? 0 : value % below;
}

uint64_t sim_random_between(sim_random_t *self, uint64_t low, uint64_t high) {
    return low + sim_random_below(self, high - low + 1);
}

bool sim_random_once(sim_random_t *self, uint64_t in) {
    return sim_random_below(self, in) == 0 && in != 0;
}

uint64_t sim_random_skewed(sim_random_t *self, uint64_t most) {
    unsigned bits = 0;
    while (bits < 63 && most >> bits != 0)
        bits++;
    uint64_t limit = UINT64_C(1) << sim_random_below(self, bits + 1);
    uint64_t value = sim_random_below(self, limit);
    return value < most ? value : most;
}

void sim_random_fill(sim_random_t *self, void *data, size_t size) {
    uint8_t *to = data;
    while (size > 0) {
        uint64_t value = sim_random_next(self);
        size_t step = size < sizeof value ? size : sizeof value;
        memcpy(to, &value, step);
        to += step;
        size -= step;
    }
}

sim_random_t sim_random_fork(sim_random_t *self) {
    return sim_random_new(sim_random_next(self));
}
