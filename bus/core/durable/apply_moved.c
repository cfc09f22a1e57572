/* apply, moved: an event lies at another place from now on. */
#include "bus/core/durable/apply.h"

void fob_apply_move(fob_core_t *self, const fob_record_moved_t *record) {
    self->head = record->place;
    self->time_ms = record->time_ms;
    fob_moved_add(&self->moved, record->origin, record->place);
}

fob_status_t fob_apply_moved(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_moved_t record;
    if (!fob_record_read_moved(bytes, &record) || record.place != self->head + 1)
        return fob_damaged(self, position, "a moved event is not one that we wrote");
    if (!fob_moved_reserve(&self->moved, 1))
        return FOB_NO_MEMORY;
    fob_apply_move(self, &record);
    return FOB_OK;
}
