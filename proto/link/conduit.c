/* conduit: see conduit.h. One thread runs rounds: read what is there, let the link and the client
 * step, send while there is room, sleep in poll. The lock is held for a round and given up
 * in poll. */
#include "proto/link/conduit.h"

#include "proto/link/context.h"
#include "proto/link/pipe.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define CONDUIT_INPUTS   128 /* messages read in one round, then the application gets the lock */
#define CONDUIT_OUTPUTS  128 /* messages sent in one round, likewise */
#define CONDUIT_ATTACHED 2
#define CONDUIT_LINGER   200    /* ms for the GOODBYE to get out */
#define CONDUIT_AGAIN_NS FOB_MS /* what could not be done is tried again */

struct fob_conduit {
    fob_client_ops_t ops;
    void *client;
    fob_link_t *link;
    void *context;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* Of the thread. */
    fob_pipe_t pipe;
    void *attached[CONDUIT_ATTACHED];
    bool more; /* a limit of the round was reached: do not sleep */
    bool finished;

    /* Under the lock. */
    int wake_fd;
    int public_fd;
    bool asleep;   /* in poll, or about to be */
    bool woken;    /* wake_fd was written since */
    bool readable; /* public_fd is */
    bool stopping;
    int64_t stop_at; /* when lingering ends */
};

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

void fob_conduit_lock(fob_conduit_t *self) {
    pthread_mutex_lock(&self->lock);
}

void fob_conduit_unlock(fob_conduit_t *self) {
    pthread_mutex_unlock(&self->lock);
}

