/* runtime: what the journal asks of the system besides files: threads, locks, conditions, clocks,
 * random numbers, the descriptor that tells of news. As a table, so that a simulator can run all of
 * the journal on one thread, in an order and a time of its own. */
#ifndef FOB_JOURNAL_RUNTIME_H
#define FOB_JOURNAL_RUNTIME_H

#include <pthread.h>
#include <stdint.h>

struct fob_runtime;

/* Each knows the runtime it is of. `other` belongs to runtimes that are not the real one. */
typedef struct {
    const struct fob_runtime *runtime;
    union {
        pthread_mutex_t real;
        void *other[4];
    } of;
} fob_lock_t;

typedef struct {
    const struct fob_runtime *runtime;
    union {
        pthread_cond_t real;
        void *other[4];
    } of;
} fob_cond_t;

typedef struct {
    const struct fob_runtime *runtime;
    union {
        pthread_t real;
        void *other;
    } of;
} fob_task_t;

/* Each call gets `arg`. Those that may fail return 0 or an errno, but for bell_open. */
typedef struct fob_runtime {
    void *arg;
    /* Runs `run` beside the caller, with all signals blocked; join waits for its end. */
    int (*start)(void *arg, fob_task_t *task, void *(*run)(void *), void *run_arg);
    void (*join)(void *arg, fob_task_t *task);
    int (*lock_init)(void *arg, fob_lock_t *lock);
    void (*lock_destroy)(void *arg, fob_lock_t *lock);
    void (*lock_take)(void *arg, fob_lock_t *lock);
    void (*lock_drop)(void *arg, fob_lock_t *lock);
    int (*cond_init)(void *arg, fob_cond_t *cond);
    void (*cond_destroy)(void *arg, fob_cond_t *cond);
    /* At most `ms` by the monotonic clock; negative: without end. May wake for no reason. */
    void (*cond_wait)(void *arg, fob_cond_t *cond, fob_lock_t *lock, int64_t ms);
    void (*cond_signal)(void *arg, fob_cond_t *cond);
    void (*cond_broadcast)(void *arg, fob_cond_t *cond);
    int64_t (*mono_ms)(void *arg);
    int64_t (*wall_ms)(void *arg);
    uint64_t (*random64)(void *arg);
    /* A descriptor that is readable from set to clear; -1 with errno: none. Set is called by any
     * thread, and once only between two clears. */
    int (*bell_open)(void *arg);
    void (*bell_close)(void *arg, int fd);
    void (*bell_set)(void *arg, int fd);
    void (*bell_clear)(void *arg, int fd);
} fob_runtime_t;

/* Threads, and the system's clocks. */
const fob_runtime_t *fob_runtime_real(void);

static inline int64_t fob_mono_ms(const fob_runtime_t *self) {
    return self->mono_ms(self->arg);
}

static inline int64_t fob_wall_ms(const fob_runtime_t *self) {
    return self->wall_ms(self->arg);
}

static inline uint64_t fob_random64(const fob_runtime_t *self) {
    return self->random64(self->arg);
}

/* 0 or an errno. */
static inline int fob_lock_init(fob_lock_t *self, const fob_runtime_t *runtime) {
    self->runtime = runtime;
    return runtime->lock_init(runtime->arg, self);
}

static inline void fob_lock_destroy(fob_lock_t *self) {
    self->runtime->lock_destroy(self->runtime->arg, self);
}

static inline void fob_lock_take(fob_lock_t *self) {
    self->runtime->lock_take(self->runtime->arg, self);
}

static inline void fob_lock_drop(fob_lock_t *self) {
    self->runtime->lock_drop(self->runtime->arg, self);
}

/* 0 or an errno. */
static inline int fob_cond_init(fob_cond_t *self, const fob_runtime_t *runtime) {
    self->runtime = runtime;
    return runtime->cond_init(runtime->arg, self);
}

static inline void fob_cond_destroy(fob_cond_t *self) {
    self->runtime->cond_destroy(self->runtime->arg, self);
}

/* Waits, at most `ms` (negative: without end). Lock held. */
static inline void fob_cond_wait(fob_cond_t *self, fob_lock_t *lock, int64_t ms) {
    self->runtime->cond_wait(self->runtime->arg, self, lock, ms);
}

static inline void fob_cond_signal(fob_cond_t *self) {
    self->runtime->cond_signal(self->runtime->arg, self);
}

static inline void fob_cond_broadcast(fob_cond_t *self) {
    self->runtime->cond_broadcast(self->runtime->arg, self);
}

#endif
