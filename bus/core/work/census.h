/* census: a group that begins in the past does not know its events: census_at..census_to is looked
 * through for them, at its own pace, without workers and beside the hand-outs, which may not pass
 * it. What it finds enters the books at once, by records; so a restart goes on where it was. */
#ifndef FOB_CORE_CENSUS_H
#define FOB_CORE_CENSUS_H

#include "bus/core/work/walk.h"

/* As far as a turn's work goes, or to a page that must come first. True: there is more, at once. */
bool fob_census_step(fob_core_t *self, fob_group_t *group);

#endif
