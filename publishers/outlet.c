/* outlet: see outlet.h. */
#include "publishers/outlet.h"

#include "proto/link/frame.h"

#include <errno.h>

#define OUTLET_HWM 256 /* messages of up to 256 KiB: beyond, events wait here and not in libzmq */

bool fob_outlet_open(fob_outlet_t *self, void *context, const char *endpoint) {
    self->live = false;
    self->socket = zmq_socket(context, ZMQ_XPUB);
    if (!self->socket)
        return false;
    int hwm = OUTLET_HWM, linger = 0, no_drop = 1;
    zmq_setsockopt(self->socket, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(self->socket, ZMQ_XPUB_NODROP, &no_drop, sizeof no_drop);
    if (zmq_connect(self->socket, endpoint) == 0)
        return true;
    fob_outlet_close(self, 0);
    return false;
}

void fob_outlet_close(fob_outlet_t *self, int linger_ms) {
    if (!self->socket)
        return;
    zmq_setsockopt(self->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_close(self->socket);
    *self = (fob_outlet_t){0};
}

void fob_outlet_read(fob_outlet_t *self) {
    zmq_msg_t said;
    zmq_msg_init(&said);
    while (fob_frame_receive(&said, self->socket))
        if (zmq_msg_size(&said) > 0 && *(const uint8_t *)zmq_msg_data(&said) == 1)
            self->live = true; /* and it stays so: the bus takes every topic */
    zmq_msg_close(&said);
}

fob_outlet_sent_t fob_outlet_send(fob_outlet_t *self, fob_slice_t head, fob_blob_t *body) {
    zmq_msg_t one, two;
    if (!fob_frame_make(&two, body))
        return FOB_OUTLET_BROKEN;
    if (!fob_frame_copy(&one, head)) {
        zmq_msg_close(&two);
        return FOB_OUTLET_BROKEN;
    }
    if (zmq_msg_send(&one, self->socket, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
        bool full = errno == EAGAIN || errno == EINTR;
        zmq_msg_close(&one);
        zmq_msg_close(&two);
        return full ? FOB_OUTLET_FULL : FOB_OUTLET_BROKEN;
    }
    /* The first frame found room, so the second has it too. */
    if (zmq_msg_send(&two, self->socket, ZMQ_DONTWAIT) >= 0)
        return FOB_OUTLET_SENT;
    zmq_msg_close(&two);
    return FOB_OUTLET_BROKEN;
}
