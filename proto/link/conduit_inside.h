/* What the files of the conduit share. All of it is under the conduit's lock, but for what belongs
 * to whoever sleeps in poll. */
#ifndef FOB_CONDUIT_INSIDE_H
#define FOB_CONDUIT_INSIDE_H

#include "proto/link/conduit.h"
#include "proto/link/pipe.h"

#include <pthread.h>
#include <stdatomic.h>

/* The sockets that are listened to. */
enum {
    CONDUIT_DEALER,
    CONDUIT_MONITOR,
    CONDUIT_ATTACHED, /* and the next */
    CONDUIT_EARS = CONDUIT_ATTACHED + 2
};

/* libzmq's descriptor signals what is new, and not what is there: so a socket has `news` until it
 * was read until there was nothing; and a send may swallow a signal, so one that was `used` is
 * asked for its state before anybody sleeps. */
typedef struct {
    void *socket; /* NULL: none */
    int fd;
    bool news, used;
} fob_conduit_ear_t;

/* One that sleeps in poll: the conduit's thread, or a caller that waits. */
typedef struct {
    int fd;        /* ends its sleep */
    bool asleep;   /* in poll, or about to be */
    bool woken;    /* fd was written since */
    int64_t until; /* it wakes by itself */
} fob_conduit_watch_t;

struct fob_conduit {
    fob_client_ops_t ops;
    void *client;
    fob_link_t *link;
    void *context;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* for those who wait and do not watch */
    pthread_cond_t resumed; /* for the thread, while it rests */

    /* Of the rounds, which one thread runs at a time. */
    fob_pipe_t pipe;
    fob_conduit_ear_t ears[CONDUIT_EARS];
    bool moved;    /* a socket came or went: who sleeps has old descriptors */
    bool more;     /* a limit of the round was reached: do not sleep */
    bool poked;    /* a round was asked for since the last one */
    bool begun;    /* the thread has run one: libzmq's threads are there */
    bool finished; /* no more */
    int64_t due;   /* when the next is wanted */

    /* Who watches. */
    fob_conduit_watch_t own, caller;
    bool leading;      /* a caller does, and the thread rests */
    bool resting;      /* in `resumed` */
    bool soundly;      /* without a time of its own */
    unsigned left;     /* how often a caller has ended its watch, */
    unsigned seen;     /* as the thread saw it last */
    int64_t left_ns;   /* and when */
    int64_t pushed_ns; /* the last fob_conduit_push */

    /* Who waits. */
    unsigned waiting;
    uint64_t signals;  /* so far */
    bool tell_changed; /* once the lock is given up: who is woken before runs into it */
    bool tell_resumed;

    int public_fd;
    bool fd_used;  /* somebody has asked for it */
    bool readable; /* it is, or would be */
    bool stopping;
    int64_t stop_at; /* when lingering ends */
};

/* --- conduit_round.c --- */

/* Reads what is there, lets the link and the client step, sends while there is room. */
void fob_conduit_round(fob_conduit_t *self);
bool fob_conduit_is_up(const fob_conduit_t *self);
void fob_conduit_listen(fob_conduit_t *self, int ear, void *socket); /* NULL: no more */

/* --- conduit_watch.c --- */

bool fob_conduit_watch_open(fob_conduit_t *self); /* false: no descriptors */
void fob_conduit_watch_close(fob_conduit_t *self);
/* Sleeps until there is news, somebody wakes it or the next round is due, at most `until`; the lock
 * is given up meanwhile. */
void fob_conduit_watch(fob_conduit_t *self, fob_conduit_watch_t *how, int64_t until);
/* For the thread: true: it has rested, as a caller watches or was here a moment ago. */
bool fob_conduit_rest(fob_conduit_t *self);
void fob_conduit_raise(int fd); /* an eventfd */
void fob_conduit_clear(int fd);

#endif
