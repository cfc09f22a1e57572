/* tally: a bit an event, as what comes twice may come late. */
#include "tests/bench/tally.h"

size_t tally_size(uint64_t events) {
    return (sizeof(tally_t) + (events + 63) / 64 * 8 + 63) / 64 * 64;
}

void tally_take(tally_t *self, const tally_body_t *body, uint64_t each, uint32_t publishers,
                uint64_t now) {
    if (body->mark != TALLY_MARK || body->publisher >= publishers || body->number >= each) {
        self->strange++;
        return;
    }
    uint64_t place = body->publisher * each + body->number, bit = UINT64_C(1) << (place % 64);
    atomic_store_explicit(&self->arrived, self->arrived + 1, memory_order_relaxed);
    if (self->seen[place / 64] & bit)
        return; /* it came twice */
    self->seen[place / 64] |= bit;
    self->disordered += body->number < self->next[body->publisher];
    self->next[body->publisher] = body->number + 1;
    atomic_store_explicit(&self->distinct, self->distinct + 1, memory_order_relaxed);
    if (!now)
        return;
    if (!self->first)
        self->first = now;
    self->last = now;
    fob_histogram_add(&self->delay, (int64_t)(now - body->sent));
}

uint64_t tally_together(const tally_t *const *tallies, unsigned count, uint64_t events) {
    uint64_t sum = 0;
    for (uint64_t word = 0; word < (events + 63) / 64; word++) {
        uint64_t bits = 0;
        for (unsigned i = 0; i < count; i++)
            bits |= tallies[i]->seen[word];
        sum += (uint64_t)__builtin_popcountll(bits);
    }
    return sum;
}
