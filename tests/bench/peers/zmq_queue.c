/* zmq_queue: the ceiling of a queue: bare libzmq in the shape of the bus, with nothing of a core. A
 * ROUTER, a thread that writes what came and syncs it, then receipts, and the very frames to the
 * workers; these ack ranges. No envelope: a frame is a head of 16 bytes and `batch` events. */
#include "tests/bench/peers/zmq_clients.h"
#include "tests/bench/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zmq.h>

#define WINDOW  1000 /* events without receipt */
#define FILE_MB 128  /* of the journal, which is written round and round */
#define FRAMES  1024 /* that may be under way to the disk, more than a window has */
#define ACKED   64   /* frames that a worker takes before it acks them */

typedef enum { PUBLISH = 1, JOIN, ACK, RECEIPT } kind_t;

/* PUBLISH: its events follow. JOIN: `first` is the group. ACK: ranges follow. RECEIPT: all before
 * `first` are on disk. */
typedef struct {
    uint32_t kind, count;
    uint64_t first;
} head_t;

typedef struct {
    uint64_t first, count;
} range_t;

/* --- the journal: one thread, which syncs all that was given to it meanwhile at once --- */

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    zmq_msg_t frame[FRAMES];          /* a ring */
    uint64_t given, durable, cleared; /* frames: to the thread; on disk; handed out */
    int file, told;
    off_t at;
} journal_t;

static int journal_file(site_t *site) {
    char path[512];
    snprintf(path, sizeof path, "%s/journal", site_folder(site));
    int file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    uint8_t *zeros = calloc(1, 1 << 20);
    for (off_t i = 0; zeros && i < FILE_MB; i++)
        if (pwrite(file, zeros, 1 << 20, i << 20) != 1 << 20)
            rig_die("cannot write %s: %s", path, strerror(errno));
    free(zeros);
    if (file < 0 || fsync(file) < 0)
        rig_die("cannot sync %s: %s", path, strerror(errno));
    return file;
}

static void write_frames(journal_t *self, uint64_t from, uint64_t to) {
    static struct iovec parts[FRAMES];
    size_t bytes = 0;
    for (uint64_t i = from; i < to; i++) {
        zmq_msg_t *frame = &self->frame[i % FRAMES];
        parts[i - from] = (struct iovec){zmq_msg_data(frame), zmq_msg_size(frame)};
        bytes += zmq_msg_size(frame);
    }
    if (self->at + (off_t)bytes > (off_t)FILE_MB << 20)
        self->at = 0;
    if (pwritev(self->file, parts, (int)(to - from), self->at) != (ssize_t)bytes ||
        fdatasync(self->file) < 0)
        rig_die("cannot sync: %s", strerror(errno));
    self->at += (off_t)bytes;
}

static void *journal_run(void *arg) {
    journal_t *self = arg;
    uint64_t one = 1;
    pthread_mutex_lock(&self->lock);
    for (;;) {
        while (self->given == self->durable)
            pthread_cond_wait(&self->more, &self->lock);
        uint64_t from = self->durable, to = self->given;
        pthread_mutex_unlock(&self->lock);
        write_frames(self, from, to);
        pthread_mutex_lock(&self->lock);
        self->durable = to;
        if (write(self->told, &one, sizeof one) < 0)
            rig_die("cannot tell: %s", strerror(errno));
    }
    return NULL;
}

/* --- the loop --- */

#define ROUTES 8

typedef struct {
    uint8_t id[8];
    size_t id_size;
    unsigned group;
    uint64_t out; /* events sent and not acked */
} route_t;

typedef struct {
    void *socket;
    journal_t journal;
    route_t worker[ROUTES], publisher;
    unsigned workers, groups;
} loop_t;

/* Reads `size` bytes behind the head. */
static void acked(route_t *worker, const uint8_t *ranges, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        range_t range;
        memcpy(&range, ranges + i * sizeof range, sizeof range);
        worker->out -= range.count;
    }
}

static route_t *route_of(loop_t *self, zmq_msg_t *id) {
    for (unsigned i = 0; i < self->workers; i++)
        if (memcmp(self->worker[i].id, zmq_msg_data(id), self->worker[i].id_size) == 0)
            return &self->worker[i];
    return NULL;
}

static void remember(route_t *route, zmq_msg_t *id, unsigned group) {
    route->id_size = zmq_msg_size(id);
    if (route->id_size > sizeof route->id)
        rig_die("a routing id of %zu bytes", route->id_size);
    memcpy(route->id, zmq_msg_data(id), route->id_size);
    route->group = group;
}

