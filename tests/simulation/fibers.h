/* fibers: the journal's runtime on one thread. Threads are fibers that take turns, who goes next is
 * the seed's choice, and time is virtual: it moves only when nobody can run. So a run with a seed
 * is the same each time, and nothing in it ever waits.
 *
 * All functions but new, run, join_in and destroy are called from within a fiber. */
#ifndef FOB_TESTS_SIMULATION_FIBERS_H
#define FOB_TESTS_SIMULATION_FIBERS_H

#include "bus/journal/runtime.h"

#include <stdbool.h>

typedef struct fibers fibers_t;

typedef enum {
    FIBERS_ENDED, /* all of them came to their end */
    FIBERS_STUCK, /* some wait for what nobody will do: fibers_print says for what */
    FIBERS_LATE   /* they took more turns than allowed */
} fibers_end_t;

/* NULL: no memory. */
fibers_t *fibers_new(uint64_t seed);
/* Those that have not ended are dropped where they are, with what they hold. */
void fibers_destroy(fibers_t **self_p);
/* Runs `run` as the first fiber, and all it starts, until the last has ended; at most so many
 * turns. Once. */
fibers_end_t fibers_run(fibers_t *self, void *(*run)(void *), void *arg, uint64_t turns);
/* In place of run: the thread that calls is the first fiber from here on. It goes its own way, and
 * the others have their turns whenever it waits. `stuck` is told if all wait for what nobody will
 * do, or never come to rest; it does not return. Whoever joined in destroys the fibers, when all
 * others have ended. */
void fibers_join_in(fibers_t *self, void (*stuck)(void *arg), void *arg);
/* When another one has something to do while the caller waits: microseconds; -1: at no time. */
int64_t fibers_due(const fibers_t *self);
/* Until then, the others do all that they can; at the end none is ready. */
void fibers_rest(fibers_t *self, int64_t until_us);
/* What each fiber does, to stderr. */
void fibers_print(const fibers_t *self);

/* As long as the fibers live. */
const fob_runtime_t *fibers_runtime(fibers_t *self);
/* Microseconds since the start; turns taken. */
int64_t fibers_now(const fibers_t *self);
uint64_t fibers_turns(const fibers_t *self);

/* Another one may go first. */
void fibers_yield(fibers_t *self);
/* Goes on after so many microseconds; 0: as yield. */
void fibers_sleep(fibers_t *self, int64_t us);
/* Waits until a bell of the runtime is set, at most `us` (negative: without end). True: it is. */
bool fibers_wait_bell(fibers_t *self, int fd, int64_t us);
/* True: the bell is set. */
bool fibers_bell(const fibers_t *self, int fd);
/* The wall clock jumps, either way. */
void fibers_jump(fibers_t *self, int64_t ms);

#endif
