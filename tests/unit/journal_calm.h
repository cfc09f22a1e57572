/* journal_calm: threads and clocks of which a test can say when a journal has done all that it can:
 * so that what a test sees does not depend on how fast they are. */
#ifndef FOB_TESTS_JOURNAL_CALM_H
#define FOB_TESTS_JOURNAL_CALM_H

#include "bus/journal/runtime.h"

/* The real ones, watched; for all journals of the process at once. */
const fob_runtime_t *calm_runtime(void);
/* Waits until every thread that was started waits, and was told of nothing since it does. Who waits
 * for a while only counts, too. */
void calm_wait(void);

#endif
