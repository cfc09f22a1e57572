/* process: programs under test: started, fed, read line by line with deadlines, killed, waited for.
 *
 *     int port = process_port ();
 *     process_t *bus = process_serve (port, "--memory", NULL);
 *     process_t *sub = process_fob ("sub", ">", "--bus", process_bus (port), NULL);
 *     const char *line = process_line (sub, PROCESS_OUT, 5000);
 *     process_destroy (&sub); process_destroy (&bus);
 *
 * Every wait has a deadline in ms and none sleeps. A program that is still running when it is
 * destroyed is killed
 * (-9) and reaped. What cannot be started ends the test with a message. One thread. */
#ifndef FOB_TESTS_PROCESS_H
#define FOB_TESTS_PROCESS_H

#include "tests/support/pace.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct process process_t;

typedef enum { PROCESS_OUT = 0, PROCESS_ERR = 1 } process_stream_t;

/* How long our own clients wait for their first contact with the bus where a test does not say. */
#define PROCESS_CONNECT "80s"

/* Starts argv[0] (looked up in PATH) with pipes on its three streams. argv ends with NULL. A client
 * of ours gets `--connect-timeout PROCESS_CONNECT` where it is told nothing else. */
process_t *process_spawn(const char *const argv[]);

/* The same for `$FOB_BINARY first ...`, the list ended by NULL. */
process_t *process_fob(const char *first, ...) __attribute__((sentinel));

/* `$FOB_BINARY serve --port PORT first ...`, ended by NULL; returns once it says that it is ready.
 */
process_t *process_serve(int port, const char *first, ...) __attribute__((sentinel));

pid_t process_pid(const process_t *self);

/* Writes all of it to the program's standard input. False: it does not read any more, or took
 * too long. */
bool process_write(process_t *self, const void *data, size_t size);
bool process_puts(process_t *self, const char *text);
void process_close_input(process_t *self);
/* Closes our end of one of its outputs: it gets EPIPE when it writes more. */
void process_close_output(process_t *self, process_stream_t stream);

/* The next line without its newline, good until the next call for that stream; also a last one
 * without newline. NULL: the stream ended, or none came in time. */
const char *process_line(process_t *self, process_stream_t which, int timeout_ms);
/* Reads lines until one contains `text`, and returns that one; NULL as above. */
const char *process_line_with(process_t *self, process_stream_t stream, const char *text,
                              int timeout_ms);
/* All that is left of a stream until its end, terminated by a zero byte, the caller's to free;
 * *size may be NULL. NULL: it did not end in time. */
char *process_rest(process_t *self, process_stream_t which, size_t *size, int timeout_ms);

void process_signal(process_t *self, int signal_number);

/* Waits for its end. The exit code; 128 + N where signal N ended it; -1: still running after
 * timeout_ms. Its output may still be read afterwards. */
int process_wait(process_t *self, int timeout_ms);

/* Kills what still runs, frees, nulls. Null-safe. */
void process_destroy(process_t **self_p);

/* Runs a program with `input` (NULL: none) to its end and returns its exit code. *out
 * and *err (either may be NULL) get what it wrote, the caller's to free. */
int process_run(const char *const argv[], const char *input, char **out, char **err);
/* The same for `$FOB_BINARY first ...`. */
int process_run_fob(const char *input, char **out, char **err, const char *first, ...)
    __attribute__((sentinel));

/* A port N such that N .. N+2 and N+10 are free, ours until this process ends (other tests that ask
 * get others). */
int process_port(void);
/* "tcp://127.0.0.1:PORT"; static memory, overwritten by the fourth call after it. */
const char *process_bus(int port);

/* A new empty folder under $TMPDIR or /tmp; the caller frees the name. */
char *process_folder(void);
/* Removes it and all within, frees the name and nulls it. Null-safe. */
void process_folder_remove(char **folder_p);

/* Milliseconds on the monotonic clock. */
long long process_clock(void);

/* How late this machine is just now: the ms until a program of ours was started and ended. */
long long process_lag(void);
/* Whether `took` ms are more than `most`, which a machine without load keeps: `lag` is what
 * process_lag gave meanwhile, and each of the steps that are waited for may be that late. */
bool process_late(long long took, long long most, long long lag);

#endif
