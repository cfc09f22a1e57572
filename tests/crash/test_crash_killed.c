/* kill -9 of the bus at random moments under load, in a start and in an orderly end, too: what was
 * confirmed, as the files of publishers, workers and operators say, is so after the restart.
 * FOB_SEED repeats the moments (not the machine's), FOB_ROUNDS says how many. */
#include "crash_kit.h"
#include "storm.h"

#ifdef CRASH_EVERY /* under a sanitizer */
#define ROUNDS 4
#else
#define ROUNDS 8
#endif

static void what_was_confirmed_outlives_kill_9_at_any_moment(void **state) {
    (void)state;
    storm_t storm;
    unsigned rounds = crash_rounds(ROUNDS);
    storm_begin(&storm, crash_seed(20261120));
    for (unsigned i = 0; i < rounds; i++) {
        storm_round(&storm);
        if (i % 10 == 9)
            storm_calm(&storm);
    }
    storm_end(&storm);
}

FOB_MAIN(FOB_CASE(what_was_confirmed_outlives_kill_9_at_any_moment))
