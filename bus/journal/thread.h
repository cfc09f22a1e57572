/* thread: one of the journal's, with a lock and a condition of its own, made and ended as one. It
 * takes no signals; its condition waits by the monotonic clock. */
#ifndef FOB_JOURNAL_THREAD_H
#define FOB_JOURNAL_THREAD_H

#include "bus/journal/journal.h"

#include <pthread.h>

typedef struct {
    pthread_t id;
    pthread_mutex_t lock;
    pthread_cond_t work;
} fob_thread_t;

/* Starts it; what `run` touches is ready before. On failure nothing is left of it, and *error says
 * why. */
bool fob_thread_start(fob_thread_t *self, void *(*run)(void *), void *arg,
                      fob_journal_error_t *error);
/* Waits for its end, which the caller has asked for, and destroys lock and condition. */
void fob_thread_join(fob_thread_t *self);

/* A condition that waits by the monotonic clock. 0 or an errno. */
int fob_cond_init(pthread_cond_t *cond);
/* Waits, at most `ms` (negative: without end). Lock held. */
void fob_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms);

#endif
