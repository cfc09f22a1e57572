/* stand: a bus with a data folder that can be killed and started again, and its books.
 *
 *     stand_t stand;
 *     stand_start (&stand);
 *     stand_kill_bus (&stand);           kill -9, and a new one on the same folder and port
 *     stand_await (&stand, "mailers", "ready", 10000);
 *     stand_end (&stand);
 *
 * FOB_BUS points to it. One at a time, one thread. What cannot be had fails the test. */
#ifndef FOB_TESTS_STAND_H
#define FOB_TESTS_STAND_H

#include "tests/support/process.h"

#include <jansson.h>

typedef struct {
    char *folder; /* the test's own; the bus's data is in it */
    char *data;
    char *config; /* a file; NULL: none */
    int port;
    process_t *bus;
} stand_t;

/* With a data folder of its own and the defaults. */
void stand_start(stand_t *self);
/* The same with these lines as the config file; or with the data at a path of the test's. */
void stand_start_with(stand_t *self, const char *config, const char *data);
void stand_kill_bus(stand_t *self);
/* A new one where the last has ended. */
void stand_serve(stand_t *self);
/* Ends the bus (which must end well), removes the folder. */
void stand_end(stand_t *self);

/* A path in the test's folder; the caller's to free. */
char *stand_path(const stand_t *self, const char *name);

/* `$FOB_BINARY ...` with its output going to a file, so that nobody waits for us to read it. The
 * words are a shell's. */
process_t *stand_fob_to(const char *file, const char *words);
/* Runs `$FOB_BINARY ...`, which must exit 0; returns what it wrote, the caller's to free. */
char *stand_do(const char *first, ...) __attribute__((sentinel));

/* Publishes so many events, whose data are the numbers from 0 on; each must be stored. */
void stand_publish(const char *topic, size_t count);

/* One group of `fob stats --json` (NULL: the bus is not there, or has no such group), its books
 * checked; json_decref it. */
json_t *stand_group(const stand_t *self, const char *group);
/* A figure of it; -1: it could not be had now. */
long long stand_figure(const stand_t *self, const char *group, const char *name);
/* Asks until the figure is `value`, within PACE_PATIENCE. */
void stand_await(const stand_t *self, const char *group, const char *name, long long value);
/* Until it is at least that. */
void stand_await_least(const stand_t *self, const char *group, const char *name, long long value);
/* Until nothing of any group is ready, leased or delayed. */
void stand_await_settled(const stand_t *self);
/* Until so many workers are there. */
void stand_await_workers(const stand_t *self, long long count);

/* The file's text, the caller's to free; "" where there is none yet. */
char *stand_read(const char *path);
/* Cuts the next line off a text and steps over it; NULL: it has come to its end. */
char *stand_line(char **rest);
/* Gives the processor away until process_clock says `at`: the pace of a load, or of asking again.
 */
void stand_pace(long long at);

#endif
