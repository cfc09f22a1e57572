/* thread: one of the journal's, with a lock and a condition of its own, made and ended as one. */
#ifndef FOB_JOURNAL_THREAD_H
#define FOB_JOURNAL_THREAD_H

#include "bus/journal/journal.h"
#include "bus/journal/runtime.h"

typedef struct {
    fob_task_t task;
    fob_lock_t lock;
    fob_cond_t work;
} fob_thread_t;

/* Starts it; what `run` touches is ready before. On failure nothing is left of it, and *error says
 * why. */
bool fob_thread_start(fob_thread_t *self, const fob_runtime_t *runtime, void *(*run)(void *),
                      void *arg, fob_journal_error_t *error);
/* Waits for its end, which the caller has asked for, and destroys lock and condition. */
void fob_thread_join(fob_thread_t *self);

#endif
