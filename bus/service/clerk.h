/* clerk: turns what a client says into a command for the core. Pure. */
#ifndef FOB_SERVICE_CLERK_H
#define FOB_SERVICE_CLERK_H

#include "bus/core/core.h"
#include "bus/fetch/fetches.h"

/* Who says it, and what the words may rest on. */
typedef struct {
    uint64_t conn;
    const uint8_t *session; /* of its HELLO; may be NULL */
    uint64_t max_disk;      /* bytes: what max_bytes may be a share of */
} fob_clerk_t;

/* Fills `out` from a well-formed message of a connection that said HELLO; everything in it is
 * borrowed. FOB_OK; FOB_PROTOCOL: the message cannot be carried out; FOB_INVALID: a question that
 * asks for something that there is not (it has a `req`, and is to be answered by a REPLY): `text`
 * says why; FOB_AGAIN: not a command for the core (STATS, GROUP_LIST). */
fob_status_t fob_clerk_command(const fob_clerk_t *self, const fob_wire_t *msg, fob_blob_t *body,
                               fob_command_t *out, char *text, size_t size) FOB_MUST_USE;

/* Fills `out` from a well-formed FETCH; its pattern is borrowed. FOB_OK; FOB_BAD_PATTERN. */
fob_status_t fob_clerk_fetch(uint64_t conn, const fob_wire_t *msg, fob_fetch_t *out) FOB_MUST_USE;
/* The same of a WHOLE. */
fob_status_t fob_clerk_whole(uint64_t conn, const fob_wire_t *msg, fob_whole_t *out) FOB_MUST_USE;

#endif
