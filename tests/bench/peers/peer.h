/* peer: one who can do some of the works: fob, a bare loop of libzmq, another broker.
 *
 * A peer is a file of this folder with a table of functions. The harness makes a site (site.h), has
 * the peer start its servers there, then runs each publisher and each consumer in a process of its
 * own, which uses the peer's own C client at its best, and says what it sees through its role:
 *
 *     bool consume(role_t *role) {               bool publish(role_t *role) {
 *         connect, subscribe;                        connect;
 *         role_ready(role);                          (fire: while (!role_heard(role)) {
 *         while (!role_over(role))                        role_probe(role, body); send; flush; })
 *             for what came within 50 ms:            role_begin(role);
 *                 role_arrived(role, data, n);       for (i = 0; i < role_events(role); i++) {
 *                 ack;                                   role_pace(role, i, -1);
 *         disconnect;                                    role_stamp(role, body, i); send; }
 *         return true;                               flush, disconnect;
 *                                                    return true;
 *     }                                          }
 *
 * Loss, what came twice, and order are counted by the harness from what role_arrived is told. */
#ifndef FOB_BENCH_PEER_H
#define FOB_BENCH_PEER_H

#include "tests/bench/site.h"
#include "tests/bench/works.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct round round_t;

/* What a process of a round is. */
typedef struct {
    const work_t *work; /* events: of this round, all publishers together */
    site_t *site;
    unsigned index;   /* of the publishers, or of the consumers of all groups, from 0 */
    unsigned group;   /* of a consumer, from 0 */
    round_t *round;   /* the harness's */
    uint64_t stamped; /* the last time stamp: of a flood each 64th event reads the clock */
} role_t;

typedef struct {
    const char *name;     /* "nats", as --peer takes it */
    const char *title;    /* "NATS core" */
    const char *settings; /* how its server is set and its client is used: one or two sentences for
                             the table */
    uint64_t flood; /* events of a flood that are enough to measure it, as it is slow; 0: all */
    /* What it can do. */
    bool (*can)(const work_t *work);
    /* Whether it is installed here; the version(s) go to `text`. */
    bool (*installed)(char *text, size_t size);
    /* Starts its servers at the site, and waits until they serve; false: they do not. What groups,
     * queues and streams it needs before the first publish is made here too. It is called again
     * after site_stop where a work asks for a restart (`again`). */
    bool (*start)(site_t *site, const work_t *work, bool again);
    /* In processes of their own. False, or an exit: the round has failed. */
    bool (*publish)(role_t *role);
    bool (*consume)(role_t *role);
    /* NULL; or ends what was started in an orderly way before its processes are ended. */
    void (*stop)(site_t *site);
    /* FLOOR: instead of the rest: fills in figures (FIGURES of them, NAN before) by itself. */
    bool (*measure)(site_t *site, const work_t *work, double *figures);
} peer_t;

/* All that were built. */
extern const peer_t *const peers[];
extern const size_t peers_count;

/* --- of publishers --- */

/* How many events this one sends, numbered from 0. */
uint64_t role_events(const role_t *role);
/* Whether every consumer of the round has had a probe of this publisher. Waits a millisecond where
 * not. For what is lost as long as nobody is known to listen. */
bool role_heard(const role_t *role);
/* Writes a probe, which is no event, into `body` (work->size bytes). */
void role_probe(role_t *role, void *body);
/* Ready; returns when all are, and it begins. */
void role_begin(role_t *role);
/* Until event `number` is due, where the work has a rate, else not at all. Returns early with
 * false where `fd` (-1: none) becomes readable: take what came, and call it again. */
bool role_pace(role_t *role, uint64_t number, int fd);
/* Writes number and time into the first 24 bytes of `body`. Just before it is sent. */
void role_stamp(role_t *role, void *body, uint64_t number);
/* This many of the events are confirmed, all in the order of their numbers. */
void role_confirmed(role_t *role, uint64_t count);

/* --- of consumers --- */

/* Subscribed: what is published from now on will arrive. */
void role_ready(role_t *role);
/* An event or a probe has come. */
void role_arrived(role_t *role, const void *data, size_t size);
/* Whether the round is over: all has arrived, or nothing comes any more. Cheap: ask it after each
 * receive; wait for 50 ms at the most in between. */
bool role_over(const role_t *role);

/* Nanoseconds, monotonic, the same in all processes. */
uint64_t role_clock(void);
/* A sentence to standard error, with the peer's and the work's name before. Returns false. */
bool role_fails(const role_t *role, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
