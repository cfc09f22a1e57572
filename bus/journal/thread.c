#include "bus/journal/thread.h"

#include "bus/journal/store.h"

#include <signal.h>
#include <string.h>
#include <time.h>

int fob_cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc != 0)
        return rc;
    rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    return rc;
}

void fob_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms) {
    if (ms < 0) {
        pthread_cond_wait(cond, lock);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(cond, lock, &until);
}

/* Threads inherit the mask of signals: all are blocked while one is made. */
static int create(pthread_t *id, void *(*run)(void *), void *arg) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(id, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

bool fob_thread_start(fob_thread_t *self, void *(*run)(void *), void *arg,
                      fob_journal_error_t *error) {
    int rc = pthread_mutex_init(&self->lock, NULL);
    if (rc != 0)
        goto failed;
    rc = fob_cond_init(&self->work);
    if (rc != 0)
        goto no_cond;
    rc = create(&self->id, run, arg);
    if (rc == 0)
        return true;
    pthread_cond_destroy(&self->work);
no_cond:
    pthread_mutex_destroy(&self->lock);
failed:
    fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot start a thread of the journal: %s.",
                  strerror(rc));
    return false;
}

void fob_thread_join(fob_thread_t *self) {
    pthread_join(self->id, NULL);
    pthread_cond_destroy(&self->work);
    pthread_mutex_destroy(&self->lock);
}
