/* rig: what every bench stands on: a bus in a process of its own, children, clocks, memory they
 * share. */
#ifndef FOB_BENCH_RIG_H
#define FOB_BENCH_RIG_H

#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

typedef struct {
    uint64_t events, size, topics;
    uint64_t rate; /* events a second; 0: as fast as can be */
    uint32_t window, workers;
    const char *sync; /* as for `fob serve --sync`; "memory": --memory */
} bench_options_t;

/* A bench: prints its rows; false: what it counted is wrong. */
typedef bool(bench_fn)(const bench_options_t *options);
bench_fn bench_topics, bench_backlog;

/* Prints one row of the table. */
void bench_row(const char *name, double value, const char *unit);

typedef struct rig rig_t;

/* Starts $FOB_BINARY serve in an empty folder on free ports, and waits until it is ready. Ends the
 * program with a sentence where that fails. */
rig_t *rig_new(const bench_options_t *options);
const char *rig_endpoint(const rig_t *self);
/* Ends it by a signal, and starts it again on the same folder and port: as rig_new. */
void rig_stop(rig_t *self, int signal);
void rig_start(rig_t *self, const bench_options_t *options);
/* When its process was begun last, as rig_now. */
double rig_started(const rig_t *self);
/* Bytes that its folder takes on the disk. */
uint64_t rig_disk(const rig_t *self);
/* Asks the system to keep nothing of the folder in memory. */
void rig_forget_cached(const rig_t *self);
/* Memory that the bus holds resident, in bytes, and processor seconds that it used. */
uint64_t rig_rss(const rig_t *self);
double rig_cpu(const rig_t *self);
/* The most memory that it ever held resident, in bytes. */
uint64_t rig_peak(const rig_t *self);
/* Processor seconds that a child of ours used so far, which is not waited for yet. */
double rig_child_cpu(pid_t child);
/* Runs `fob ARGUMENT...` (NULL ends them) beside us: what it writes is not kept; *lines (where not
 * NULL) gets a stream of its standard error, the caller's. */
pid_t rig_fob_beside(const rig_t *self, const char *const *arguments, FILE **lines);
/* Runs `fob ARGUMENT...` (NULL ends them) against it; true: exit 0. */
bool rig_fob(const rig_t *self, const char *const *arguments);
/* The same; what it wrote to its standard output, the caller's to free. */
char *rig_fob_says(const rig_t *self, const char *const *arguments);
/* Ends the bus as an operator would, removes the folder. */
void rig_destroy(rig_t **self_p);

/* Seconds, monotonic. */
double rig_now(void);
/* Memory, all zeros, shared with children made later. */
void *rig_shared(size_t size);
/* A child that runs `body` and exits with 0 where it returns true. */
pid_t rig_child(bool (*body)(void *arg), void *arg);
/* Waits for it. True: exit 0. */
bool rig_join(pid_t child);
/* Waits for what a child posts; ends the program after twenty seconds without. */
void rig_await(sem_t *what);
/* Ends the program: a bench that cannot run gives no figure. */
void rig_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