static void heard(loop_t *self, zmq_msg_t *id, zmq_msg_t *body) {
    head_t head;
    memcpy(&head, zmq_msg_data(body), sizeof head);
    route_t *route = head.kind == ACK ? route_of(self, id) : NULL;
    if (head.kind == PUBLISH) {
        if (self->publisher.id_size == 0)
            remember(&self->publisher, id, 0);
        pthread_mutex_lock(&self->journal.lock);
        zmq_msg_t *slot = &self->journal.frame[self->journal.given % FRAMES];
        zmq_msg_init(slot);
        zmq_msg_move(slot, body);
        self->journal.given++;
        pthread_cond_signal(&self->journal.more);
        pthread_mutex_unlock(&self->journal.lock);
    } else if (head.kind == JOIN && self->workers < ROUTES) {
        remember(&self->worker[self->workers++], id, (unsigned)head.first);
        self->groups = head.first >= self->groups ? (unsigned)head.first + 1 : self->groups;
    } else if (route) {
        acked(route, (uint8_t *)zmq_msg_data(body) + sizeof head, head.count);
    }
}

static void hear(loop_t *self) {
    zmq_msg_t id, body;
    for (;;) {
        zmq_msg_init(&id);
        zmq_msg_init(&body);
        if (zmq_msg_recv(&id, self->socket, ZMQ_DONTWAIT) < 0 ||
            zmq_msg_recv(&body, self->socket, 0) < 0)
            break;
        heard(self, &id, &body);
        zmq_msg_close(&id);
        zmq_msg_close(&body);
    }
}

static void say(loop_t *self, const route_t *to, zmq_msg_t *body) {
    if (zmq_send(self->socket, to->id, to->id_size, ZMQ_SNDMORE) < 0 ||
        zmq_msg_send(body, self->socket, 0) < 0)
        rig_die("cannot send: %s", zmq_strerror(errno));
}

/* The worker of a group that has the least to do. */
static route_t *idle_one(loop_t *self, unsigned group) {
    route_t *best = NULL;
    for (unsigned i = 0; i < self->workers; i++)
        if (self->worker[i].group == group && (!best || self->worker[i].out < best->out))
            best = &self->worker[i];
    return best;
}

static void deliver(loop_t *self, zmq_msg_t *frame, const head_t *head) {
    for (unsigned group = 0; group < self->groups; group++) {
        route_t *worker = idle_one(self, group);
        zmq_msg_t copy;
        if (!worker)
            continue;
        zmq_msg_init(&copy);
        zmq_msg_copy(&copy, frame); /* of the reference, above 32 bytes */
        worker->out += head->count;
        say(self, worker, &copy);
    }
}

/* Receipts first: one for all that this sync was for. */
static void durable(loop_t *self) {
    journal_t *journal = &self->journal;
    uint64_t count;
    head_t head = {0};
    zmq_msg_t receipt;
    if (read(journal->told, &count, sizeof count) < 0)
        return;
    pthread_mutex_lock(&journal->lock);
    uint64_t to = journal->durable;
    pthread_mutex_unlock(&journal->lock);
    if (to == journal->cleared)
        return;
    memcpy(&head, zmq_msg_data(&journal->frame[(to - 1) % FRAMES]), sizeof head);
    head_t answer = {RECEIPT, 0, head.first + head.count};
    zmq_msg_init_size(&receipt, sizeof answer);
    memcpy(zmq_msg_data(&receipt), &answer, sizeof answer);
    say(self, &self->publisher, &receipt);
    for (; journal->cleared < to; journal->cleared++) {
        zmq_msg_t *frame = &journal->frame[journal->cleared % FRAMES];
        memcpy(&head, zmq_msg_data(frame), sizeof head);
        deliver(self, frame, &head);
        zmq_msg_close(frame);
    }
}

static void *opened(void *context, int type) {
    void *socket = zmq_socket(context, type);
    zmq_clients_set(socket, ZMQ_RCVHWM, 0);
    zmq_clients_set(socket, ZMQ_SNDHWM, 0);
    return socket;
}

static void serve(void *arg) {
    site_t *site = arg;
    static loop_t self;
    pthread_t thread;
    self.socket = opened(zmq_ctx_new(), ZMQ_ROUTER);
    self.journal.file = journal_file(site);
    self.journal.told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&self.journal.lock, NULL);
    pthread_cond_init(&self.journal.more, NULL);
    if (self.journal.told < 0 || pthread_create(&thread, NULL, journal_run, &self.journal) != 0 ||
        zmq_bind(self.socket, site_endpoint(site, 0)) < 0)
        rig_die("the loop does not start: %s", strerror(errno));
    zmq_pollitem_t items[] = {{self.socket, 0, ZMQ_POLLIN, 0},
                              {NULL, self.journal.told, ZMQ_POLLIN, 0}};
    while (zmq_poll(items, 2, -1) >= 0 || errno == EINTR) {
        if (items[1].revents)
            durable(&self);
        if (items[0].revents)
            hear(&self);
    }
}

