#include "bus/journal/bell.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool fob_bell_init(fob_bell_t *self) {
    atomic_init(&self->rung, false);
    self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return self->fd >= 0;
}

void fob_bell_close(fob_bell_t *self) {
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

void fob_bell_ring(fob_bell_t *self) {
    if (atomic_exchange(&self->rung, true))
        return;
    uint64_t one = 1;
    ssize_t n = write(self->fd, &one, sizeof one);
    /* A counter that holds 1 at most cannot overflow, and nothing else can fail on our own
     * descriptor. */
    assert(n == (ssize_t)sizeof one);
    (void)n;
}

void fob_bell_clear(fob_bell_t *self) {
    uint64_t count;
    /* Read before the flag falls: who rings in between is seen by the look that follows, and who
     * rings after writes again. The other way round a ring could be eaten and leave the flag up for
     * good. */
    while (read(self->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    atomic_exchange(&self->rung, false);
}
