/* seed: the secret under which ids are hashed, and the record that keeps it. */
#ifndef FOB_CORE_SEED_H
#define FOB_CORE_SEED_H

#include "bus/core/state.h"

/* Makes sure that the journal has the secret before the first event with an id: the first call
 * writes it into the open turn. Without such a record the table uses the one that would be written,
 * so idents can be made before. False: no memory, nothing changed. */
bool fob_core_seed(fob_core_t *self);
/* Ends the replay: where the journal has no secret, that of the config is used. */
void fob_core_seed_start(fob_core_t *self);

/* FOB_OK, FOB_DAMAGED. */
fob_status_t fob_apply_seed(fob_core_t *self, uint64_t position, fob_slice_t bytes) FOB_MUST_USE;

#endif
