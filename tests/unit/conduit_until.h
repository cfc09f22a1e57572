/* conduit_until: waiting for what a conduit's thread brings about. */
#ifndef FOB_CONDUIT_UNTIL_H
#define FOB_CONDUIT_UNTIL_H

#include "proto/link/conduit.h"

/* Waits until the condition holds, which is looked at under the conduit's lock whenever somebody
 * notifies it; the test fails after a minute. `client` has a `conduit`. */
#define UNTIL(client, condition)                                                                   \
    do {                                                                                           \
        int64_t until_ = fob_conduit_now().mono_ns + 60 * FOB_SEC;                                 \
        fob_conduit_lock((client)->conduit);                                                       \
        while (!(condition))                                                                       \
            if (!fob_conduit_wait((client)->conduit, until_))                                      \
                fail_msg("waited a minute for: %s", #condition);                                   \
        fob_conduit_unlock((client)->conduit);                                                     \
    } while (0)

#endif
