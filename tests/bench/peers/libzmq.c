/* libzmq: bare loops, with nothing of a broker in them: XSUB/XPUB that forwards, and a ROUTER that
 * writes, syncs and answers. */
#include "tests/bench/peers/zmq_clients.h"

#include "tests/bench/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define TURN 1000 /* messages of one side before the other is looked at */
#define MANY 1024 /* publishes that one sync is for, at most */

typedef struct {
    site_t *site;
    const work_t *work;
} loop_t;

/* --- broadcast --- */

static void *bound(void *context, int type, site_t *site, unsigned port, int hwm) {
    void *socket = zmq_socket(context, type);
    zmq_clients_set(socket, ZMQ_RCVHWM, hwm);
    zmq_clients_set(socket, ZMQ_SNDHWM, hwm);
    if (zmq_bind(socket, site_endpoint(site, port)) < 0)
        rig_die("cannot bind: %s", zmq_strerror(errno));
    return socket;
}

/* Moves what waits, one turn of it at the most. */
static void move(void *from, void *to) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    for (int i = 0; i < TURN && zmq_msg_recv(&message, from, ZMQ_DONTWAIT) >= 0; i++)
        if (zmq_msg_send(&message, to, 0) < 0)
            rig_die("cannot forward: %s", zmq_strerror(errno));
    zmq_msg_close(&message);
}

static void forward(void *arg) {
    loop_t *loop = arg;
    void *context = zmq_ctx_new();
    int hwm = zmq_clients_hwm(loop->work);
    void *in = bound(context, ZMQ_XSUB, loop->site, 0, hwm);
    void *out = bound(context, ZMQ_XPUB, loop->site, 1, hwm);
    zmq_clients_set(out, ZMQ_XPUB_NODROP, 1);
    zmq_pollitem_t items[] = {{in, 0, ZMQ_POLLIN, 0}, {out, 0, ZMQ_POLLIN, 0}};
    while (zmq_poll(items, 2, -1) >= 0 || errno == EINTR) {
        if (items[1].revents)
            move(out, in);
        if (items[0].revents)
            move(in, out);
    }
}

/* --- one at a time --- */

/* Takes what waits (the first is waited for): who asked, and what. Returns how many. */
static size_t take(void *socket, zmq_msg_t (*who)[MANY], uint8_t *journal, size_t size) {
    size_t count = 0;
    while (count < MANY) {
        zmq_msg_t body;
        zmq_msg_init(&body);
        zmq_msg_init(&(*who)[count]);
        if (zmq_msg_recv(&(*who)[count], socket, count ? ZMQ_DONTWAIT : 0) < 0 ||
            zmq_msg_recv(&body, socket, 0) < 0)
            break;
        memcpy(journal + count * size, zmq_msg_data(&body), size);
        zmq_msg_close(&body);
        count++;
    }
    return count;
}

/* A file whose space is there already, as the bus's is. */
static int journal_open(site_t *site, size_t bytes) {
    char path[512];
    snprintf(path, sizeof path, "%s/journal", site_folder(site));
    int file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    uint8_t *zeros = calloc(1, 1 << 20);
    for (size_t at = 0; zeros && at < bytes; at += 1 << 20)
        if (pwrite(file, zeros, 1 << 20, (off_t)at) < 0)
            rig_die("cannot write %s: %s", path, strerror(errno));
    free(zeros);
    if (file < 0 || fsync(file) < 0)
        rig_die("cannot sync %s: %s", path, strerror(errno));
    return file;
}

static void answer(void *arg) {
    loop_t *loop = arg;
    void *context = zmq_ctx_new(), *socket = bound(context, ZMQ_ROUTER, loop->site, 0, 1000);
    static zmq_msg_t who[MANY];
    size_t size = loop->work->size;
    uint8_t *bodies = malloc(MANY * size);
    int file = journal_open(loop->site, loop->work->events * size + MANY * size);
    off_t at = 0;
    for (size_t count; bodies && (count = take(socket, &who, bodies, size)) > 0;) {
        if (pwrite(file, bodies, count * size, at) < 0 || fdatasync(file) < 0)
            rig_die("cannot sync: %s", strerror(errno));
        at += (off_t)(count * size);
        for (size_t i = 0; i < count; i++) {
            zmq_msg_send(&who[i], socket, ZMQ_SNDMORE);
            zmq_send(socket, "ok", 2, 0);
        }
    }
}

static bool ask(role_t *role) {
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_DEALER);
    uint8_t *body = calloc(1, role->work->size);
    char receipt[8];
    bool good = body && zmq_connect(socket, site_endpoint(role->site, 0)) == 0;
    role_begin(role);
    for (uint64_t i = 0; good && i < role_events(role); i++) {
        role_stamp(role, body, i);
        good = zmq_send(socket, body, role->work->size, 0) >= 0 &&
               zmq_recv(socket, receipt, sizeof receipt, 0) >= 0;
        role_confirmed(role, 1);
    }
    free(body);
    zmq_close(socket);
    zmq_ctx_term(context);
    return good || role_fails(role, "no receipt: %s", zmq_strerror(errno));
}

/* --- the peer --- */

static bool can(const work_t *work) {
    return work->kind == WORK_FIRE || work->kind == WORK_ONE ||
           (work->kind == WORK_CEILING && !work->sync);
}

static bool start(site_t *site, const work_t *work, bool again) {
    loop_t loop = {site, work};
    (void)again, (void)site_port(site, 0), (void)site_port(site, 1);
    site_fork(site, work->kind == WORK_ONE ? answer : forward, &loop);
    return site_await_port(site, 0) && (work->kind == WORK_ONE || site_await_port(site, 1));
}

static bool publish(role_t *role) {
    return role->work->kind == WORK_ONE ? ask(role) : zmq_clients_publish(role);
}

const peer_t peer_libzmq = {
    .name = "libzmq",
    .title = "plain libzmq",
    .settings =
        "A loop that moves up to 1,000 messages a turn from XSUB to XPUB; one I/O thread; PUB and "
        "XPUB wait where 64 MiB are under way (NODROP), so nothing is lost. One at a time: a "
        "ROUTER that takes all that waits, one pwrite into a file whose blocks are written "
        "already, one fdatasync, then the answers.",
    .can = can,
    .installed = zmq_clients_version,
    .start = start,
    .publish = publish,
    .consume = zmq_clients_consume,
};
