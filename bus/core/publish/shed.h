/* shed: what a full group drops for the events of an offer, by its overflow policy. */
#ifndef FOB_CORE_SHED_H
#define FOB_CORE_SHED_H

#include "bus/core/durable/runs.h"
#include "bus/core/publish/offer.h"

/* One group that an offer takes beyond its limits. */
typedef struct {
    fob_group_t *group;
    fob_runs_writer_t runs;
    bool itself;                     /* the new event goes, not an older one */
    size_t behind;                   /* records that follow its own in the turn, at most */
    uint64_t depth, bytes;           /* before the offer, then as events come and go */
    uint64_t plain;                  /* that were never out and have priority 0 */
    uint64_t cursor[FOB_PRIORITIES]; /* those of a priority below it go already */
} fob_shed_t;

/* How many groups have to shed; their number is at most that of the sheet's groups. */
size_t fob_shed_count(const fob_offer_t *offer);
/* Fills `count` sheds, one for each, with all that they need; before anything is stored. One more
 * record may follow them in the turn. False: no memory. */
bool fob_shed_reserve(const fob_offer_t *offer, fob_shed_t *sheds, size_t count);
/* Brings the group back to its limits, behind the records of the events. */
void fob_shed_perform(const fob_offer_t *offer, fob_shed_t *shed);

#endif
