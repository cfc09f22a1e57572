/* bell: a descriptor that is readable from ring to clear, with a system call only where that
 * changes. */
#ifndef FOB_JOURNAL_BELL_H
#define FOB_JOURNAL_BELL_H

#include "bus/journal/runtime.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct {
    const fob_runtime_t *runtime;
    int fd;
    atomic_bool rung;
} fob_bell_t;

/* False: no descriptor (errno). */
bool fob_bell_init(fob_bell_t *self, const fob_runtime_t *runtime);
/* One that is not open may be closed, if its fd is -1. */
void fob_bell_close(fob_bell_t *self);
/* After the news is in place. Any thread. */
void fob_bell_ring(fob_bell_t *self);
/* Before looking at the news: what is rung later makes it readable again. The owner's thread. */
void fob_bell_clear(fob_bell_t *self);

#endif
