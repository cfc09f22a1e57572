#include "tests/abuse/zmtp.h"

#include "tests/support/case.h"
#include "tests/support/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLAG_MORE    1
#define FLAG_LONG    2
#define FLAG_COMMAND 4

struct zmtp {
    int fd;
    uint8_t *said; /* what came and was not yet taken */
    size_t size, taken, room;
};

const uint8_t zmtp_greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};

static int dial(int port, bool narrow) {
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int yes = 1;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    if (narrow) { /* the sender's buffer is a multiple of the segments */
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int)), 0);
        assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &(int){536}, sizeof(int)), 0);
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

int zmtp_dial(int port) {
    return dial(port, false);
}

void zmtp_put_frame(fob_buf_t *out, uint8_t flags, const void *data, size_t size) {
    uint8_t head[9] = {flags, (uint8_t)size};
    size_t length = 2;
    if (size > 255) {
        head[0] |= FLAG_LONG;
        length = 9;
        for (int i = 0; i < 8; i++)
            head[1 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
    }
    fob_buf_put(out, head, length);
    fob_buf_put(out, data, size);
}

void zmtp_put_ready(fob_buf_t *out, const char *type) {
    static const uint8_t name[] = "\5READY\13Socket-Type";
    uint8_t size[4] = {0, 0, 0, (uint8_t)strlen(type)};
    fob_buf_t body = {0};
    fob_buf_put(&body, name, sizeof name - 1);
    fob_buf_put(&body, size, sizeof size);
    fob_buf_put(&body, type, strlen(type));
    zmtp_put_frame(out, FLAG_COMMAND, body.data, body.size);
    fob_buf_free(&body);
}

/* Reads more. False: none in time, or it hung up. */
static bool fill(zmtp_t *self, int timeout_ms) {
    struct pollfd item = {self->fd, POLLIN, 0};
    if (self->taken > 0)
        memmove(self->said, self->said + self->taken, self->size - self->taken);
    self->size -= self->taken;
    self->taken = 0;
    if (self->room - self->size < 65536) {
        self->room = 2 * (self->size + 65536);
        self->said = realloc(self->said, self->room);
        assert_non_null(self->said);
    }
    if (poll(&item, 1, timeout_ms) <= 0)
        return false;
    ssize_t got = recv(self->fd, self->said + self->size, 65536, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    self->size += (size_t)got;
    return true;
}

/* One frame of any kind, if all of it is there. */
static bool cut_frame(zmtp_t *self, uint8_t *flags, fob_slice_t *out) {
    const uint8_t *at = self->said + self->taken;
    size_t have = self->size - self->taken, head = 2;
    if (have < 2)
        return false;
    uint64_t size = at[1];
    if (at[0] & FLAG_LONG) {
        head = 9;
        if (have < head)
            return false;
        size = 0;
        for (int i = 0; i < 8; i++)
            size = size << 8 | at[1 + i];
    }
    if (have - head < size)
        return false;
    *flags = at[0];
    *out = fob_slice(at + head, (size_t)size);
    self->taken += head + (size_t)size;
    return true;
}

static bool next_frame(zmtp_t *self, uint8_t *flags, fob_slice_t *out, int timeout_ms) {
    long long until = process_clock() + timeout_ms;
    while (!cut_frame(self, flags, out)) {
        long long left = until - process_clock();
        if (!fill(self, left > 0 ? (int)left : 0))
            return false;
    }
    return true;
}

static zmtp_t *greet(int fd, const char *type) {
    zmtp_t *self = calloc(1, sizeof *self);
    fob_buf_t words = {0};
    uint8_t flags;
    fob_slice_t ready;
    assert_non_null(self);
    self->fd = fd;
    fob_buf_put(&words, zmtp_greeting, sizeof zmtp_greeting);
    zmtp_put_ready(&words, type);
    bool good = self->fd >= 0 && zmtp_write(self, words.data, words.size);
    while (good && self->size < sizeof zmtp_greeting)
        good = fill(self, ZMTP_PATIENCE);
    self->taken = good ? sizeof zmtp_greeting : 0;
    good = good && next_frame(self, &flags, &ready, ZMTP_PATIENCE) && (flags & FLAG_COMMAND);
    fob_buf_free(&words);
    if (!good)
        zmtp_destroy(&self);
    return self;
}

zmtp_t *zmtp_try(int port, const char *type) {
    return greet(dial(port, false), type);
}

/* Its descriptor may have been that of one who is to be ended: then one has to come again. */
static zmtp_t *insist(int port, const char *type, bool narrow) {
    zmtp_t *self = NULL;
    for (int tries = 0; tries < 10 && !self; tries++)
        self = greet(dial(port, narrow), type);
    if (!self)
        fail_msg("the bus takes no %s: %s", type, strerror(errno));
    return self;
}

zmtp_t *zmtp_new(int port, const char *type) {
    return insist(port, type, false);
}

zmtp_t *zmtp_narrow(int port, const char *type) {
    return insist(port, type, true);
}

void zmtp_destroy(zmtp_t **self_p) {
    zmtp_t *self = *self_p;
    if (!self)
        return;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (self->fd >= 0) {
        setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(self->fd);
    }
    free(self->said);
    free(self);
    *self_p = NULL;
}

int zmtp_fd(const zmtp_t *self) {
    return self->fd;
}

long zmtp_push(zmtp_t *self, const void *data, size_t size) {
    ssize_t sent = send(self->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool zmtp_write(zmtp_t *self, const void *data, size_t size) {
    const uint8_t *at = data;
    while (size > 0) {
        long sent = zmtp_push(self, at, size);
        if (sent < 0)
            return false;
        struct pollfd item = {self->fd, POLLOUT | POLLRDHUP, 0};
        if (sent == 0 && (poll(&item, 1, ZMTP_PATIENCE) <= 0 || (item.revents & POLLRDHUP)))
            return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool zmtp_frame(zmtp_t *self, uint8_t flags, const void *data, size_t size) {
    fob_buf_t bytes = {0};
    zmtp_put_frame(&bytes, flags, data, size);
    bool sent = zmtp_write(self, bytes.data, bytes.size);
    fob_buf_free(&bytes);
    return sent;
}

bool zmtp_send(zmtp_t *self, const fob_wire_t *msg, const fob_buf_t *body) {
    fob_buf_t header = {0}, bytes = {0};
    assert_int_equal(fob_wire_write(&header, msg), FOB_OK);
    zmtp_put_frame(&bytes, body ? ZMTP_MORE : ZMTP_LAST, header.data, header.size);
    if (body)
        zmtp_put_frame(&bytes, ZMTP_LAST, body->data, body->size);
    bool sent = zmtp_write(self, bytes.data, bytes.size);
    fob_buf_free(&header);
    fob_buf_free(&bytes);
    return sent;
}

bool zmtp_next(zmtp_t *self, fob_slice_t *frame, int timeout_ms) {
    uint8_t flags = FLAG_COMMAND;
    while (flags & FLAG_COMMAND)
        if (!next_frame(self, &flags, frame, timeout_ms))
            return false;
    return true;
}

bool zmtp_hung_up(zmtp_t *self, int timeout_ms) {
    static uint8_t said[65536];
    long long until = process_clock() + timeout_ms;
    for (long long left = timeout_ms; left > 0; left = until - process_clock()) {
        struct pollfd item = {self->fd, POLLIN, 0};
        if (poll(&item, 1, (int)left) <= 0)
            continue;
        ssize_t got = recv(self->fd, said, sizeof said, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return true;
    }
    return false;
}

fob_verb_t zmtp_hello(zmtp_t *self, const char *role, uint8_t session) {
    uint8_t secret[FOB_SESSION_SIZE];
    fob_wire_t hello = {.verb = FOB_VERB_HELLO}, answer = {0};
    fob_slice_t frame;
    memset(secret, session, sizeof secret);
    FOB_SET(&hello, version_min, 1);
    FOB_SET(&hello, version_max, 1);
    FOB_SET(&hello, role, fob_slice_str(role));
    FOB_SET(&hello, client, fob_slice_str("abuse"));
    if (session)
        FOB_SET(&hello, session, fob_slice(secret, sizeof secret));
    assert_true(zmtp_send(self, &hello, NULL));
    assert_true(zmtp_next(self, &frame, ZMTP_PATIENCE));
    assert_int_equal(fob_wire_read(frame, &answer), FOB_OK);
    return answer.verb;
}

bool zmtp_subscribe(zmtp_t *self, bool on, const void *prefix, size_t size) {
    fob_buf_t body = {0};
    uint8_t first = on;
    fob_buf_put(&body, &first, 1);
    fob_buf_put(&body, prefix, size);
    bool sent = zmtp_frame(self, ZMTP_LAST, body.data, body.size);
    fob_buf_free(&body);
    return sent;
}
