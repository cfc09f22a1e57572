/* firsts: with --once-store, which events a command runs for: those whose key was not done before.
 * Main thread. */
#ifndef FOB_FIRSTS_H
#define FOB_FIRSTS_H

#include "proto/cli/cli.h"
#include <fob/fob_once.h>
#include <fob/fob_worker.h>

typedef struct {
    const fob_cli_t *cli;
    const char *group;
    fob_once_t *once; /* NULL: there is no store, every event runs */
} fob_firsts_t;

/* Opens the store in `folder`; NULL opens none. FOB_EXIT_OK, or it was said why not. */
int fob_firsts_open(fob_firsts_t *self, const char *folder);
void fob_firsts_close(fob_firsts_t *self);

/* FOB_EXIT_OK and *how is 0: run it, then comes fob_firsts_end. Otherwise *how settles the event
 * without a run: ACK where it was done before, RELEASE where somebody is at it, or where the store
 * failed: then it is the exit code, and it was said why. */
int fob_firsts_begin(const fob_firsts_t *self, const fob_event_t *event, fob_settle_t *how);

/* What ran is done where it is acked; otherwise it may run again. FOB_EXIT_OK; or the exit code:
 * the store failed, and it was said why. */
int fob_firsts_end(const fob_firsts_t *self, const fob_event_t *event, fob_settle_t how);

#endif
