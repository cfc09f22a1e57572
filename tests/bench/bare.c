#include "tests/bench/bare.h"

#include "tests/bench/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zmq.h>

#define ROUTES    256        /* answered after one sync at the most */
#define FILE_SIZE (16 << 20) /* written again and again */

struct bare {
    sem_t ready; /* first: the child posts it once the endpoints are known */
    char in[64], out[64];
    bool sync, forward;
    pid_t pid;
};

static void *open_socket(void *context, int type, char *endpoint, size_t size) {
    void *socket = zmq_socket(context, type);
    int none = 0;
    zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none);
    if (!socket || zmq_bind(socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
        rig_die("a bare loop cannot bind: %s", zmq_strerror(errno));
    return socket;
}

/* --- the ROUTER --- */

static int open_file(void) {
    const char *where = getenv("FOB_BENCH_DIR");
    char path[256];
    snprintf(path, sizeof path, "%s/fob-bare.XXXXXX", where ? where : "/tmp");
    int fd = mkstemp(path);
    void *zeros = calloc(1, FILE_SIZE);
    if (fd < 0 || !zeros || pwrite(fd, zeros, FILE_SIZE, 0) != FILE_SIZE || fsync(fd) != 0)
        rig_die("cannot write %s: %s", path, strerror(errno));
    unlink(path);
    free(zeros);
    return fd;
}

/* One message of two frames. False: none now. */
static bool take_one(void *router, zmq_msg_t *route, zmq_msg_t *data, int flags) {
    zmq_msg_init(route);
    if (zmq_msg_recv(route, router, flags) < 0)
        return false;
    zmq_msg_init(data);
    zmq_msg_recv(data, router, 0);
    return true;
}

static void write_all(const bare_t *self, int fd, struct iovec *parts, int count, size_t bytes) {
    static off_t at;
    if (at + (off_t)bytes > FILE_SIZE)
        at = 0;
    if (pwritev(fd, parts, count, at) != (ssize_t)bytes || (self->sync && fdatasync(fd) != 0))
        rig_die("a bare loop cannot write: %s", strerror(errno));
    at += (off_t)bytes;
}

static void run_router(bare_t *self, void *context) {
    static zmq_msg_t routes[ROUTES], data[ROUTES];
    static struct iovec parts[ROUTES];
    int fd = open_file();
    void *router = open_socket(context, ZMQ_ROUTER, self->in, sizeof self->in);
    strcpy(self->out, self->in);
    sem_post(&self->ready);
    for (;;) {
        int count = 0;
        size_t bytes = 0;
        while (count < ROUTES &&
               take_one(router, &routes[count], &data[count], count ? ZMQ_DONTWAIT : 0)) {
            parts[count] = (struct iovec){zmq_msg_data(&data[count]), zmq_msg_size(&data[count])};
            bytes += parts[count++].iov_len;
        }
        write_all(self, fd, parts, count, bytes);
        for (int i = 0; i < count; i++) {
            zmq_msg_close(&data[i]);
            zmq_msg_send(&routes[i], router, ZMQ_SNDMORE);
            zmq_send(router, "stored", 6, 0);
        }
    }
}

/* --- XSUB and XPUB --- */

/* All that is there. */
static void pass(void *from, void *to) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, from, ZMQ_DONTWAIT) >= 0)
        zmq_msg_send(&frame, to, zmq_msg_more(&frame) ? ZMQ_SNDMORE : 0);
    zmq_msg_close(&frame);
}

static void run_forward(bare_t *self, void *context) {
    void *in = open_socket(context, ZMQ_XSUB, self->in, sizeof self->in);
    void *out = open_socket(context, ZMQ_XPUB, self->out, sizeof self->out);
    zmq_pollitem_t items[] = {{in, 0, ZMQ_POLLIN, 0}, {out, 0, ZMQ_POLLIN, 0}};
    sem_post(&self->ready);
    while (zmq_poll(items, 2, -1) >= 0) {
        pass(in, out);
        pass(out, in);
    }
}

static bool run(void *arg) {
    bare_t *self = arg;
    void *context = zmq_ctx_new();
    (self->forward ? run_forward : run_router)(self, context);
    return false;
}

static bare_t *start(bool forward, bool sync) {
    bare_t *self = rig_shared(sizeof *self);
    self->forward = forward;
    self->sync = sync;
    sem_init(&self->ready, 1, 0);
    self->pid = rig_child(run, self);
    rig_await(&self->ready);
    return self;
}

bare_t *bare_router(const char *sync) {
    return start(false, strcmp(sync, "always") == 0);
}

bare_t *bare_forward(void) {
    return start(true, false);
}

const char *bare_in(const bare_t *self) {
    return self->in;
}

const char *bare_out(const bare_t *self) {
    return self->out;
}

void bare_destroy(bare_t **self_p) {
    bare_t *self = *self_p;
    kill(self->pid, SIGKILL);
    rig_join(self->pid);
    munmap(self, sizeof *self);
    *self_p = NULL;
}
