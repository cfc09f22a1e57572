#include "bus/journal/thread.h"

#include "bus/journal/store.h"

#include <string.h>

bool fob_thread_start(fob_thread_t *self, const fob_runtime_t *runtime, void *(*run)(void *),
                      void *arg, fob_journal_error_t *error) {
    int rc = fob_lock_init(&self->lock, runtime);
    if (rc != 0)
        goto failed;
    rc = fob_cond_init(&self->work, runtime);
    if (rc != 0)
        goto no_cond;
    self->task.runtime = runtime;
    rc = runtime->start(runtime->arg, &self->task, run, arg);
    if (rc == 0)
        return true;
    fob_cond_destroy(&self->work);
no_cond:
    fob_lock_destroy(&self->lock);
failed:
    fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot start a thread of the journal: %s.",
                  strerror(rc));
    return false;
}

void fob_thread_join(fob_thread_t *self) {
    const fob_runtime_t *runtime = self->task.runtime;
    runtime->join(runtime->arg, &self->task);
    fob_cond_destroy(&self->work);
    fob_lock_destroy(&self->lock);
}
