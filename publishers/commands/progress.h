/* progress: one line on a terminal's standard error that tells how far `fob pub --lines` is. Main
 * thread. */
#ifndef FOB_PROGRESS_H
#define FOB_PROGRESS_H

#include "proto/cli/cli.h"

typedef struct {
    bool shown; /* standard error is a terminal, and nobody asked for quiet */
    bool on_screen;
    int64_t start, last; /* ms, monotonic */
} fob_progress_t;

void fob_progress_begin(fob_progress_t *self, const fob_cli_t *cli);
/* Shows the count, a few times a second at the most. */
void fob_progress_show(fob_progress_t *self, uint64_t stored);
/* How long to wait for news at the most, in ms, for poll: -1 where nothing is shown. */
int fob_progress_pause(const fob_progress_t *self);
/* Shows the last count and ends the line. */
void fob_progress_end(fob_progress_t *self, uint64_t stored);

#endif
