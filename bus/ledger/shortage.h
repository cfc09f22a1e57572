/* shortage: what the operator is told while publishes are refused for want of room: once when it
 * begins, with the group that holds most of the journal, and once when it is over. Pure but for the
 * figures it asks of the core. */
#ifndef FOB_LEDGER_SHORTAGE_H
#define FOB_LEDGER_SHORTAGE_H

#include "bus/core/core.h"

/* Begins as zeros. */
typedef struct {
    bool short_of_room;
    int64_t quiet_ns; /* nothing is said before: a bus at its limit goes in and out of it all the
                         time */
} fob_shortage_t;

/* Tells of one publish that was or was not `refused` for want of room. True: `line` is to be said.
 */
bool fob_shortage_tell(fob_shortage_t *self, fob_now_t now, bool refused, fob_core_t *core,
                       char *line, size_t size);

#endif
