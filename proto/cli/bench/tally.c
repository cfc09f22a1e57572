#include "proto/cli/bench/tally.h"

#include <stdlib.h>

bool fob_tally_mark(const fob_tally_t *self, uint64_t number) {
    uint64_t bit = UINT64_C(1) << (number % 64);
    return !(atomic_fetch_or_explicit(&self->words[number / 64], bit, memory_order_relaxed) & bit);
}

uint64_t fob_tally_missing(const fob_tally_t *all, const fob_tally_t *seen, uint64_t end) {
    uint64_t missing = 0;
    for (uint64_t i = 0; i < fob_tally_words(end); i++) {
        uint64_t bits = atomic_load_explicit(&all->words[i], memory_order_relaxed) &
                        ~atomic_load_explicit(&seen->words[i], memory_order_relaxed);
        if (end - i * 64 < 64)
            bits &= (UINT64_C(1) << (end - i * 64)) - 1;
        missing += (uint64_t)__builtin_popcountll(bits);
    }
    return missing;
}

bool fob_order_begin(fob_order_t *self, uint32_t sources, uint32_t topics) {
    *self = (fob_order_t){.sources = sources, .topics = topics};
    self->next = calloc((size_t)sources * topics, sizeof *self->next);
    return self->next != NULL;
}

void fob_order_end(fob_order_t *self) {
    free(self->next);
    self->next = NULL;
}

bool fob_order_note(fob_order_t *self, uint32_t source, uint64_t number) {
    uint64_t *next = &self->next[(size_t)source * self->topics + number % self->topics];
    if (number < *next)
        return false;
    *next = number + 1;
    return true;
}
