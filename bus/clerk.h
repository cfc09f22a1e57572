/* clerk: turns what a client says into a command for the core. Pure. */
#ifndef FOB_CLERK_H
#define FOB_CLERK_H

#include "bus/core/core.h"

/* Fills `out` from a well-formed message of a connection that said HELLO; everything in it is
 * borrowed. `session` may be NULL. FOB_OK; FOB_PROTOCOL: the message cannot be carried out,
 * `*problem` says why; FOB_AGAIN: not a command for the core (STATS, GROUP_LIST). */
fob_status_t fob_clerk_command(const fob_wire_t *msg, uint64_t conn, const uint8_t *session,
                               fob_blob_t *body, fob_command_t *out,
                               const char **problem) FOB_MUST_USE;

#endif
