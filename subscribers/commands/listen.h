/* listen: what sub and tail share: a subscription, events one after the other to standard output,
 * losses told. Main thread. */
#ifndef FOB_LISTEN_H
#define FOB_LISTEN_H

#include "proto/buf.h"
#include "proto/cli/options.h"
#include <fob/fob_subscriber.h>

typedef struct {
    fob_cli_t cli;
    const char *pattern, *from;
    uint64_t count; /* 0: no end */
    /* Appends one event as it is to be written. */
    void (*show)(fob_buf_t *out, const fob_event_t *event, void *arg);
    void *arg;
} fob_listen_t;

/* Checks pattern, --from and the bus, subscribes, writes events until `count`, a signal, or a
 * reader that has gone. The exit code; where it is not FOB_EXIT_OK, it was said why. */
int fob_listen(const fob_listen_t *what);

#endif
