/* frame: see frame.h. */
#include "proto/link/frame.h"

#include "proto/handover.h"

#include <errno.h>
#include <stdlib.h>

static void message_free(void *data, void *hint) {
    (void)data;
    zmq_msg_close(hint);
    free(hint);
}

fob_blob_t *fob_frame_take(zmq_msg_t *msg) {
    zmq_msg_t *moved = malloc(sizeof *moved);
    if (!moved)
        return NULL;
    zmq_msg_init(moved);
    zmq_msg_move(moved, msg);
    /* Short messages lie inside the zmq_msg_t itself: ask for the data where it is now. */
    fob_blob_t *blob = fob_blob_wrap(zmq_msg_data(moved), zmq_msg_size(moved), message_free, moved);
    if (!blob) {
        zmq_msg_move(msg, moved);
        zmq_msg_close(moved);
        free(moved);
    }
    return blob;
}

static void blob_free(void *data, void *hint) {
    (void)data;
    fob_blob_t *blob = hint;
    fob_take_over(blob);
    fob_blob_unref(&blob);
}

bool fob_frame_make(zmq_msg_t *msg, fob_blob_t *blob) {
    fob_slice_t bytes = fob_blob_slice(blob);
    fob_hand_over(blob); /* libzmq's thread may drop the last reference */
    /* libzmq wants a pointer to bytes that it may write; it does not write them. */
    if (zmq_msg_init_data(msg, (void *)(uintptr_t)bytes.data, bytes.size, blob_free, blob) == 0)
        return true;
    fob_blob_unref(&blob);
    return false;
}

bool fob_frame_receive(zmq_msg_t *msg, void *socket) {
    int size;
    do
        size = zmq_msg_recv(msg, socket, ZMQ_DONTWAIT);
    while (size < 0 && errno == EINTR);
    return size >= 0;
}

bool fob_frame_copy(zmq_msg_t *msg, fob_slice_t bytes) {
    if (zmq_msg_init_size(msg, bytes.size) != 0)
        return false;
    if (bytes.size)
        memcpy(zmq_msg_data(msg), bytes.data, bytes.size);
    return true;
}
