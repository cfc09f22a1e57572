/* environment: ours, with an event's FOB_ variables in it: what a handler gets. Main thread. */
#ifndef FOB_ENVIRONMENT_H
#define FOB_ENVIRONMENT_H

#include "proto/buf.h"
#include <fob/fob_event.h>

#define FOB_ENVIRONMENT_OURS                                                                       \
    7 /* FOB_TOPIC FOB_OFFSET FOB_ID FOB_KEY FOB_ATTEMPT FOB_GROUP FOB_TOKEN */

typedef struct {
    char **items; /* for posix_spawn, ended by NULL; good until the next set */
    size_t base;  /* of these are ours, unchanged */
    fob_buf_t text;
} fob_environment_t;

/* Takes our environment over, without variables of these names. False: no memory. */
bool fob_environment_begin(fob_environment_t *self);
/* Adds an event's; FOB_KEY is missing where the event has none. False: no memory. */
bool fob_environment_set(fob_environment_t *self, const fob_event_t *event, const char *group);
void fob_environment_end(fob_environment_t *self);

#endif
