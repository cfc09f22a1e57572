/* sparing: while the journal has little room left, what came back goes out again only a few at a
 * time: each such hand-out, and the return that may follow, takes room that is kept for settling
 * what is out.
 *
 * A group begins with one. Each of them that is acked allows one more to be out at once, so that
 * workers that can do their work soon get all of it, and by that make room. One that comes back
 * again makes it one again, and that not before a pause that doubles each time, up to five minutes:
 * failing workers cannot use the room up by retries. First hand-outs go on as ever: each such event
 * is settled once. Never are more out than what is left has room for; where that is none, one, and
 * the next a second later. Volatile. */
#ifndef FOB_CORE_SPARING_H
#define FOB_CORE_SPARING_H

#include "bus/core/state.h"

/* How many events that came back may go out to the group's workers now; UINT32_MAX: any number. */
uint32_t fob_sparing_most(const fob_core_t *self, const fob_group_t *group);
/* The lease, which ends now, has its event done; or it comes back, or is given up. */
void fob_sparing_done(fob_core_t *self, fob_group_t *group, const fob_grant_t *grant);
void fob_sparing_back(fob_core_t *self, fob_group_t *group, const fob_grant_t *grant);
/* The time at which more may go out, above now; FOB_NEVER: none is waited for. Wakes the group
 * where it has come. */
int64_t fob_sparing_due(fob_core_t *self, fob_group_t *group);

#endif
