/* event: the inside of fob_event_t, for the clients that hand events out. */
#ifndef FOB_EVENT_INSIDE_H
#define FOB_EVENT_INSIDE_H

#include "proto/blob.h"
#include "proto/envelope.h"
#include "proto/pool.h"
#include <fob/fob_event.h>

/* What a delivery says beside the event's own bytes. */
typedef struct {
    uint32_t shard;
    uint64_t offset;
    int64_t time_ms;
    uint32_t attempt;
    uint64_t token;
    uint64_t epoch; /* that the offset is of; 0: not known, or fire-and-forget */
} fob_event_place_t;

/* Makes an event that holds `blob` (one more reference) of the encoded one with which `bytes`
 * begin, which lie in it: fob_event_envelope tells its own bytes. `pool` is where its memory is
 * from, NULL: from none. NULL: no memory (or the bytes are no event; nothing is held then). Strings
 * are made when first asked for. */
fob_event_t *fob_event_new(fob_pool_t *pool, fob_blob_t *blob, fob_slice_t bytes,
                           const fob_event_place_t *place);
const fob_envelope_t *fob_event_envelope(const fob_event_t *self);

#endif
