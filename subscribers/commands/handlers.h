/* handlers: child processes that handle one event each: fed on standard input, watched, reaped,
 * their end turned into a settle.
 *
 * Nothing here waits: a child that does not read its input, or does not end, holds up nobody. Main
 * thread. */
#ifndef FOB_HANDLERS_H
#define FOB_HANDLERS_H

#include "proto/buf.h"
#include "proto/cli/cli.h"
#include "subscribers/commands/firsts.h"
#include <fob/fob_worker.h>
#include <poll.h>

#define FOB_HANDLERS_KILL_MS 5000 /* from TERM to KILL */

typedef struct fob_handlers fob_handlers_t;

/* Appends what a child gets on its standard input. */
typedef void(fob_handlers_show_fn)(fob_buf_t *out, const fob_event_t *event);

typedef struct {
    const fob_cli_t *cli;
    fob_worker_t *worker;
    const char *group;
    char **command;             /* argv, ended by NULL */
    size_t jobs;                /* at once */
    int64_t timeout_ms;         /* a child may take so long; 0: as it likes */
    int64_t kill_ms;            /* 0: FOB_HANDLERS_KILL_MS */
    const fob_firsts_t *firsts; /* a command runs only for what it lets through, and ends with us;
                                   NULL: every event runs */
    fob_handlers_show_fn *show;
} fob_handlers_options_t;

/* What the options point to stays the caller's, until destroy. NULL: no memory. fob_stop_begin
 * (true) comes before. */
fob_handlers_t *fob_handlers_new(const fob_handlers_options_t *options);

/* Whether the command can be found and run: FOB_EXIT_OK, or it was said why not. */
int fob_handlers_check(const fob_cli_t *cli, const char *program);

/* FOB_EXIT_OK; or what to end with, after it was said why: `firsts` could not be told of an end. */
int fob_handlers_code(const fob_handlers_t *self);

size_t fob_handlers_running(const fob_handlers_t *self);

/* Starts a child for an event; takes the event in every case: where no child can be started it is
 * released, and the exit code to end with is given, after it was said why. Where `firsts` says so
 * it is settled, and none is started. At most `jobs` run at once. */
int fob_handlers_start(fob_handlers_t *self, fob_event_t **event);

/* What to poll for: `fds` has room for fob_handlers_most. Returns how many. */
size_t fob_handlers_fds(const fob_handlers_t *self, struct pollfd *fds);
size_t fob_handlers_most(const fob_handlers_t *self);
/* In how many ms, at the most, fob_handlers_move is wanted; -1: whenever a descriptor says so. */
int fob_handlers_pause(const fob_handlers_t *self);

/* Writes to the children that read; carries their standard errors on; ends those whose time is up
 * or whose lease is lost (TERM, then KILL, to their process groups); settles the events of those
 * that have ended: exit 0 acks, 65 rejects, 75 releases, all else retries, with the exit and the
 * last line of standard error as the reason; what was ended for its time retries; what lost its
 * lease is not settled. */
void fob_handlers_move(fob_handlers_t *self);

/* Kills what still runs, with its process group; frees; nulls. Null-safe. The events stay
 * unsettled. */
void fob_handlers_destroy(fob_handlers_t **self_p);

#endif
