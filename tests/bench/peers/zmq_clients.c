/* zmq_clients: the topic stands before the event, in the same frame, as libzmq filters by prefix.
 */
#include "tests/bench/peers/zmq_clients.h"

#include "tests/bench/rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define TOPIC      "bench.cast"
#define TOPIC_SIZE sizeof TOPIC /* with the zero behind it */

void zmq_clients_set(void *socket, int option, int value) {
    if (zmq_setsockopt(socket, option, &value, sizeof value) < 0)
        rig_die("libzmq takes no option %d = %d: %s", option, value, zmq_strerror(errno));
}

bool zmq_clients_version(char *text, size_t size) {
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    snprintf(text, size, "libzmq %d.%d.%d", major, minor, patch);
    return true;
}

static uint32_t batch_of(const work_t *work) {
    return work->batch ? work->batch : 1;
}

int zmq_clients_hwm(const work_t *work) {
    uint32_t most = (64u << 20) / (batch_of(work) * work->size);
    return most > 16 ? (int)most : 16;
}

/* A frame of so many events from `first`; or a probe. */
static bool send_frame(role_t *role, void *socket, uint64_t first, uint64_t count, bool probe) {
    uint32_t size = role->work->size;
    zmq_msg_t frame;
    if (zmq_msg_init_size(&frame, TOPIC_SIZE + count * size) < 0)
        return false;
    uint8_t *at = zmq_msg_data(&frame);
    memcpy(at, TOPIC, TOPIC_SIZE);
    at += TOPIC_SIZE;
    for (uint64_t i = 0; i < count; i++, at += size) {
        memset(at, 0, size);
        if (probe)
            role_probe(role, at);
        else
            role_stamp(role, at, first + i);
    }
    if (zmq_msg_send(&frame, socket, 0) >= 0)
        return true;
    zmq_msg_close(&frame);
    return false;
}

bool zmq_clients_publish(role_t *role) {
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_PUB);
    uint64_t batch = batch_of(role->work), events = role_events(role);
    zmq_clients_set(socket, ZMQ_SNDHWM, zmq_clients_hwm(role->work));
    zmq_clients_set(socket, ZMQ_XPUB_NODROP, 1);
    bool good = zmq_connect(socket, site_endpoint(role->site, 0)) == 0;
    while (good && !role_heard(role))
        good = send_frame(role, socket, 0, 1, true);
    role_begin(role);
    for (uint64_t i = 0; good && i < events; i += batch) {
        role_pace(role, i, -1);
        good = send_frame(role, socket, i, events - i < batch ? events - i : batch, false);
    }
    zmq_close(socket);
    zmq_ctx_term(context); /* sends what waits */
    return good || role_fails(role, "cannot send: %s", zmq_strerror(errno));
}

static void take_frame(role_t *role, zmq_msg_t *frame) {
    size_t size = role->work->size, left = zmq_msg_size(frame) - TOPIC_SIZE;
    const uint8_t *at = (const uint8_t *)zmq_msg_data(frame) + TOPIC_SIZE;
    for (; left >= size; left -= size, at += size)
        role_arrived(role, at, size);
}

bool zmq_clients_consume(role_t *role) {
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_SUB);
    zmq_msg_t frame;
    zmq_clients_set(socket, ZMQ_RCVHWM, zmq_clients_hwm(role->work));
    zmq_clients_set(socket, ZMQ_RCVTIMEO, 50);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, TOPIC, TOPIC_SIZE);
    bool good = zmq_connect(socket, site_endpoint(role->site, 1)) == 0;
    zmq_msg_init(&frame);
    role_ready(role);
    while (good && !role_over(role)) {
        if (zmq_msg_recv(&frame, socket, 0) >= 0)
            take_frame(role, &frame);
        else
            good = errno == EAGAIN || errno == EINTR;
    }
    zmq_msg_close(&frame);
    zmq_close(socket);
    zmq_ctx_term(context);
    return good || role_fails(role, "cannot receive: %s", zmq_strerror(errno));
}
