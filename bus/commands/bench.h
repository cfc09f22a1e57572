/* bench: what the parts of `fob bench` share: one run, from its options to its figures. Main
 * thread. */
#ifndef FOB_BENCH_H
#define FOB_BENCH_H

#include "proto/cli/bench/client.h"
#include "proto/cli/cli.h"

#include <jansson.h>

typedef struct {
    fob_cli_t cli;
    const char *work; /* "fanout", ... */
    fob_bench_plan_t plan;
    bool anyway; /* also where groups of others get the events */
    char prefix[32];
    char version[40], level[40]; /* of the bus, once it was asked */
} fob_bench_t;

typedef enum {
    FOB_BENCH_NEVER,       /* it did not begin, and it was said why: there are no figures */
    FOB_BENCH_COMPLETE,    /* all that can arrive has arrived */
    FOB_BENCH_INTERRUPTED, /* a signal ended it early */
    FOB_BENCH_FAILED       /* a client could not go on */
} fob_bench_end_t;

/* Runs the plan, with a process for each client. *board is the caller's to destroy, and has what
 * they counted; *end is how it ended. Returns the exit code; where it is not FOB_EXIT_OK, the run
 * never began, and it was said why. In every case nothing of it is left running. */
int fob_bench_run(fob_bench_t *bench, const fob_bench_parts_t *parts, fob_board_t **board,
                  fob_bench_end_t *end);

/* --- asking the bus --- */

/* Whether this bus may be used so: it answers, and no group of others gets the events. Says what is
 * going to be stored. FOB_EXIT_OK; else the exit code, and it was said why. */
int fob_bench_ask(fob_bench_t *self);

/* --- the line on a terminal --- */

typedef struct {
    const fob_board_t *board;
    bool shown, on_screen;
    int64_t last_ns;
    uint64_t before[4]; /* sent, confirmed, delivered, handled */
} fob_bench_progress_t;

void fob_bench_progress_begin(fob_bench_progress_t *self, const fob_bench_t *bench,
                              const fob_board_t *board);
/* Shows how far it is, a few times a second at the most. */
void fob_bench_progress_show(fob_bench_progress_t *self);
/* Takes the line away. */
void fob_bench_progress_end(fob_bench_progress_t *self);

/* --- the figures --- */

/* Clients of one kind, summed: from the first, so many. */
typedef struct {
    uint64_t sent, settled, refused, received, again, disordered, foreign, told;
    int64_t sent_ns, last_ns; /* of the last */
} fob_bench_sum_t;
fob_bench_sum_t fob_bench_sum(const fob_board_t *board, uint32_t first, uint32_t count);

/* Says why a client could not go on, the first of them. The exit code; FOB_EXIT_OK: all could. */
int fob_bench_failure(const fob_bench_t *self, const fob_board_t *board);

/* Says on standard error why the run is not what it should be: a client that could not go on,
 * events that were refused or lost. The exit code. */
int fob_bench_verdict(const fob_bench_t *self, const fob_board_t *board, const json_t *figures);

/* All that is to be told of a run, as one object; the caller's. NULL: no memory. */
json_t *fob_bench_figures(const fob_bench_t *self, const fob_board_t *board, fob_bench_end_t end);

/* Prints them for eyes. */
void fob_bench_show(const json_t *figures);

#endif
