/* mail: what passes between the service and whoever has the sockets: the broker's ROUTER, or the
 * simulator's network. */
#ifndef FOB_SERVICE_MAIL_H
#define FOB_SERVICE_MAIL_H

#include "proto/blob.h"
#include "proto/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What became of one that was to be sent. */
typedef enum {
    FOB_SEND_DONE,   /* sent, or waits in the client's queue */
    FOB_SEND_GONE,   /* there is no such connection any more */
    FOB_SEND_UNREAD, /* the client does not read and its queue is full */
    FOB_SEND_MEMORY  /* out of memory */
} fob_send_t;

/* A message that came in. Slices are good until the next receive. */
typedef struct {
    fob_slice_t route, header;
    fob_blob_t *body; /* the receiver's own hold; NULL: none */
    size_t frames;    /* behind the routing id; those beyond two were thrown away, and a connection
                         that sent far too many was ended */
    bool failed;      /* out of memory: the body could not be kept */
    size_t bytes;
    uint64_t line; /* whose it is, as fob_peers_input_t has it; 0: not known */
} fob_mail_t;

#endif
