/* watch: tells, once each, that the bus has gone and that it is back, while a command waits for it.
 * Main thread. */
#ifndef FOB_CLI_WATCH_H
#define FOB_CLI_WATCH_H

#include "proto/cli/cli.h"

#define FOB_WATCH_MS 1000 /* how often to look, at the least */

typedef struct {
    bool away;
} fob_watch_t;

/* Look with the library's trouble: "" where all is well. */
void fob_watch_look(fob_watch_t *self, const fob_cli_t *cli, const char *trouble);

#endif
