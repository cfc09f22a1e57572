/* debt: what a group does not want any more and has not walked over yet. Events of priority 0 that
 * were shed or removed by number (group->debt: the lowest that were never out), and all that lies
 * below a place (group->skip_to).
 *
 * It is cleared by records, in large steps, with workers or without: so that the floor moves and
 * the journal can be trimmed. None of it is ever handed out. One thread. */
#ifndef FOB_CORE_DEBT_H
#define FOB_CORE_DEBT_H

#include "bus/core/work/walk.h"

/* Whether the next event of priority 0 may be one of those. */
bool fob_debt_any(const fob_core_t *self, const fob_group_t *group);
/* ... and there are enough of them to be cleared though nobody asks for an event. */
bool fob_debt_presses(const fob_core_t *self, const fob_group_t *group);
/* Clears up to *budget events of priority 0, and takes them off it. END: nothing is left that can
 * be cleared now; FOUND: the budget is spent; BLOCKED, MEMORY. */
fob_walk_t fob_debt_pay(fob_core_t *self, fob_group_t *group, uint32_t *budget);
/* Whether first hand-outs of priority 0 must wait: what may be out from before the start comes
 * first in paying, and is not known before the resume window is over. */
bool fob_debt_waits(const fob_core_t *self, const fob_group_t *group);
/* Clears events with a priority below group->skip_to. END: all that can be cleared now; FOUND: call
 * again; MEMORY. */
fob_walk_t fob_debt_skip_listed(fob_core_t *self, fob_group_t *group);

#endif
