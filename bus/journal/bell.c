#include "bus/journal/bell.h"

bool fob_bell_init(fob_bell_t *self, const fob_runtime_t *runtime) {
    atomic_init(&self->rung, false);
    self->runtime = runtime;
    self->fd = runtime->bell_open(runtime->arg);
    return self->fd >= 0;
}

void fob_bell_close(fob_bell_t *self) {
    if (self->fd >= 0)
        self->runtime->bell_close(self->runtime->arg, self->fd);
    self->fd = -1;
}

void fob_bell_ring(fob_bell_t *self) {
    if (!atomic_exchange(&self->rung, true))
        self->runtime->bell_set(self->runtime->arg, self->fd);
}

void fob_bell_clear(fob_bell_t *self) {
    /* Read before the flag falls: who rings in between is seen by the look that follows, and who
     * rings after writes again. The other way round a ring could be eaten and leave the flag up for
     * good. */
    self->runtime->bell_clear(self->runtime->arg, self->fd);
    atomic_exchange(&self->rung, false);
}
