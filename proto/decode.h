/* decode: an event made of bytes that came from the bus, which nobody here trusts. */
#ifndef FOB_DECODE_H
#define FOB_DECODE_H

#include "proto/event.h"

/* The event with which the bytes begin (fob_event_new). FOB_OK: *event is the caller's, and holds
 * the blob. FOB_BAD_EVENT: there is none. FOB_NO_MEMORY. */
fob_status_t fob_decode(fob_pool_t *pool, fob_blob_t *blob, fob_slice_t bytes,
                        const fob_event_place_t *place, fob_event_t **event) FOB_MUST_USE;

#endif
