/* site: where a peer runs: a fresh folder, free ports of 127.0.0.1, and its server processes, which
 * end with it, also where the bench is stopped or killed. */
#ifndef FOB_BENCH_SITE_H
#define FOB_BENCH_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct site site_t;

/* A folder below $FOB_BENCH_DIR, or /tmp, and nothing in it. Ends the program where that fails. */
site_t *site_new(const char *peer);
const char *site_folder(const site_t *self);
/* The n-th port of this site, from 0, up to 7: free when it is asked for first, then always the
 * same. */
int site_port(site_t *self, unsigned n);
/* "tcp://127.0.0.1:PORT" of that port, the site's own. */
const char *site_endpoint(site_t *self, unsigned n);
/* Writes a file into the folder: settings. Ends the program where that fails. */
void site_write(site_t *self, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Starts a program (searched in PATH, and in the sbin folders) in a session of its own with the
 * folder as its home and working directory; what it says goes to FOLDER/log. NULL ends the
 * arguments. Returns whether it could be started; it may still fail after. */
bool site_run(site_t *self, const char *const *arguments);
/* The same, and waits for its end: true is exit 0. */
bool site_do(site_t *self, const char *const *arguments);
/* Starts a broker of our own: `body` in a process that runs until it is stopped. */
bool site_fork(site_t *self, void (*body)(void *arg), void *arg);
/* Waits up to ten seconds until something listens at that port (0: no such wait) while all
 * processes live. */
bool site_await_port(site_t *self, unsigned n);
/* Waits up to `seconds` until `text` stands in FOLDER/log. */
bool site_await_line(site_t *self, const char *text, double seconds);

/* Of all its processes, and their children: processor seconds, resident bytes; bytes on disk in the
 * folder. */
double site_cpu(const site_t *self);
uint64_t site_memory(const site_t *self);
uint64_t site_disk(const site_t *self);

/* Ends all its processes: SIGTERM and, after `patience` seconds, SIGKILL; 0: that at once. The
 * folder and the ports stay: it may be started again. */
void site_stop(site_t *self, double patience);
/* Ends them, removes the folder. Null-safe, nulls. */
void site_destroy(site_t **self_p);

/* Whether the program is in PATH (or sbin). `path` (may be NULL) gets where. */
bool site_has_program(const char *name, char *path, size_t size);
/* The first line that matters of what `program argument` says, to tell a version: its first number
 * with a dot. False: there is none. */
bool site_version(const char *program, const char *argument, char *text, size_t size);

/* Whether the bench was told to stop (^C, SIGTERM). What waits asks it. */
bool site_stopping(void);
/* Takes the signals that say so. Once, at the start. */
void site_take_signals(void);

#endif
