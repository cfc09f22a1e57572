/* machine: what it can do without any bus: bytes through the loopback, messages from PUSH to PULL,
 * appends that are synced. */
#include "tests/bench/peers/zmq_clients.h"

#include "tests/bench/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zmq.h>

static bool can(const work_t *work) {
    return work->kind == WORK_FLOOR;
}

static bool installed(char *text, size_t size) {
    struct utsname name;
    uname(&name);
    snprintf(text, size, "Linux %s", name.release);
    return true;
}

/* --- TCP --- */

typedef struct {
    const work_t *work;
    struct sockaddr_in at;
    void *context; /* of libzmq */
    const char *endpoint;
} sender_t;

static void *send_bytes(void *arg) {
    sender_t *self = arg;
    uint8_t *body = calloc(1, self->work->size);
    int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (body && connect(out, (struct sockaddr *)&self->at, sizeof self->at) == 0)
        for (uint64_t i = 0; i < self->work->events; i++)
            for (size_t sent = 0; sent < self->work->size;) {
                ssize_t count = write(out, body + sent, self->work->size - sent);
                if (count <= 0)
                    rig_die("the loopback does not take bytes: %s", strerror(errno));
                sent += (size_t)count;
            }
    close(out);
    free(body);
    return NULL;
}

/* Until the other side has closed. Returns how many bytes came. */
static uint64_t take_bytes(int from, uint32_t size) {
    uint8_t *body = malloc(size);
    uint64_t sum = 0;
    for (ssize_t count; body && (count = read(from, body, size)) > 0;)
        sum += (uint64_t)count;
    free(body);
    return sum;
}

static bool tcp(const work_t *work, double *rate) {
    sender_t sender = {.work = work};
    socklen_t size = sizeof sender.at;
    pthread_t thread;
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sender.at.sin_family = AF_INET;
    sender.at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(door, (struct sockaddr *)&sender.at, size) < 0 || listen(door, 1) < 0 ||
        getsockname(door, (struct sockaddr *)&sender.at, &size) < 0 ||
        pthread_create(&thread, NULL, send_bytes, &sender) != 0)
        rig_die("no loopback: %s", strerror(errno));
    int in = accept(door, NULL, NULL);
    double from = rig_now();
    uint64_t came = take_bytes(in, work->size);
    *rate = (double)work->events / (rig_now() - from);
    pthread_join(thread, NULL);
    close(in);
    close(door);
    return came == work->events * work->size;
}

/* --- PUSH to PULL --- */

static void *push(void *arg) {
    sender_t *self = arg;
    void *socket = zmq_socket(self->context, ZMQ_PUSH);
    uint8_t *body = calloc(1, self->work->size);
    zmq_clients_set(socket, ZMQ_SNDHWM, 100000);
    if (!body || zmq_connect(socket, self->endpoint) < 0)
        rig_die("cannot connect: %s", zmq_strerror(errno));
    for (uint64_t i = 0; i < self->work->events; i++)
        if (zmq_send(socket, body, self->work->size, 0) < 0)
            rig_die("cannot push: %s", zmq_strerror(errno));
    zmq_close(socket);
    free(body);
    return NULL;
}

/* Each side with an I/O thread of its own, as two programs have. */
static bool push_pull(site_t *site, const work_t *work, double *rate) {
    sender_t sender = {work, .context = zmq_ctx_new(), .endpoint = site_endpoint(site, 0)};
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_PULL);
    zmq_msg_t message;
    pthread_t thread;
    bool good = true;
    zmq_clients_set(socket, ZMQ_RCVHWM, 100000);
    zmq_clients_set(socket, ZMQ_RCVTIMEO, 10000);
    if (zmq_bind(socket, sender.endpoint) < 0 || pthread_create(&thread, NULL, push, &sender) != 0)
        rig_die("cannot bind %s: %s", sender.endpoint, zmq_strerror(errno));
    zmq_msg_init(&message);
    double from = 0;
    for (uint64_t i = 0; good && i < work->events; i++) {
        good = zmq_msg_recv(&message, socket, 0) == (int)work->size;
        from = i ? from : rig_now();
    }
    *rate = (double)work->events / (rig_now() - from);
    pthread_join(thread, NULL);
    zmq_msg_close(&message);
    zmq_close(socket);
    zmq_ctx_term(context);
    zmq_ctx_term(sender.context);
    return good;
}

/* --- append and sync --- */

static bool append(site_t *site, const work_t *work, double *rate) {
    char path[512];
    size_t turn = (size_t)work->size * work->batch, bytes = work->size * work->events + turn;
    size_t chunk = 1 << 20;
    uint8_t *zeros = calloc(1, turn > chunk ? turn : chunk);
    snprintf(path, sizeof path, "%s/appended", site_folder(site));
    int file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    bool good = zeros && file >= 0;
    for (size_t at = 0; good && at < bytes; at += chunk)
        good = pwrite(file, zeros, chunk, (off_t)at) == (ssize_t)chunk;
    good = good && fsync(file) == 0;
    double from = rig_now();
    for (uint64_t i = 0; good && i < work->events; i += work->batch)
        good = pwrite(file, zeros, turn, (off_t)(i * work->size)) == (ssize_t)turn &&
               fdatasync(file) == 0;
    *rate = (double)work->events / (rig_now() - from);
    close(file);
    free(zeros);
    return good;
}

static bool measure(site_t *site, const work_t *work, double *figures) {
    double *rate = &figures[FIGURE_RATE];
    if (work->batch)
        return append(site, work, rate);
    return work->size > 4096 ? tcp(work, rate) : push_pull(site, work, rate);
}

const peer_t peer_machine = {
    .name = "machine",
    .title = "the machine",
    .settings = "One thread that writes to the loopback and one that reads; one that pushes and "
                "one that pulls, each with an I/O thread; pwrite and fdatasync into a file whose "
                "blocks are written already.",
    .can = can,
    .installed = installed,
    .measure = measure,
};
