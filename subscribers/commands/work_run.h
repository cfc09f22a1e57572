/* work_run: the loop of `fob work`. Main thread. */
#ifndef FOB_WORK_RUN_H
#define FOB_WORK_RUN_H

#include "proto/cli/cli.h"
#include "proto/cli/when.h"

typedef struct {
    fob_cli_t cli;
    const char *group, *pattern;
    uint64_t jobs, prefetch, count; /* prefetch 0: the default; count 0: no end */
    int64_t lease_ms;               /* 0: as the group says */
    int64_t timeout_ms;             /* with a command; 0: none */
    fob_when_t from;                /* where a group that this makes begins */
    bool temporary, raw;
    const char *once_store; /* with a command: runs it once a key; NULL: none */
    char **command;         /* NULL: to standard output */
} fob_work_t;

/* Joins and works until `count`, a signal, a reader that has gone, or an error. The exit code;
 * where it is not FOB_EXIT_OK, it was said why. */
int fob_work_run(const fob_work_t *what);

#endif
