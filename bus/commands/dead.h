/* dead: what the actions of `fob dead` share: the filter, and pages of letters asked for patiently.
 * Main thread. */
#ifndef FOB_COMMANDS_DEAD_H
#define FOB_COMMANDS_DEAD_H

#include "bus/commands/ask.h"
#include "proto/cli/options.h"

#define FOB_DEAD_PAGE 1000 /* letters asked for at once */

/* The filter as the command line gives it; NULL: not given. */
typedef struct {
    const char *reason, *topic, *key, *since, *until, *offset;
    uint64_t count; /* -n; 0: not given */
    uint64_t rate;  /* --rate; 0: as fast as it goes */
    bool dry;       /* --dry-run */
} fob_dead_options_t;

/* Questions about one group's letters, page after page. */
typedef struct {
    fob_cli_t cli; /* its own: once the bus was there it is waited for longer */
    fob_wire_t question;
    fob_buf_t filter;
    fob_answer_t answer; /* the last one */
    bool met;            /* the bus has answered */
    bool asked_again;    /* a question was sent twice: it may have been done twice */
    uint64_t epoch;
    uint64_t upto; /* serial of the newest letter meant; 0: not known yet */
} fob_dead_pages_t;

/* Reads the filter. FOB_EXIT_OK; else it was said what is wrong. fob_dead_pages_free it in every
 * case. */
int fob_dead_pages_init(fob_dead_pages_t *self, const fob_cli_t *cli, const char *group,
                        const fob_dead_options_t *options);
void fob_dead_pages_free(fob_dead_pages_t *self);
/* Asks for the letters above `from`, `limit` at the most. A bus that restarts is waited for:
 * --connect-timeout, or a minute. FOB_EXIT_OK: *status is what became of it, and `answer` is
 * filled; else it was said why. */
int fob_dead_pages_ask(fob_dead_pages_t *self, fob_verb_t verb, uint64_t from, uint64_t limit,
                       bool dry, fob_status_t *status);
/* A number of the last answer; 0 where it has none. */
uint64_t fob_dead_pages_number(const fob_dead_pages_t *self, const char *name);
/* The last answer's value. */
fob_slice_t fob_dead_pages_value(const fob_dead_pages_t *self);

/* The actions: the exit code. */
int fob_dead_ls(const fob_cli_t *cli, const fob_args_t *args, const fob_dead_options_t *options);
int fob_dead_show(const fob_cli_t *cli, const fob_args_t *args, const fob_dead_options_t *options);
int fob_dead_redrive(const fob_cli_t *cli, const fob_args_t *args,
                     const fob_dead_options_t *options);
int fob_dead_purge(const fob_cli_t *cli, const fob_args_t *args, const fob_dead_options_t *options);

#endif
