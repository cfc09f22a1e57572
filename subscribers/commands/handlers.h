/* handlers: child processes that handle one event each: fed on standard input, reaped, their end
 * turned into a settle.
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

typedef struct fob_handlers fob_handlers_t;

/* Appends what a child gets on its standard input. */
typedef void(fob_handlers_show_fn)(fob_buf_t *out, const fob_event_t *event);

/* `command` is argv, ended by NULL, and stays the caller's. NULL: no memory. fob_stop_begin (true)
 * comes before. */
fob_handlers_t *fob_handlers_new(const fob_cli_t *cli, fob_worker_t *worker, const char *group,
                                 char **command, size_t jobs, fob_handlers_show_fn *show);

/* Whether the command can be found and run: FOB_EXIT_OK, or it was said why not. */
int fob_handlers_check(const fob_cli_t *cli, const char *program);

/* From now on a command runs only for what `firsts` lets through, and ends with us. Stays the
 * caller's, until destroy. */
void fob_handlers_firsts(fob_handlers_t *self, const fob_firsts_t *firsts);

/* FOB_EXIT_OK; or what to end with, after it was said why: `firsts` could not be told of an end. */
int fob_handlers_code(const fob_handlers_t *self);

size_t fob_handlers_running(const fob_handlers_t *self);

/* Starts a child for an event; takes the event in every case: where no child can be started it is
 * released, and the exit code to end with is given, after it was said why. Where `firsts` says so
 * it is settled, and none is started. At most `jobs` run at once. */
int fob_handlers_start(fob_handlers_t *self, fob_event_t **event);

/* What to poll for: `fds` has room for `jobs`. Returns how many. */
size_t fob_handlers_fds(const fob_handlers_t *self, struct pollfd *fds);

/* Writes to the children that read, without waiting for any. */
void fob_handlers_feed(fob_handlers_t *self);

/* Settles the events of the children that have ended: exit 0 acks, 65 rejects, 75 releases, all
 * else retries. */
void fob_handlers_reap(fob_handlers_t *self);

/* Kills what still runs, with its process group; frees; nulls. Null-safe. The events stay
 * unsettled. */
void fob_handlers_destroy(fob_handlers_t **self_p);

#endif
