#include "journal_calm.h"

#include <stdbool.h>
#include <stddef.h>

/* A thread in a wait, as long as it is. */
typedef struct waiter {
    struct waiter *next;
    const fob_cond_t *at;
    bool called;
} waiter_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static fob_runtime_t table;
static waiter_t *waiters;
static unsigned tasks;

static int start(void *arg, fob_task_t *task, void *(*run)(void *), void *run_arg) {
    int rc = fob_runtime_real()->start(arg, task, run, run_arg);
    pthread_mutex_lock(&lock);
    tasks += rc == 0;
    pthread_mutex_unlock(&lock);
    return rc;
}

static void join(void *arg, fob_task_t *task) {
    fob_runtime_real()->join(arg, task);
    pthread_mutex_lock(&lock);
    tasks--;
    pthread_mutex_unlock(&lock);
}

static void wait_at(void *arg, fob_cond_t *cond, fob_lock_t *of, int64_t ms) {
    waiter_t self = {.at = cond};
    pthread_mutex_lock(&lock);
    self.next = waiters;
    waiters = &self;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    fob_runtime_real()->cond_wait(arg, cond, of, ms);
    pthread_mutex_lock(&lock);
    waiter_t **at = &waiters;
    while (*at != &self)
        at = &(*at)->next;
    *at = self.next;
    pthread_mutex_unlock(&lock);
}

/* The journal calls with the lock of those who wait held: nobody is about to. */
static void call_all(void *arg, fob_cond_t *cond) {
    pthread_mutex_lock(&lock);
    for (waiter_t *waiter = waiters; waiter; waiter = waiter->next)
        waiter->called |= waiter->at == cond;
    pthread_mutex_unlock(&lock);
    fob_runtime_real()->cond_broadcast(arg, cond);
}

static void make(void) {
    table = *fob_runtime_real();
    table.start = start;
    table.join = join;
    table.cond_wait = wait_at;
    table.cond_signal = call_all; /* a wait may end for no reason, so all may be called */
    table.cond_broadcast = call_all;
}

const fob_runtime_t *calm_runtime(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make);
    return &table;
}

static bool calm(void) {
    unsigned idle = 0;
    for (const waiter_t *waiter = waiters; waiter; waiter = waiter->next)
        idle += !waiter->called;
    return idle == tasks;
}

void calm_wait(void) {
    pthread_mutex_lock(&lock);
    while (!calm())
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}
