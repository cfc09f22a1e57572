#include "tests/support/proxy.h"
#include "tests/support/case.h"
#include "tests/support/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS 32
#define CHUNK 65536

#define SLOW_TICK 5 /* ms between two looks at what a slow line lets through */

/* One direction of a connection: what was read from one end and is not yet written to the other. */
typedef struct {
    char bytes[CHUNK];
    size_t at, size;
} way_t;

typedef struct {
    int ends[2]; /* -1: no connection */
    way_t ways[2];
} pair_t;

struct proxy {
    int listener, port, to;
    int wake[2];
    bool stop, held[2];
    unsigned long long rate[2], spent[2]; /* bytes a second, 0: any; bytes since then */
    long long since[2];                   /* ms */
    unsigned long long passed;
    pair_t pairs[PAIRS];
    pthread_mutex_t lock;
    pthread_t thread;
};

static size_t close_pair(pair_t *pair) {
    if (pair->ends[0] < 0)
        return 0;
    /* A reset, as when a router forgets the connection: what is under way is lost. */
    struct linger gone = {.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < 2; i++) {
        setsockopt(pair->ends[i], SOL_SOCKET, SO_LINGER, &gone, sizeof gone);
        close(pair->ends[i]);
        pair->ends[i] = -1;
    }
    return 1;
}

static struct sockaddr_in address(int port) {
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return where;
}

static void take_one(proxy_t *self) {
    int in = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
    if (in < 0)
        return;
    int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in where = address(self->to);
    pair_t *pair = self->pairs;
    while (pair < self->pairs + PAIRS && pair->ends[0] >= 0)
        pair++;
    if (out < 0 || pair == self->pairs + PAIRS ||
        connect(out, (struct sockaddr *)&where, sizeof where) != 0) {
        close(in);
        if (out >= 0)
            close(out);
        return;
    }
    fcntl(in, F_SETFL, O_NONBLOCK);
    fcntl(out, F_SETFL, O_NONBLOCK);
    pair->ends[0] = in;
    pair->ends[1] = out;
    pair->ways[0].size = pair->ways[1].size = 0;
}

/* How many bytes may go that way now. */
static size_t allowed(const proxy_t *self, int way) {
    if (self->held[way] || self->rate[way] == 0)
        return self->held[way] ? 0 : CHUNK;
    unsigned long long ms = (unsigned long long)(process_clock() - self->since[way]);
    unsigned long long due = self->rate[way] * ms / 1000;
    unsigned long long left = due > self->spent[way] ? due - self->spent[way] : 0;
    return left < CHUNK ? (size_t)left : CHUNK;
}

/* Moves what can be moved. False: an end is gone. */
static bool pump(proxy_t *self, pair_t *pair, int from) {
    way_t *way = &pair->ways[from];
    size_t most = allowed(self, from);
    if (most == 0)
        return true;
    if (way->size == 0) {
        ssize_t got = recv(pair->ends[from], way->bytes, CHUNK, 0);
        if (got <= 0)
            return got < 0 && (errno == EAGAIN || errno == EINTR);
        way->at = 0;
        way->size = (size_t)got;
    }
    most = way->size < most ? way->size : most;
    ssize_t sent = send(pair->ends[!from], way->bytes + way->at, most, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    way->at += (size_t)sent;
    way->size -= (size_t)sent;
    self->spent[from] += (unsigned long long)sent;
    self->passed += (unsigned long long)sent;
    return true;
}

static size_t fill(const proxy_t *self, struct pollfd *polled) {
    size_t count = 0;
    bool shut[2] = {allowed(self, 0) == 0, allowed(self, 1) == 0};
    polled[count++] = (struct pollfd){self->wake[0], POLLIN, 0};
    polled[count++] = (struct pollfd){self->listener, POLLIN, 0};
    for (size_t i = 0; i < PAIRS; i++) {
        const pair_t *pair = &self->pairs[i];
        for (int end = 0; end < 2; end++) {
            short in = pair->ways[end].size || shut[end] ? 0 : POLLIN;
            short out = pair->ways[!end].size && !shut[!end] ? POLLOUT : 0;
            /* An end that has hung up would be told without being asked for. */
            int fd = in || out ? pair->ends[end] : -1;
            polled[count++] = (struct pollfd){fd, (short)(in | out), 0};
        }
    }
    return count;
}

static void *run(void *arg) {
    proxy_t *self = arg;
    struct pollfd polled[2 + 2 * PAIRS];
    pthread_mutex_lock(&self->lock);
    while (!self->stop) {
        size_t count = fill(self, polled);
        int wait = self->rate[0] || self->rate[1] ? SLOW_TICK : -1;
        pthread_mutex_unlock(&self->lock);
        poll(polled, count, wait);
        pthread_mutex_lock(&self->lock);
        char byte[64];
        while (read(self->wake[0], byte, sizeof byte) > 0)
            ;
        if (polled[1].revents)
            take_one(self);
        for (size_t i = 0; i < PAIRS; i++) {
            pair_t *pair = &self->pairs[i];
            if (pair->ends[0] >= 0 && (!pump(self, pair, 0) || !pump(self, pair, 1)))
                close_pair(pair);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void wake(proxy_t *self) {
    ssize_t ignored = write(self->wake[1], "", 1);
    (void)ignored;
}

proxy_t *proxy_new(int to) {
    proxy_t *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->to = to;
    for (size_t i = 0; i < PAIRS; i++)
        self->pairs[i].ends[0] = self->pairs[i].ends[1] = -1;
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in where = address(0);
    socklen_t size = sizeof where;
    assert_int_equal(bind(self->listener, (struct sockaddr *)&where, sizeof where), 0);
    assert_int_equal(listen(self->listener, 64), 0);
    assert_int_equal(getsockname(self->listener, (struct sockaddr *)&where, &size), 0);
    self->port = ntohs(where.sin_port);
    assert_int_equal(pipe2(self->wake, O_CLOEXEC | O_NONBLOCK), 0);
    pthread_mutex_init(&self->lock, NULL);
    assert_int_equal(pthread_create(&self->thread, NULL, run, self), 0);
    return self;
}

int proxy_port(const proxy_t *self) {
    return self->port;
}

size_t proxy_cut(proxy_t *self) {
    size_t cut = 0;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < PAIRS; i++)
        cut += close_pair(&self->pairs[i]);
    pthread_mutex_unlock(&self->lock);
    wake(self);
    return cut;
}

void proxy_hold(proxy_t *self, proxy_way_t way, bool held) {
    pthread_mutex_lock(&self->lock);
    self->held[way] = held;
    pthread_mutex_unlock(&self->lock);
    wake(self);
}

void proxy_slow(proxy_t *self, proxy_way_t way, unsigned long long rate) {
    pthread_mutex_lock(&self->lock);
    self->rate[way] = rate;
    self->spent[way] = 0;
    self->since[way] = process_clock();
    pthread_mutex_unlock(&self->lock);
    wake(self);
}

unsigned long long proxy_passed(proxy_t *self) {
    pthread_mutex_lock(&self->lock);
    unsigned long long passed = self->passed;
    pthread_mutex_unlock(&self->lock);
    return passed;
}

void proxy_destroy(proxy_t **self_p) {
    proxy_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    pthread_mutex_lock(&self->lock);
    self->stop = true;
    pthread_mutex_unlock(&self->lock);
    wake(self);
    pthread_join(self->thread, NULL);
    for (size_t i = 0; i < PAIRS; i++)
        close_pair(&self->pairs[i]);
    close(self->listener);
    close(self->wake[0]);
    close(self->wake[1]);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
