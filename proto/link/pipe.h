/* pipe: one try's socket: a DEALER and the monitor that tells what becomes of its connection. Made
 * for one connection and thrown away with it, so that nothing stale is ever sent on another. One
 * thread at a time. */
#ifndef FOB_PIPE_H
#define FOB_PIPE_H

#include "proto/link/frame.h"
#include <zmq.h>

#define FOB_PIPE_FRAME_MAX                                                                         \
    (64 * 1024 * 1024) /* bytes of a frame from the bus; a longer one ends the connection */

/* How far the connection has come, as the monitor told. */
typedef enum {
    FOB_PIPE_BEGUN, /* the host's name is being resolved */
    FOB_PIPE_DIALLED,
    FOB_PIPE_CONNECTED
} fob_pipe_stage_t;

typedef struct {
    void *dealer; /* NULL: closed */
    void *monitor;
    fob_pipe_stage_t stage;
    int fd;       /* libzmq's, of the connection; -1: not known */
    bool pending; /* head (and body) wait for room */
    bool has_body;
    zmq_msg_t head, body;
} fob_pipe_t;

typedef enum { FOB_PIPE_SENT, FOB_PIPE_FULL, FOB_PIPE_BROKEN } fob_pipe_sent_t;

/* Opens a closed pipe to the endpoint. NULL: under way; else why not, in words. */
const char *fob_pipe_open(fob_pipe_t *self, void *context, const char *endpoint);

/* Closes it, dropping what waits; what libzmq has already may linger for `linger_ms`. A closed one
 * stays so. */
void fob_pipe_close(fob_pipe_t *self, int linger_ms);

/* Sends header (copied) and body (its reference is taken in every case; may be NULL), without
 * waiting. FULL: they wait in the pipe for fob_pipe_flush, and nothing else may be sent before.
 * BROKEN: no memory, or the connection went. */
fob_pipe_sent_t fob_pipe_send(fob_pipe_t *self, fob_slice_t header, fob_blob_t *body);
fob_pipe_sent_t fob_pipe_flush(fob_pipe_t *self);

/* What the monitor told: NULL, or why the connection is gone, in words. libzmq tells of a failed
 * connect, but not why: refused and unreachable are the same. */
const char *fob_pipe_trouble(fob_pipe_t *self);

/* How many bytes came on the connection, a message without its end included. False: there is none,
 * or the system does not tell. */
bool fob_pipe_received(const fob_pipe_t *self, uint64_t *bytes);

/* Why there is no answer yet, in words, by what the monitor told last. libzmq says nothing at all
 * of a name that cannot be resolved. */
const char *fob_pipe_late(const fob_pipe_t *self);

#endif
