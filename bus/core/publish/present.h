/* present: who is there: the sessions of all connections that are not over. A session is there as
 * long as one of its connections is. Volatile: after a start nobody is. */
#ifndef FOB_CORE_PRESENT_H
#define FOB_CORE_PRESENT_H

#include "bus/core/table/map64.h"
#include "proto/wire.h"

typedef struct {
    uint64_t conn;
    uint32_t chain; /* index + 1, of the next in the bucket, or of the next free place; 0: none */
    uint8_t session[FOB_SESSION_SIZE];
} fob_presence_t;

/* All zeros: nobody. */
typedef struct {
    fob_map64_t by_conn;
    fob_presence_t *slab;
    uint32_t *buckets; /* by session: index + 1; as many as there are places */
    uint32_t capacity, free;
} fob_present_t;

void fob_present_free(fob_present_t *self);
/* Room for one more; false: no memory, nothing changed. */
bool fob_present_reserve(fob_present_t *self);
/* A connection (not 0, and not there) and its session; there must be room. */
void fob_present_add(fob_present_t *self, uint64_t conn, const uint8_t *session);
/* Takes a connection out, and copies its session; false: it was not there. */
bool fob_present_remove(fob_present_t *self, uint64_t conn, uint8_t *session);
/* The session of a connection, good until the next change; NULL: it is not there. */
const uint8_t *fob_present_session(const fob_present_t *self, uint64_t conn);
/* Whether a connection of the session is there. */
bool fob_present_has(const fob_present_t *self, const uint8_t *session);

#endif
