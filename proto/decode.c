#include "proto/decode.h"

#include "proto/envelope.h"

fob_status_t fob_decode(fob_pool_t *pool, fob_blob_t *blob, fob_slice_t bytes,
                        const fob_event_place_t *place, fob_event_t **event) {
    *event = fob_event_new(pool, blob, bytes, place);
    if (*event)
        return FOB_OK;
    /* Which of the two it was is asked only where it failed. */
    fob_envelope_t envelope;
    fob_cursor_t cursor = fob_cursor(bytes);
    fob_status_t status = fob_envelope_read(&cursor, UINT64_MAX, &envelope);
    return status == FOB_OK ? FOB_NO_MEMORY : FOB_BAD_EVENT;
}