static void event_raise(int fd) {
    uint64_t one = 1;
    ssize_t n;
    do
        n = write(fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

static void event_clear(int fd) {
    uint64_t count;
    ssize_t n;
    do
        n = read(fd, &count, sizeof count);
    while (n < 0 && errno == EINTR);
}

void fob_conduit_wake(fob_conduit_t *self) {
    if (!self->asleep || self->woken)
        return;
    self->woken = true;
    event_raise(self->wake_fd);
}

bool fob_conduit_wait(fob_conduit_t *self, int64_t until) {
    if (until == FOB_NEVER)
        return pthread_cond_wait(&self->changed, &self->lock) == 0;
    struct timespec at = {until / FOB_SEC, until % FOB_SEC};
    if (until < 0)
        at = (struct timespec){0, 0};
    return pthread_cond_timedwait(&self->changed, &self->lock, &at) != ETIMEDOUT;
}

void fob_conduit_signal(fob_conduit_t *self) {
    pthread_cond_broadcast(&self->changed);
}

void fob_conduit_notify(fob_conduit_t *self) {
    fob_conduit_signal(self);
    if (self->readable)
        return;
    self->readable = true;
    event_raise(self->public_fd);
}

int fob_conduit_fd(fob_conduit_t *self) {
    return self->public_fd;
}

void fob_conduit_quiet(fob_conduit_t *self) {
    if (!self->readable)
        return;
    self->readable = false;
    event_clear(self->public_fd);
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

void fob_conduit_attach(fob_conduit_t *self, void *zmq_socket) {
    unsigned i = 0;
    while (i < CONDUIT_ATTACHED && self->attached[i])
        i++;
    assert(i < CONDUIT_ATTACHED);
    self->attached[i] = zmq_socket;
}

void fob_conduit_detach(fob_conduit_t *self, void *zmq_socket) {
    for (unsigned i = 0; i < CONDUIT_ATTACHED; i++)
        if (self->attached[i] == zmq_socket)
            self->attached[i] = NULL;
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

/* --- the link's wishes --- */

static void broken(fob_conduit_t *self, fob_now_t now, const char *why) {
    fob_link_broken(self->link, now, why);
}

static void pipe_send(fob_conduit_t *self, fob_now_t now, fob_slice_t header, fob_blob_t *body) {
    fob_pipe_sent_t sent = fob_pipe_send(&self->pipe, header, body);
    if (sent == FOB_PIPE_SENT)
        fob_link_sent(self->link, now);
    else if (sent == FOB_PIPE_BROKEN)
        broken(self, now, "the connection was lost");
}

static void act_open(fob_conduit_t *self, fob_now_t now, const char *endpoint) {
    fob_pipe_close(&self->pipe, 0);
    const char *why = fob_pipe_open(&self->pipe, self->context, endpoint);
    if (why)
        broken(self, now, why);
}

static void act_send(fob_conduit_t *self, fob_now_t now, fob_slice_t header) {
    /* While something waits for room a beat says nothing new. */
    if (self->pipe.dealer && header.size && !self->pipe.pending)
        pipe_send(self, now, header, NULL);
}

static void act_close(fob_conduit_t *self) {
    bool polite = fob_link_state(self->link) == FOB_LINK_CLOSED;
    fob_pipe_close(&self->pipe, polite ? CONDUIT_LINGER : 0);
}

static void acts_run(fob_conduit_t *self, fob_now_t now) {
    fob_link_act_t act;
    while (fob_link_poll(self->link, now, &act)) {
        switch (act.kind) {
        case FOB_LINK_NONE:
            break;
        case FOB_LINK_OPEN:
            act_open(self, now, act.endpoint);
            break;
        case FOB_LINK_SEND:
            act_send(self, now, act.header);
            break;
        case FOB_LINK_CLOSE:
            act_close(self);
            break;
        case FOB_LINK_TELL_UP:
            if (self->ops.up)
                self->ops.up(self->client, now, act.welcome);
            break;
        case FOB_LINK_TELL_DOWN:
            if (self->ops.down)
                self->ops.down(self->client, now, act.status, act.text);
            break;
        }
    }
}

/* --- reading --- */

/* What is the link's own affair goes no further. */
static void tell_client(fob_conduit_t *self, fob_now_t now, const fob_wire_t *msg,
                        fob_blob_t *body) {
    if (msg->verb == FOB_VERB_WELCOME || msg->verb == FOB_VERB_GOODBYE)
        return;
    if (msg->verb != FOB_VERB_BEAT && self->ops.input)
        self->ops.input(self->client, now, msg, body);
    else if (msg->verb == FOB_VERB_BEAT && self->ops.beat)
        self->ops.beat(self->client, now, msg);
}

static void message_handle(fob_conduit_t *self, fob_now_t now, fob_slice_t header,
                           fob_blob_t *body) {
    fob_wire_t msg;
    if (fob_wire_read(header, &msg) != FOB_OK) {
        if (msg.verb && !fob_verb_name(msg.verb))
            return; /* a verb of a later version: not for us */
        fob_link_failed(self->link, now, FOB_PROTOCOL, "what it sent is not the fob protocol");
        return;
    }
    fob_link_message(self->link, now, &msg);
    bool up = fob_link_state(self->link) == FOB_LINK_UP;
    acts_run(self, now);
    if (up)
        tell_client(self, now, &msg, body);
}

/* The second frame and all beyond it. False: no memory, or more than two frames. */
static bool body_read(fob_conduit_t *self, zmq_msg_t *msg, fob_blob_t **body) {
    if (zmq_msg_recv(msg, self->pipe.dealer, ZMQ_DONTWAIT) < 0)
        return false;
    if (!zmq_msg_more(msg)) {
        *body = fob_frame_take(msg);
        return *body != NULL;
    }
    while (zmq_msg_more(msg) && zmq_msg_recv(msg, self->pipe.dealer, ZMQ_DONTWAIT) >= 0)
        ;
    return false;
}

/* One message, if there is one. */
static bool message_read(fob_conduit_t *self, fob_now_t now) {
    zmq_msg_t head;
    zmq_msg_init(&head);
    if (zmq_msg_recv(&head, self->pipe.dealer, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&head);
        return false;
    }
    fob_blob_t *body = NULL;
    bool good = true;
    if (zmq_msg_more(&head)) {
        zmq_msg_t next;
        zmq_msg_init(&next);
        good = body_read(self, &next, &body);
        zmq_msg_close(&next);
    }
    if (good)
        message_handle(self, now, fob_slice(zmq_msg_data(&head), zmq_msg_size(&head)), body);
    else
        fob_link_failed(self->link, now, FOB_PROTOCOL, "what it sent cannot be read");
    fob_blob_unref(&body);
    zmq_msg_close(&head);
    acts_run(self, now);
    return true;
}

static void input(fob_conduit_t *self, fob_now_t now) {
    unsigned n = 0;
    while (n < CONDUIT_INPUTS && self->pipe.dealer && message_read(self, now))
        n++;
    self->more |= n == CONDUIT_INPUTS;
    /* After the messages: what came before the end is still good. */
    bool look = self->pipe.dealer && !self->more;
    const char *why = look ? fob_pipe_trouble(&self->pipe) : NULL;
    if (why)
        broken(self, now, why);
    else if (look)
        fob_link_awaits(self->link, fob_pipe_late(&self->pipe));
    acts_run(self, now);
    for (unsigned i = 0; i < CONDUIT_ATTACHED; i++)
        if (self->attached[i] && self->ops.readable)
            self->ops.readable(self->client, now, self->attached[i]);
}

/* A large message on a slow line is no silence. */
static void listen_closely(fob_conduit_t *self, fob_now_t now) {
    uint64_t bytes;
    if (fob_link_quiet(self->link, now) && fob_pipe_received(&self->pipe, &bytes))
        fob_link_received(self->link, now, bytes);
}

/* --- sending --- */

static bool output_one(fob_conduit_t *self, fob_now_t now) {
    fob_slice_t header = {0};
    fob_blob_t *body = NULL;
    if (!self->ops.output || !self->ops.output(self->client, now, &header, &body))
        return false;
    pipe_send(self, now, header, body);
    return true;
}

/* True: all that there is has been given to libzmq. */
static bool output(fob_conduit_t *self, fob_now_t now) {
    if (self->pipe.pending) {
        fob_pipe_sent_t sent = fob_pipe_flush(&self->pipe);
        if (sent == FOB_PIPE_SENT)
            fob_link_sent(self->link, now);
        else if (sent == FOB_PIPE_BROKEN)
            broken(self, now, "the connection was lost");
    }
    for (unsigned n = 0; n < CONDUIT_OUTPUTS; n++) {
        if (fob_link_state(self->link) != FOB_LINK_UP || self->pipe.pending)
            return false;
        if (!output_one(self, now))
            return true;
    }
    self->more = true;
    return false;
}

/* --- rounds --- */

static void goodbye(fob_conduit_t *self, fob_now_t now) {
    fob_link_goodbye(self->link, now);
    acts_run(self, now);
    if (self->ops.down)
        self->ops.down(self->client, now, FOB_CLOSED, fob_status_text(FOB_CLOSED));
    self->finished = true;
}

/* Returns how long to sleep at the most: when the next thing is due (mono_ns). */
static int64_t round_run(fob_conduit_t *self) {
    fob_now_t now = fob_conduit_now();
    self->more = false;
    input(self, now);
    listen_closely(self, now);
    fob_link_tick(self->link, now);
    acts_run(self, now);
    if (self->ops.tick)
        self->ops.tick(self->client, now);
    bool all_sent = output(self, now);
    acts_run(self, now);
    if (self->stopping) {
        if (all_sent || fob_link_state(self->link) != FOB_LINK_UP || now.mono_ns >= self->stop_at)
            goodbye(self, now);
        if (self->finished)
            return now.mono_ns;
    }
    int64_t due = fob_link_deadline(self->link);
    int64_t client = self->ops.deadline ? self->ops.deadline(self->client) : FOB_NEVER;
    due = client < due ? client : due;
    if (self->stopping && self->stop_at < due)
        due = self->stop_at;
    if (self->more)
        return now.mono_ns;
    /* What is due still was tried, and lacks memory or room. */
    return due > now.mono_ns ? due : now.mono_ns + CONDUIT_AGAIN_NS;
}

static void nap(fob_conduit_t *self, int64_t due) {
    zmq_pollitem_t items[3 + CONDUIT_ATTACHED] = {{.fd = self->wake_fd, .events = ZMQ_POLLIN}};
    int count = 1;
    if (self->pipe.dealer) {
        short events = self->pipe.pending ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN;
        items[count++] = (zmq_pollitem_t){.socket = self->pipe.dealer, .events = events};
        items[count++] = (zmq_pollitem_t){.socket = self->pipe.monitor, .events = ZMQ_POLLIN};
    }
    for (unsigned i = 0; i < CONDUIT_ATTACHED; i++)
        if (self->attached[i])
            items[count++] = (zmq_pollitem_t){.socket = self->attached[i], .events = ZMQ_POLLIN};
    int64_t left = due == FOB_NEVER ? FOB_NEVER : due - fob_conduit_now().mono_ns;
    long ms = left <= 0 ? 0 : left > 60 * FOB_SEC ? 60000 : (long)((left + FOB_MS - 1) / FOB_MS);
    /* An error here is an interrupted call: the round that follows looks at everything anyway. */
    (void)zmq_poll(items, count, ms);
}

static void *run(void *arg) {
    fob_conduit_t *self = arg;
    pthread_setname_np(pthread_self(), "fob-link"); /* for the eyes of top and gdb */
    fob_conduit_lock(self);
    while (!self->finished) {
        int64_t due = round_run(self);
        if (self->finished)
            break;
        self->asleep = true;
        fob_conduit_unlock(self);
        nap(self, due);
        fob_conduit_lock(self);
        self->asleep = false;
        if (self->woken)
            event_clear(self->wake_fd);
        self->woken = false;
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
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&self->lock, NULL);
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->public_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return self->wake_fd >= 0 && self->public_fd >= 0;
}

static void conduit_free(fob_conduit_t *self) {
    if (self->context)
        fob_context_drop();
    if (self->wake_fd >= 0)
        close(self->wake_fd);
    if (self->public_fd >= 0)
        close(self->public_fd);
    pthread_cond_destroy(&self->changed);
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
