/* decode: an event made of bytes that came from the bus, which nobody here trusts. */
#ifndef FOB_DECODE_H
#define FOB_DECODE_H

#include "proto/event.h"

/* FOB_OK: *event is the caller's, and holds the blob. FOB_BAD_EVENT: the bytes are none.
 * FOB_NO_MEMORY. */
fob_status_t fob_decode(fob_blob_t *blob, fob_slice_t bytes, const fob_event_place_t *place,
                        fob_event_t **event) FOB_MUST_USE;

#endif
