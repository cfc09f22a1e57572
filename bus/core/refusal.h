/* refusal: the publishers that were refused and have not come back to it: what comes behind that
 * number is refused too, until it is offered again.
 *
 * One for a connection at most, gone with it. Volatile: never in the hash or a checkpoint. */
#ifndef FOB_CORE_REFUSAL_H
#define FOB_CORE_REFUSAL_H

#include "bus/core/map64.h"
#include "proto/wire.h"

typedef struct {
    uint8_t session[FOB_SESSION_SIZE];
    uint64_t from;
    fob_status_t status;
    uint32_t next_free; /* index + 1, of a free place */
} fob_refusal_t;

/* All zeros: none. */
typedef struct {
    fob_map64_t by_conn;
    fob_refusal_t *slab;
    uint32_t capacity, used, free;
} fob_refusals_t;

void fob_refusals_free(fob_refusals_t *self);
/* That of the session on the connection, or NULL; good until the next call. */
const fob_refusal_t *fob_refusals_find(const fob_refusals_t *self, uint64_t conn,
                                       const uint8_t *session);
/* Remembers, instead of what the connection had. Without memory nothing is remembered: later
 * numbers are then answered GAP. */
void fob_refusals_put(fob_refusals_t *self, uint64_t conn, const uint8_t *session, uint64_t from,
                      fob_status_t status);
void fob_refusals_forget(fob_refusals_t *self, uint64_t conn);

#endif
