/* conduit: see conduit.h: its life, and what clients use. The lock is held for a round
 * (conduit_round.c) and given up in poll (conduit_watch.c). */
#include "proto/link/conduit_inside.h"

#include "proto/link/context.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* --- what clients use --- */

fob_now_t fob_conduit_now(void) {
    struct timespec mono, wall;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (fob_now_t){(int64_t)mono.tv_sec * FOB_SEC + mono.tv_nsec,
                       (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / FOB_MS};
}

void fob_conduit_secret(uint8_t session[FOB_SESSION_SIZE]) {
    size_t got = 0;
    while (got < FOB_SESSION_SIZE) {
        ssize_t n = getrandom(session + got, FOB_SESSION_SIZE - got, 0);
        if (n > 0)
            got += (size_t)n;
        else
            assert(errno == EINTR); /* nothing else can fail: so few bytes, and the call exists */
    }
}

const char *fob_conduit_bus(const char *bus) {
    if (bus && *bus)
        return bus;
    const char *set = getenv("FOB_BUS");
    return set && *set ? set : "tcp://127.0.0.1:7670";
}

void *fob_conduit_zmq(fob_conduit_t *self) {
    return self->context;
}

void fob_conduit_session(fob_conduit_t *self, const uint8_t session[FOB_SESSION_SIZE]) {
    fob_link_session(self->link, session);
}

void fob_conduit_epoch(fob_conduit_t *self, uint64_t epoch) {
    fob_link_epoch(self->link, epoch);
}

void fob_conduit_restart(fob_conduit_t *self, fob_now_t now, fob_status_t status, const char *why) {
    fob_link_failed(self->link, now, status, why);
}

int64_t fob_conduit_heard(const fob_conduit_t *self) {
    return fob_link_heard(self->link);
}

const char *fob_conduit_dialled(const fob_conduit_t *self) {
    return fob_link_endpoint(self->link);
}

void fob_conduit_endpoint(fob_conduit_t *self, const fob_shard_t *shard, uint16_t port, char *out,
                          size_t size) {
    const char *host = fob_link_endpoint(self->link) + strlen("tcp://");
    int length = (int)(strrchr(host, ':') - host);
    if (shard && shard->host.size) {
        host = (const char *)shard->host.data;
        length = (int)shard->host.size;
    }
    snprintf(out, size, "tcp://%.*s:%u", length, host, (unsigned)port);
}

/* --- the thread --- */

static void *run(void *arg) {
    fob_conduit_t *self = arg;
    pthread_setname_np(pthread_self(), "fob-link"); /* for the eyes of top and gdb */
    fob_conduit_lock(self);
    while (!self->finished) {
        if (fob_conduit_rest(self))
            continue;
        fob_conduit_round(self);
        if (!self->finished)
            fob_conduit_watch(self, &self->own, self->due);
    }
    fob_conduit_unlock(self);
    return NULL;
}

/* --- life --- */

static bool primitives_make(fob_conduit_t *self) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &attr);
    pthread_cond_init(&self->resumed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&self->lock, NULL);
    return fob_conduit_watch_open(self);
}

static void conduit_free(fob_conduit_t *self) {
    if (self->context)
        fob_context_drop();
    fob_conduit_watch_close(self);
    pthread_cond_destroy(&self->changed);
    pthread_cond_destroy(&self->resumed);
    pthread_mutex_destroy(&self->lock);
    fob_link_destroy(&self->link);
    free(self);
}

/* Signals are the application's: none may land on this thread, or on libzmq's, which it starts. */
bool fob_conduit_start(fob_conduit_t *self) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    self->started = pthread_create(&self->thread, NULL, run, self) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return self->started;
}

fob_conduit_t *fob_conduit_new(const fob_link_options_t *options, const fob_client_ops_t *ops,
                               void *self_client) {
    fob_conduit_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->ops = *ops;
    self->client = self_client;
    errno = 0;
    bool good = primitives_make(self);
    self->link = good ? fob_link_new(options) : NULL;
    self->context = self->link ? fob_context_hold() : NULL;
    if (self->context)
        return self;
    int why = good && !self->link && errno != ENOMEM ? EINVAL : ENOMEM;
    conduit_free(self);
    errno = why;
    return NULL;
}

void fob_conduit_destroy(fob_conduit_t **self_p, int64_t linger_ns) {
    if (!self_p || !*self_p)
        return;
    fob_conduit_t *self = *self_p;
    if (self->started) {
        fob_conduit_lock(self);
        self->stopping = true;
        self->stop_at = fob_conduit_now().mono_ns + linger_ns;
        fob_conduit_wake(self);
        fob_conduit_unlock(self);
        pthread_join(self->thread, NULL);
    }
    conduit_free(self);
    *self_p = NULL;
}
