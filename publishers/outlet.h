/* outlet: the XPUB socket that fire-and-forget events leave by. It is live once the bus's
 * subscription has arrived: what is sent before would be lost. In the conduit's rounds only. */
#ifndef FOB_OUTLET_H
#define FOB_OUTLET_H

#include "proto/blob.h"

typedef struct {
    void *socket; /* NULL: closed */
    bool live;
} fob_outlet_t;

typedef enum { FOB_OUTLET_SENT, FOB_OUTLET_FULL, FOB_OUTLET_BROKEN } fob_outlet_sent_t;

/* Connects a closed outlet. False: no socket can be made. */
bool fob_outlet_open(fob_outlet_t *self, void *context, const char *endpoint);

/* Closes it; what was handed over may linger for `linger_ms`. A closed one stays so. */
void fob_outlet_close(fob_outlet_t *self, int linger_ms);

/* Reads what arrived: the bus's subscription makes it live. */
void fob_outlet_read(fob_outlet_t *self);

/* Hands over a message without waiting; takes the body's reference in every case. FULL: try later.
 * BROKEN: no memory. */
fob_outlet_sent_t fob_outlet_send(fob_outlet_t *self, fob_slice_t head, fob_blob_t *body);

#endif
