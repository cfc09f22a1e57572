/* options: a command's options as a table. Names are never abbreviated: what a script writes today
 * must not get a second meaning when an option is added. One thread. */
#ifndef FOB_CLI_OPTIONS_H
#define FOB_CLI_OPTIONS_H

#include "proto/cli/cli.h"
#include "proto/duration.h"

typedef enum {
    FOB_OPT_FLAG,     /* bool *: becomes true */
    FOB_OPT_TEXT,     /* const char **: the argument as it is */
    FOB_OPT_COUNT,    /* uint64_t *: a whole number from `min` to `max` */
    FOB_OPT_DURATION, /* int64_t *: 250ms 5s 10m 2h 7d, above 0, in ms */
    FOB_OPT_LIST      /* fob_list_t *: may be given several times */
} fob_option_kind_t;

typedef struct {
    const char **items; /* as many as argc at most; allocated by the caller */
    size_t count, capacity;
} fob_list_t;

typedef struct {
    const char *name; /* "count": --count */
    char letter;      /* 'n': -n; 0: none */
    fob_option_kind_t kind;
    void *to;
    uint64_t min, max; /* of a COUNT; max 0: no end */
} fob_option_t;

#define FOB_ARGS_MAX 16 /* no command takes more arguments than that */

/* A command's line, taken apart. */
typedef struct {
    bool command; /* set before: what follows `--` is a command line, and goes to `rest` */
    const char *args[FOB_ARGS_MAX]; /* what is not an option */
    size_t arg_count;
    char **rest; /* what follows `--`, ended by NULL as argv is; NULL: there was no `--` */
} fob_args_t;

/* The options that every command which talks to the bus takes: -b, --connect-timeout, -j,
 * -v, -q. */
#define FOB_OPTIONS_CLIENT(cli)                                                                    \
    {"bus", 'b', FOB_OPT_TEXT, &(cli)->bus, 0, 0},                                                 \
        {"connect-timeout", 0, FOB_OPT_DURATION, &(cli)->connect_timeout_ms, 0, 0},                \
        {"verbose", 'v', FOB_OPT_FLAG, &(cli)->verbose, 0, 0}, {                                   \
        "quiet", 'q', FOB_OPT_FLAG, &(cli)->quiet, 0, 0                                            \
    }
#define FOB_OPTION_JSON(cli)                                                                       \
    { "json", 'j', FOB_OPT_FLAG, &(cli)->json, 0, 0 }

/* Takes argv apart (argv[0] is the command's name; not looked at). `-h` and `--help` print `help`
 * to standard output, `-V` and `--version` the version. `-` and negative numbers are arguments, and
 * so is all that follows `--`, unless args->command is set. -1: go on. Else the exit code to end
 * with; where it is FOB_EXIT_USAGE, it was said why. */
int fob_options(fob_cli_t *cli, const fob_option_t *options, size_t option_count, const char *help,
                int argc, char **argv, fob_args_t *args);

/* FOB_EXIT_OK if there are `min` to `max` arguments; else it says what is missing or too much, with
 * the usage line, and gives FOB_EXIT_USAGE. */
int fob_args_check(const fob_cli_t *cli, const fob_args_t *args, size_t min, size_t max,
                   const char *usage);

/* A whole number, digits only. */
bool fob_count_parse(const char *text, uint64_t *out);

#endif
