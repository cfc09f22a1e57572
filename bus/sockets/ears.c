#include "bus/sockets/ears.h"

#include "bus/host/clock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <zmq.h>

#define EARS_MOST 8

fob_ear_t fob_ear_of(void *socket) {
    fob_ear_t self = {.socket = socket, .fd = -1, .news = true};
    size_t size = sizeof self.fd;
    if (zmq_getsockopt(socket, ZMQ_FD, &self.fd, &size) != 0)
        self.fd = -1; /* no socket: waiting for it fails */
    return self;
}

fob_ear_t fob_ear_fd(int fd) {
    return (fob_ear_t){.fd = fd};
}

/* What a send took notice of is not signalled any more. */
static void ask(fob_ear_t *self) {
    int events = 0;
    size_t size = sizeof events;
    self->used = false;
    if (zmq_getsockopt(self->socket, ZMQ_EVENTS, &events, &size) == 0)
        self->news = events & ZMQ_POLLIN;
}

static struct timespec left_until(int64_t until_ns) {
    int64_t left = until_ns - fob_clock_now().mono_ns;
    left = left > 0 ? left : 0;
    return (struct timespec){left / FOB_SEC, left % FOB_SEC};
}

bool fob_ears_wait(fob_ear_t *ears, size_t count, int64_t until_ns) {
    struct pollfd fds[EARS_MOST];
    struct timespec patience = {0, 0};
    bool news = false;
    assert(count <= EARS_MOST);
    for (size_t i = 0; i < count; i++) {
        if (ears[i].fd < 0) {
            errno = ENOTSOCK;
            return false;
        }
        fds[i] = (struct pollfd){.fd = ears[i].fd, .events = POLLIN};
        if (ears[i].socket && ears[i].used && !ears[i].news)
            ask(&ears[i]);
        news |= ears[i].socket && ears[i].news;
    }
    bool endless = until_ns == FOB_NEVER && !news;
    if (!endless && !news)
        patience = left_until(until_ns);
    if (ppoll(fds, count, endless ? NULL : &patience, NULL) < 0)
        return errno == EINTR;
    for (size_t i = 0; i < count; i++) {
        bool readable = fds[i].revents & POLLIN;
        ears[i].news = ears[i].socket ? ears[i].news || readable : readable;
    }
    return true;
}
