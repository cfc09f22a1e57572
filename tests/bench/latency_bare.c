/* The same works against bare loops of libzmq. */
#include "tests/bench/bare.h"
#include "tests/bench/latency.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static void *context;

static void *open_socket(int type, const char *endpoint) {
    void *socket = zmq_socket(context, type);
    int none = 0, patience = 5000;
    zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt(socket, ZMQ_LINGER, &patience, sizeof patience);
    if (!socket || zmq_connect(socket, endpoint) != 0)
        rig_die("a bare client cannot connect");
    return socket;
}

/* --- one --- */

static void one_after_the_other(lab_t *lab, uint64_t index) {
    uint64_t share = lab->options->events / lab->options->publishers;
    share += index < lab->options->events % lab->options->publishers;
    uint8_t *data = calloc(1, lab->options->size);
    char answer[16];
    void *dealer = open_socket(ZMQ_DEALER, lab->in);
    for (uint64_t i = 0; i < share; i++) {
        uint64_t sent = lab_now();
        if (zmq_send(dealer, data, lab->options->size, 0) >= 0 &&
            zmq_recv(dealer, answer, sizeof answer, 0) >= 0)
            lab_sample(lab->confirm, &lab->confirmed, lab, sent);
    }
    zmq_close(dealer);
    free(data);
}

static bool publish_one(void *arg) {
    lab_t *lab = arg;
    context = zmq_ctx_new();
    lab->began = rig_now();
    lab_threads(lab, one_after_the_other);
    lab->ended = rig_now();
    return true;
}

bool bare_one(const lab_options_t *options, double out[LAB_FIGURES]) {
    bare_t *loop = bare_router(options->sync);
    lab_t *lab = lab_new(options, bare_in(loop), NULL);
    bool good = rig_join(rig_child(publish_one, lab));
    bare_destroy(&loop);
    return lab_result(&lab, false, out) && good;
}

/* --- cast --- */

static bool fire_all(void *arg) {
    lab_t *lab = arg;
    uint8_t *data = calloc(1, lab->options->size), subscription;
    context = zmq_ctx_new();
    void *pub = open_socket(ZMQ_XPUB, lab->in);
    if (zmq_recv(pub, &subscription, 1, 0) < 0)
        rig_die("no subscription came through the bare loop");
    uint64_t began = lab_now();
    for (uint64_t i = 0; i < lab->options->events; i++) {
        lab_pace(lab, began, i);
        uint64_t now = lab_now();
        memcpy(data, &now, sizeof now);
        zmq_send(pub, data, lab->options->size, 0);
    }
    zmq_close(pub);
    zmq_ctx_term(context);
    free(data);
    return true;
}

static bool hear_all(void *arg) {
    lab_t *lab = arg;
    uint8_t *data = calloc(1, lab->options->size);
    context = zmq_ctx_new();
    void *sub = open_socket(ZMQ_SUB, lab->out);
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "", 0);
    sem_post(&lab->ready);
    while (lab->handled < lab->options->events && zmq_recv(sub, data, lab->options->size, 0) >= 0) {
        uint64_t sent;
        memcpy(&sent, data, sizeof sent);
        lab_sample(lab->handle, &lab->handled, lab, sent);
    }
    zmq_close(sub);
    free(data);
    return true;
}

bool bare_cast(const lab_options_t *options, double out[LAB_FIGURES]) {
    bare_t *loop = bare_forward();
    lab_t *lab = lab_new(options, bare_in(loop), bare_out(loop));
    pid_t subscriber = rig_child(hear_all, lab);
    rig_await(&lab->ready);
    bool good = rig_join(rig_child(fire_all, lab));
    good = rig_join(subscriber) && good;
    bare_destroy(&loop);
    return lab_result(&lab, true, out) && good;
}

/* --- queue: to the confirm only, as the loop hands nothing on --- */

static void take_answers(lab_t *lab, void *dealer, uint64_t *sent, int flags) {
    char answer[16];
    while (lab->confirmed < lab->options->events &&
           zmq_recv(dealer, answer, sizeof answer, flags) >= 0)
        lab_sample(lab->confirm, &lab->confirmed, lab, sent[lab->confirmed]);
}

/* Until the next event's time, or an answer, if there is none to read yet. */
static void doze(void *dealer, uint64_t due) {
    int events = 0, fd = -1;
    size_t events_size = sizeof events, fd_size = sizeof fd;
    uint64_t now = lab_now();
    if (zmq_getsockopt(dealer, ZMQ_EVENTS, &events, &events_size) != 0 ||
        zmq_getsockopt(dealer, ZMQ_FD, &fd, &fd_size) != 0 || (events & ZMQ_POLLIN) || now >= due)
        return;
    struct pollfd item = {.fd = fd, .events = POLLIN};
    struct timespec left = {(time_t)((due - now) / 1000000000), (long)((due - now) % 1000000000)};
    ppoll(&item, 1, &left, NULL);
}

/* One thread does both, woken by whichever comes first: an answer, or the next event's time. */
static bool store_all(void *arg) {
    lab_t *lab = arg;
    uint64_t events = lab->options->events;
    uint64_t *sent = calloc(events, sizeof *sent);
    uint8_t *data = calloc(1, lab->options->size);
    context = zmq_ctx_new();
    void *dealer = open_socket(ZMQ_DEALER, lab->in);
    lab_pace(lab, lab_now(), 0);
    uint64_t began = lab_now();
    for (uint64_t i = 0; i < events;) {
        uint64_t due = began + i * 1000000000 / lab->options->rate;
        if (lab_now() >= due) {
            sent[i++] = lab_now();
            zmq_send(dealer, data, lab->options->size, 0);
            continue;
        }
        doze(dealer, due);
        take_answers(lab, dealer, sent, ZMQ_DONTWAIT);
    }
    if (lab->confirmed < events)
        take_answers(lab, dealer, sent, 0);
    zmq_close(dealer);
    free(data);
    free(sent);
    return true;
}

bool bare_queue(const lab_options_t *options, double out[LAB_FIGURES]) {
    bare_t *loop = bare_router(options->sync);
    lab_t *lab = lab_new(options, bare_in(loop), NULL);
    bool good = rig_join(rig_child(store_all, lab));
    bare_destroy(&loop);
    return lab_result(&lab, false, out) && good;
}
