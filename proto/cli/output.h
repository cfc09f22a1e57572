/* output: standard output and the signals that ask a command to stop.
 *
 * A reader that does not read must not keep a command from stopping, so output waits for room and
 * for signals at once. Signals are global to a process, and so is this. Main thread only. */
#ifndef FOB_CLI_OUTPUT_H
#define FOB_CLI_OUTPUT_H

#include "proto/slice.h"

/* From now on SIGTERM, SIGINT and SIGHUP are noted instead of ending the process (a SIGHUP that was
 * ignored stays so), and SIGPIPE is ignored; with `children`, SIGCHLD makes fob_stop_fd readable,
 * too. False: the system refused. */
bool fob_stop_begin(bool children);
/* How many stop signals came: 1 asks to finish, 2 and more to go at once. */
int fob_stop_count(void);
/* Readable when a signal came since the last fob_stop_clear. */
int fob_stop_fd(void);
void fob_stop_clear(void);
/* Waits until `fd` is ready for `events` (poll's), a signal came, or timeout_ms passed (negative:
 * without end). True: fd is ready (or in error). fd -1: only signals and time. */
bool fob_stop_wait(int fd, short events, int timeout_ms);

typedef enum {
    FOB_OUTPUT_OK,
    FOB_OUTPUT_CLOSED,  /* the reader has gone */
    FOB_OUTPUT_STOPPED, /* a stop signal came while nobody read; a part may be written */
    FOB_OUTPUT_FAILED   /* errno says why */
} fob_output_t;

/* Writes all of it to standard output, unbuffered. */
fob_output_t fob_output(fob_slice_t bytes);

#endif
