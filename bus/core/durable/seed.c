#include "bus/core/durable/seed.h"

#include "bus/core/durable/apply.h"

#include <assert.h>

/* 0 means that there is none yet. */
static uint64_t own_seed(const fob_core_t *self) {
    return self->config.seed ? self->config.seed : 1;
}

void fob_core_seed_start(fob_core_t *self) {
    if (self->seed == 0)
        fob_dedup_seed(self->dedup, own_seed(self));
}

bool fob_core_seed(fob_core_t *self) {
    if (self->seed)
        return true;
    fob_open_turn_t *turn = fob_core_open(self);
    uint8_t *bytes = turn && fob_turn_reserve(turn, 1, 0, 0, 0)
                         ? fob_turn_bytes(turn, FOB_RECORD_SEED_SIZE)
                         : NULL;
    if (!bytes)
        return false;
    fob_slice_t record = fob_slice(bytes, FOB_RECORD_SEED_SIZE);
    fob_record_write_seed(bytes, own_seed(self));
    fob_status_t status = fob_apply(self, fob_core_next_position(self), record);
    assert(status == FOB_OK);
    (void)status;
    fob_turn_record(turn, record, NULL, 0, 0);
    return true;
}

fob_status_t fob_apply_seed(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    uint64_t seed;
    if (!fob_record_read_seed(bytes, &seed) || seed == 0 || (self->seed && self->seed != seed))
        return fob_damaged(self, position, "the secret of ids is not one that we wrote");
    self->seed = seed;
    fob_dedup_seed(self->dedup, seed);
    return FOB_OK;
}
