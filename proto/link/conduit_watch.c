/* Who sleeps in poll for a conduit, and who wakes whom.
 *
 * Somebody has to be told of what libzmq has to say. Were it always the conduit's thread, each
 * answer would cost a caller that waits for it one thread more to be woken. So a caller that waits
 * alone watches itself and runs the rounds meanwhile: it leads. The thread rests then, and a moment
 * longer, as who has waited once mostly waits again; then it takes over, so that beats go on. */
#include "proto/link/conduit_inside.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WATCH_REST  (2 * FOB_MS)  /* the thread waits so long for a caller to come back */
#define WATCH_APART (FOB_MS / 20) /* between two sends that are no flood */

void fob_conduit_raise(int fd) {
    uint64_t one = 1;
    ssize_t n;
    do
        n = write(fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

void fob_conduit_clear(int fd) {
    uint64_t count;
    ssize_t n;
    do
        n = read(fd, &count, sizeof count);
    while (n < 0 && errno == EINTR);
}

bool fob_conduit_watch_open(fob_conduit_t *self) {
    self->own.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->caller.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->public_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return self->own.fd >= 0 && self->caller.fd >= 0 && self->public_fd >= 0;
}

void fob_conduit_watch_close(fob_conduit_t *self) {
    int fds[] = {self->own.fd, self->caller.fd, self->public_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* --- the lock --- */

void fob_conduit_lock(fob_conduit_t *self) {
    pthread_mutex_lock(&self->lock);
}

void fob_conduit_unlock(fob_conduit_t *self) {
    bool changed = self->tell_changed, resumed = self->tell_resumed;
    self->tell_changed = self->tell_resumed = false;
    pthread_mutex_unlock(&self->lock);
    if (changed)
        pthread_cond_broadcast(&self->changed);
    if (resumed)
        pthread_cond_signal(&self->resumed);
}

/* Before the lock is given up in a wait. */
static void tell_now(fob_conduit_t *self) {
    if (self->tell_changed)
        pthread_cond_broadcast(&self->changed);
    if (self->tell_resumed)
        pthread_cond_signal(&self->resumed);
    self->tell_changed = self->tell_resumed = false;
}

/* True: it was told, or woke for no reason. False: time is up. */
static bool sleep_on(fob_conduit_t *self, pthread_cond_t *what, int64_t until) {
    tell_now(self);
    if (until == FOB_NEVER)
        return pthread_cond_wait(what, &self->lock) == 0;
    struct timespec at = {until / FOB_SEC, until % FOB_SEC};
    if (until < 0)
        at = (struct timespec){0, 0};
    return pthread_cond_timedwait(what, &self->lock, &at) != ETIMEDOUT;
}

/* --- watching --- */

static bool any_news(const fob_conduit_t *self) {
    for (int i = 0; i < CONDUIT_EARS; i++)
        if (self->ears[i].socket && self->ears[i].news)
            return true;
    return false;
}

/* Asks the sockets that were used for what they were told of meanwhile. */
static void ask_used(fob_conduit_t *self) {
    for (int i = 0; i < CONDUIT_EARS; i++) {
        fob_conduit_ear_t *ear = &self->ears[i];
        int events = 0, wanted = ZMQ_POLLIN;
        size_t size = sizeof events;
        if (!ear->socket || !ear->used || ear->news)
            continue;
        ear->used = false;
        if (i == CONDUIT_DEALER && self->pipe.pending)
            wanted |= ZMQ_POLLOUT;
        /* Where it cannot say (a signal of the application's came), it may have something. */
        bool said = zmq_getsockopt(ear->socket, ZMQ_EVENTS, &events, &size) == 0;
        ear->news = !said || (events & wanted);
    }
}

/* NULL: without end. */
static struct timespec *left_until(int64_t until, struct timespec *out) {
    if (until == FOB_NEVER)
        return NULL;
    int64_t left = until - fob_conduit_now().mono_ns;
    left = left > 0 ? left : 0;
    *out = (struct timespec){left / FOB_SEC, left % FOB_SEC};
    return out;
}

void fob_conduit_watch(fob_conduit_t *self, fob_conduit_watch_t *how, int64_t until) {
    struct pollfd fds[1 + CONDUIT_EARS] = {{.fd = how->fd, .events = POLLIN}};
    struct timespec left;
    ask_used(self);
    for (int i = 0; i < CONDUIT_EARS; i++) {
        const fob_conduit_ear_t *ear = &self->ears[i];
        fds[1 + i] = (struct pollfd){.fd = ear->socket ? ear->fd : -1, .events = POLLIN};
    }
    how->until = any_news(self) || self->more ? 0 : until;
    how->asleep = true;
    self->moved = false;
    fob_conduit_unlock(self);
    /* An error here is an interrupted call: the round that follows does no harm. */
    int count = ppoll(fds, 1 + CONDUIT_EARS, left_until(how->until, &left), NULL);
    fob_conduit_lock(self);
    how->asleep = false;
    if (how->woken)
        fob_conduit_clear(how->fd);
    how->woken = false;
    for (int i = 0; count > 0 && i < CONDUIT_EARS; i++)
        self->ears[i].news |= fds[1 + i].revents && self->ears[i].fd == fds[1 + i].fd;
}

/* --- waking --- */

static void wake(fob_conduit_watch_t *watch) {
    if (!watch->asleep || watch->woken)
        return;
    watch->woken = true;
    fob_conduit_raise(watch->fd);
}

static void resume(fob_conduit_t *self) {
    self->poked = true;
    self->tell_resumed |= self->resting;
}

static fob_conduit_watch_t *watcher(fob_conduit_t *self) {
    return self->leading ? &self->caller : &self->own;
}

void fob_conduit_wake(fob_conduit_t *self) {
    self->poked = true;
    if (self->resting && !self->leading)
        resume(self);
    else
        wake(watcher(self));
}

void fob_conduit_wake_by(fob_conduit_t *self, int64_t due) {
    fob_conduit_watch_t *watch = watcher(self);
    if (due <= fob_conduit_now().mono_ns) {
        fob_conduit_wake(self);
        return;
    }
    self->due = due < self->due ? due : self->due;
    if (watch->asleep && due < watch->until)
        wake(watch);
}

/* Whoever watches goes on sleeping, if it is right for it to do so. */
static void leave_asleep(fob_conduit_t *self, const fob_conduit_watch_t *watch) {
    if (watch->asleep)
        ask_used(self);
    bool idle = fob_conduit_is_up(self) && !self->more && !self->stopping;
    if (idle && watch->asleep)
        idle = !self->moved && !any_news(self) && self->due >= watch->until;
    if (!idle)
        fob_conduit_wake(self);
}

void fob_conduit_push(fob_conduit_t *self, bool lone) {
    fob_conduit_watch_t *watch = watcher(self);
    int64_t now = fob_conduit_now().mono_ns;
    bool calm = now - self->pushed_ns >= WATCH_APART;
    bool idle = watch->asleep ? !watch->woken : self->resting && !self->leading && !self->poked;
    self->pushed_ns = now;
    if (!lone || !calm || !idle || !fob_conduit_is_up(self) || self->pipe.pending ||
        self->stopping) {
        fob_conduit_wake(self);
        return;
    }
    fob_conduit_round(self);
    leave_asleep(self, watch);
}

/* --- waiting --- */

void fob_conduit_signal(fob_conduit_t *self) {
    self->signals++;
    self->tell_changed |= self->waiting > 0;
    if (self->leading) /* nothing to it where this is its own round */
        wake(&self->caller);
}

void fob_conduit_notify(fob_conduit_t *self) {
    fob_conduit_signal(self);
    if (self->readable)
        return;
    self->readable = true;
    if (self->fd_used)
        fob_conduit_raise(self->public_fd);
}

int fob_conduit_fd(fob_conduit_t *self) {
    if (!self->fd_used && self->readable)
        fob_conduit_raise(self->public_fd);
    self->fd_used = true;
    return self->public_fd;
}

void fob_conduit_quiet(fob_conduit_t *self) {
    if (!self->readable)
        return;
    self->readable = false;
    if (self->fd_used)
        fob_conduit_clear(self->public_fd);
}

/* Only on a connection that is up: all that comes before that is the thread's. Where several wait,
 * or an event loop polls the public descriptor, it watches for all of them. */
static bool may_lead(const fob_conduit_t *self) {
    return self->begun && !self->leading && !self->stopping && !self->waiting && !self->fd_used &&
           fob_conduit_is_up(self);
}

static void begin_to_lead(fob_conduit_t *self) {
    self->leading = true;
    self->tell_resumed = false;
    wake(&self->own); /* it goes to rest */
}

static void end_to_lead(fob_conduit_t *self) {
    self->leading = false;
    self->left++;
    self->left_ns = fob_conduit_now().mono_ns;
    /* In a flood the thread reads on while the caller works. */
    if (self->waiting || self->more || any_news(self) || !fob_conduit_is_up(self))
        resume(self);
    else
        self->tell_resumed |= self->resting && self->soundly;
}

static bool in_time(int64_t until) {
    return until == FOB_NEVER || fob_conduit_now().mono_ns < until;
}

/* Whoever comes when its time is up has one look, and is not told: it would never end. */
static bool lead(fob_conduit_t *self, int64_t until) {
    uint64_t before = self->signals;
    bool good = in_time(until), look = true;
    begin_to_lead(self);
    if (self->poked || any_news(self))
        fob_conduit_round(self);
    while (self->signals == before && look && fob_conduit_is_up(self)) {
        fob_conduit_watch(self, &self->caller, self->due < until ? self->due : until);
        fob_conduit_round(self);
        look = in_time(until);
    }
    end_to_lead(self);
    return good && (self->signals != before || look);
}

bool fob_conduit_wait(fob_conduit_t *self, int64_t until) {
    if (may_lead(self))
        return lead(self, until);
    if (self->resting && !self->leading)
        resume(self);
    self->waiting++;
    bool told = sleep_on(self, &self->changed, until);
    self->waiting--;
    return told;
}

bool fob_conduit_rest(fob_conduit_t *self) {
    int64_t now = fob_conduit_now().mono_ns, until = self->left_ns + WATCH_REST;
    bool soon = now < until && !self->poked && !self->waiting;
    if (!self->begun || self->stopping || !fob_conduit_is_up(self) || !(self->leading || soon))
        return false;
    /* While callers come and go it looks now and then; who watches for long need not be disturbed,
     * and wakes it at the end. */
    self->soundly = self->leading && self->seen == self->left;
    self->seen = self->left;
    if (self->leading)
        until = self->soundly ? FOB_NEVER : now + WATCH_REST;
    self->resting = true;
    (void)sleep_on(self, &self->resumed, until);
    self->resting = false;
    return true;
}
