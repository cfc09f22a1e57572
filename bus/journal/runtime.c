#include "bus/journal/runtime.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Threads inherit the mask of signals: all are blocked while one is made. */
static int real_start(void *arg, fob_task_t *task, void *(*run)(void *), void *run_arg) {
    (void)arg;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&task->of.real, NULL, run, run_arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void real_join(void *arg, fob_task_t *task) {
    (void)arg;
    pthread_join(task->of.real, NULL);
}

static int real_lock_init(void *arg, fob_lock_t *lock) {
    (void)arg;
    return pthread_mutex_init(&lock->of.real, NULL);
}

static void real_lock_destroy(void *arg, fob_lock_t *lock) {
    (void)arg;
    pthread_mutex_destroy(&lock->of.real);
}

static void real_lock_take(void *arg, fob_lock_t *lock) {
    (void)arg;
    pthread_mutex_lock(&lock->of.real);
}

static void real_lock_drop(void *arg, fob_lock_t *lock) {
    (void)arg;
    pthread_mutex_unlock(&lock->of.real);
}

static int real_cond_init(void *arg, fob_cond_t *cond) {
    (void)arg;
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc != 0)
        return rc;
    rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(&cond->of.real, &attr);
    pthread_condattr_destroy(&attr);
    return rc;
}

static void real_cond_destroy(void *arg, fob_cond_t *cond) {
    (void)arg;
    pthread_cond_destroy(&cond->of.real);
}

static void real_cond_wait(void *arg, fob_cond_t *cond, fob_lock_t *lock, int64_t ms) {
    (void)arg;
    if (ms < 0) {
        pthread_cond_wait(&cond->of.real, &lock->of.real);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&cond->of.real, &lock->of.real, &until);
}

static void real_cond_signal(void *arg, fob_cond_t *cond) {
    (void)arg;
    pthread_cond_signal(&cond->of.real);
}

static void real_cond_broadcast(void *arg, fob_cond_t *cond) {
    (void)arg;
    pthread_cond_broadcast(&cond->of.real);
}

static int64_t clock_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t real_mono_ms(void *arg) {
    (void)arg;
    return clock_ms(CLOCK_MONOTONIC);
}

static int64_t real_wall_ms(void *arg) {
    (void)arg;
    return clock_ms(CLOCK_REALTIME);
}

static uint64_t real_random64(void *arg) {
    (void)arg;
    uint64_t value = 0;
    /* 8 bytes come whole once the system's pool is ready; before that the time must do. */
    if (getrandom(&value, sizeof value, GRND_NONBLOCK) != (ssize_t)sizeof value) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        value = (uint64_t)now.tv_sec * UINT64_C(1000000007) + (uint64_t)now.tv_nsec;
    }
    return value;
}

static int real_bell_open(void *arg) {
    (void)arg;
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void real_bell_close(void *arg, int fd) {
    (void)arg;
    close(fd);
}

static void real_bell_set(void *arg, int fd) {
    (void)arg;
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    /* A counter that holds 1 at most cannot overflow, and nothing else can fail on our own
     * descriptor. */
    assert(n == (ssize_t)sizeof one);
    (void)n;
}

static void real_bell_clear(void *arg, int fd) {
    (void)arg;
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

const fob_runtime_t *fob_runtime_real(void) {
    static const fob_runtime_t real = {
        .start = real_start,
        .join = real_join,
        .lock_init = real_lock_init,
        .lock_destroy = real_lock_destroy,
        .lock_take = real_lock_take,
        .lock_drop = real_lock_drop,
        .cond_init = real_cond_init,
        .cond_destroy = real_cond_destroy,
        .cond_wait = real_cond_wait,
        .cond_signal = real_cond_signal,
        .cond_broadcast = real_cond_broadcast,
        .mono_ms = real_mono_ms,
        .wall_ms = real_wall_ms,
        .random64 = real_random64,
        .bell_open = real_bell_open,
        .bell_close = real_bell_close,
        .bell_set = real_bell_set,
        .bell_clear = real_bell_clear,
    };
    return &real;
}
