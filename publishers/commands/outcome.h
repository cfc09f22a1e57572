/* outcome: what `fob pub` does with the answers: counts, prints, remembers the first failure. Main
 * thread. */
#ifndef FOB_OUTCOME_H
#define FOB_OUTCOME_H

#include "proto/buf.h"
#include "proto/cli/cli.h"
#include <fob/fob_publisher.h>

typedef struct {
    const fob_cli_t *cli;
    bool lines;          /* a failure names its line */
    uint64_t sent;       /* events handed to the library */
    uint64_t sent_line;  /* the line of the last of them */
    uint64_t answered;   /* receipts that came */
    uint64_t stored;     /* of these */
    fob_status_t failed; /* of the first that was not stored; FOB_OK: none */
    uint64_t failed_line;
    char text[400];     /* of that one */
    fob_buf_t out;      /* lines for standard output */
    bool closed;        /* its reader has gone */
    uint64_t differing; /* duplicates whose data differed from the first's */
    bool alone;         /* it was said that no group takes the topic */
} fob_outcome_t;

/* A fob_receipt_fn; arg is a fob_outcome_t. The event's tag is its line's number. */
void fob_outcome_take(void *arg, const fob_receipt_t *receipt);

/* Notes a failure that has no receipt: the line before which all are to be stored. */
void fob_outcome_fail(fob_outcome_t *self, fob_status_t status, uint64_t line, const char *text);

/* Writes the lines that wait for standard output. FOB_EXIT_OK, or it was said why not. */
int fob_outcome_print(fob_outcome_t *self);

/* Says the failure in one sentence; returns the exit code, FOB_EXIT_OK where there was none.
 * `trouble` as in fob_fail_status. */
int fob_outcome_end(fob_outcome_t *self, const char *trouble);

#endif