/* --- the publisher --- */

typedef struct {
    void *context, *socket;
} end_t;

static bool dial(end_t *self, role_t *role) {
    self->context = zmq_ctx_new();
    self->socket = opened(self->context, ZMQ_DEALER);
    return zmq_connect(self->socket, site_endpoint(role->site, 0)) == 0;
}

static void hang_up(end_t *self) {
    zmq_clients_set(self->socket, ZMQ_LINGER, 1000);
    zmq_close(self->socket);
    zmq_ctx_term(self->context);
}

static bool receive_receipt(role_t *role, end_t *end, uint64_t *stored, int flags) {
    head_t head;
    if (zmq_recv(end->socket, &head, sizeof head, flags) != sizeof head)
        return false;
    role_confirmed(role, head.first - *stored);
    *stored = head.first;
    return true;
}

static bool send_frame(role_t *role, end_t *end, uint64_t first, uint32_t count) {
    zmq_msg_t frame;
    size_t size = role->work->size;
    head_t head = {PUBLISH, count, first};
    if (zmq_msg_init_size(&frame, sizeof head + count * size) < 0)
        return false;
    uint8_t *to = zmq_msg_data(&frame);
    memcpy(to, &head, sizeof head);
    for (uint32_t i = 0; i < count; i++)
        role_stamp(role, to + sizeof head + i * size, first + i);
    return zmq_msg_send(&frame, end->socket, 0) >= 0;
}

static bool publish(role_t *role) {
    end_t end;
    uint64_t events = role_events(role), sent = 0, stored = 0;
    uint32_t batch = role->work->batch;
    bool good = dial(&end, role);
    role_begin(role);
    while (good && stored < events) {
        uint64_t left = events - sent;
        uint32_t count = left < batch ? (uint32_t)left : batch;
        if (count && sent + count - stored <= WINDOW) {
            good = send_frame(role, &end, sent, count);
            sent += count;
            receive_receipt(role, &end, &stored, ZMQ_DONTWAIT);
        } else {
            good = receive_receipt(role, &end, &stored, 0);
        }
    }
    hang_up(&end);
    return good || role_fails(role, "no receipt: %s", zmq_strerror(errno));
}

/* --- a worker --- */

/* One frame; its range. */
static void handle(role_t *role, zmq_msg_t *frame, range_t *range) {
    head_t head;
    const uint8_t *data = zmq_msg_data(frame);
    memcpy(&head, data, sizeof head);
    for (uint32_t i = 0; i < head.count; i++)
        role_arrived(role, data + sizeof head + i * role->work->size, role->work->size);
    *range = (range_t){head.first, head.count};
}

static bool turn(role_t *role, end_t *end) {
    struct {
        head_t head;
        range_t range[ACKED];
    } ack = {.head = {.kind = ACK}};
    zmq_msg_t frame;
    while (ack.head.count < ACKED) {
        zmq_msg_init(&frame);
        int flags = ack.head.count ? ZMQ_DONTWAIT : 0;
        if (zmq_msg_recv(&frame, end->socket, flags) < 0)
            break;
        handle(role, &frame, &ack.range[ack.head.count++]);
        zmq_msg_close(&frame);
    }
    size_t size = sizeof ack.head + ack.head.count * sizeof ack.range[0];
    return ack.head.count == 0 || zmq_send(end->socket, &ack, size, 0) >= 0;
}

static bool consume(role_t *role) {
    end_t end;
    head_t join = {JOIN, 0, role->group};
    bool good = dial(&end, role) && zmq_send(end.socket, &join, sizeof join, 0) >= 0;
    zmq_clients_set(end.socket, ZMQ_RCVTIMEO, 50);
    role_ready(role);
    while (good && !role_over(role))
        good = turn(role, &end);
    hang_up(&end);
    return good || role_fails(role, "it ended: %s", zmq_strerror(errno));
}

/* --- the peer --- */

static bool can(const work_t *work) {
    return work->kind == WORK_CEILING && work->sync;
}

static bool start(site_t *site, const work_t *work, bool again) {
    (void)work, (void)again, (void)site_port(site, 0);
    return site_fork(site, serve, site) && site_await_port(site, 0);
}

const peer_t peer_zmq_queue = {
    .name = "libzmq-queue",
    .title = "bare libzmq queue",
    .settings = "a ROUTER, a thread that does pwritev and fdatasync into a file whose blocks are "
                "written already, receipts and the frames themselves to workers on DEALERs, acks "
                "as ranges of up to 64 frames; a window of 1,000 events, one I/O thread each",
    .can = can,
    .installed = zmq_clients_version,
    .start = start,
    .publish = publish,
    .consume = consume,
};
