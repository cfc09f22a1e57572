/* salvage: the state that can still be had of a journal in which records are missing.
 *
 * A replay needs every record: what a record means depends on those before it. Where some are lost,
 * what follows is taken for what it says by itself (this event was acked, that one came back, a
 * group was made), and all that would have to be counted over the hole is given up. In doubt an
 * event is handed out again: better twice than lost. The books of the groups begin anew.
 *
 *     fob_core_load ...                    as in recovery
 *     fob_core_replay ...                  up to the first hole; then
 *     fob_core_salvage_hole                for each hole, and
 *     fob_core_salvage_record ...          for each record behind it
 *     fob_core_salvage_lost ..., fob_core_salvage_end
 *     fob_core_start                       and a checkpoint, which the next replay begins with
 *
 * One thread. */
#ifndef FOB_CORE_SALVAGE_H
#define FOB_CORE_SALVAGE_H

#include "bus/core/core.h"

/* Records are missing here; offsets up to `head` (0: not known) were given in them at the latest.
 */
void fob_core_salvage_hole(fob_core_t *self, uint64_t head);

/* A record behind a hole. FOB_OK, FOB_NO_MEMORY. *used: false where nothing of it can be used, as
 * the group that it is about is lost. */
fob_status_t fob_core_salvage_record(fob_core_t *self, uint64_t position, fob_slice_t record,
                                     bool *used) FOB_MUST_USE;

/* These events are lost, no group waits for them. FOB_OK, FOB_NO_MEMORY. */
fob_status_t fob_core_salvage_lost(fob_core_t *self, uint64_t from, uint64_t to) FOB_MUST_USE;

/* All records and losses were told, and some records were missing: new books for every group. What
 * is not known to be done is looked for in the journal again (as for a group that begins in the
 * past) and handed out; what came back and dead letters are kept; leases are void, and tokens go on
 * far above all that may have been given. */
void fob_core_salvage_end(fob_core_t *self);

#endif
