/* frame: a libzmq message as a blob and a blob as a libzmq message, without copying the bytes. */
#ifndef FOB_FRAME_H
#define FOB_FRAME_H

#include "proto/blob.h"
#include <zmq.h>

/* A blob with the message's bytes; the message is empty after it. NULL: no memory, the message is
 * unchanged. */
fob_blob_t *fob_frame_take(zmq_msg_t *msg);

/* Makes *msg of the blob's bytes and takes the caller's reference, which libzmq's thread drops in
 * the end. False: no memory; the reference is dropped all the same. */
bool fob_frame_make(zmq_msg_t *msg, fob_blob_t *blob);

/* The next frame of a socket, without waiting, also where a signal of the application's comes in
 * between (rounds run on its threads too). False: none is there, or errno says why. */
bool fob_frame_receive(zmq_msg_t *msg, void *socket);

/* Makes *msg of a copy of the bytes. False: no memory. */
bool fob_frame_copy(zmq_msg_t *msg, fob_slice_t bytes);

#endif
