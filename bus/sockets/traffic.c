#include "bus/sockets/traffic.h"

#include "bus/host/clock.h"
#include "bus/host/rss.h"
#include "bus/report/pace.h"
#include "bus/sockets/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#define LOOK_EVERY  (50 * FOB_MS) /* what an endless message can grow by before it is seen */
#define LOOK_AGAIN  (5 * FOB_MS)  /* at once, where one seems to send without an end */
#define LOOKS_FIRST 4             /* and at whoever has just come */
#define LOOK_SHARE  (FOB_MS / 10) /* a connection: a look at one costs the hundredth of it */
#define RSS_GROWTH  (32 << 20)    /* bytes: then all are looked at, however many there are */
#define SURE_AFTER  1024          /* messages, and two of each connection: it had its turn */
#define DISCARD     (16 << 20)    /* bytes in a call */
#define WARY        64  /* connections looked at again at once; the others at the next look */
#define FD_BITS     24  /* of a descriptor, in a connection's name */
#define TURNED_AWAY 256 /* connections told of at once; more wait for a look */

#define EVENTS                                                                                     \
    (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |                 \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                  \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

/* libzmq does not tell of every handshake that failed (a peer that greets in another protocol is
 * just disconnected), nor whose handshake succeeded, and with several I/O threads a connection's
 * end may be told before its beginning. So it is a balance: `young` is how many were accepted whose
 * handshake is not known to be over (below zero: a success was told before its beginning, or a
 * failure was taken wrongly). A descriptor may be young since it was accepted until nobody is young
 * (which begins another `age`). One that goes while it may be young and some are, failed, unless a
 * peer has just gone of its own accord (`left`). That is no fault: where the bus stood still,
 * clients wait in vain, give up, and are accepted when it goes on. */
typedef struct {
    uint64_t age; /* when it was accepted; 0: not young then */
    bool open, gone_early;
    bool crowded, ending; /* to be ended, as there are too many; it was ended */
    uint64_t serial;      /* as the how many-th it was accepted */
    uint32_t looks;       /* at it, so far */
    fob_conduct_t conduct;
    fob_subscriptions_t subscriptions;
} line_t;

struct fob_traffic {
    pthread_mutex_t lock; /* of all but the atomics */
    void *socket, *monitor;
    int fd; /* of the monitor */
    int64_t young;
    uint64_t age;    /* from 1 */
    uint64_t left;   /* peers that went within their handshake, and whose end was not told yet */
    uint64_t judged; /* counted as failed; with a negative `young` too many by that */
    line_t *lines;   /* by descriptor */
    size_t line_count;
    fob_traffic_rules_t rules;
    int64_t awake_ns, looked_ns;   /* see conduct.h; the last look */
    int64_t look_ns;               /* when to look again at somebody, */
    int64_t all_ns, looked_all_ns; /* at all; when that was done */
    int64_t rss;                   /* then */
    size_t messages;               /* read since then */
    bool drained;
    uint32_t wary[WARY]; /* descriptors to look at again soon: they may send without an end */
    size_t wary_count;
    fob_pace_t told;
    uint32_t crowd[TURNED_AWAY];
    size_t crowd_count;
    _Atomic uint64_t open, accepted, failed, ended[FOB_ENDED_COUNT];
};

static void read_events(fob_traffic_t *self);

fob_traffic_t *fob_traffic_new(void *zmq, void *socket, const char *name) {
    fob_traffic_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://traffic-%s", name);
    self->age = 1;
    self->fd = -1;
    pthread_mutex_init(&self->lock, NULL);
    self->socket = socket;
    if (!socket)
        return self; /* for tests of the pure part */
    int none = 0;
    size_t size = sizeof self->fd;
    self->monitor = zmq_socket(zmq, ZMQ_PAIR);
    if (!self->monitor || zmq_socket_monitor(socket, endpoint, EVENTS) != 0 ||
        zmq_setsockopt(self->monitor, ZMQ_LINGER, &none, sizeof none) != 0 ||
        zmq_setsockopt(self->monitor, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
        zmq_connect(self->monitor, endpoint) != 0 ||
        zmq_getsockopt(self->monitor, ZMQ_FD, &self->fd, &size) != 0)
        fob_traffic_destroy(&self);
    else
        read_events(self); /* only who has found nothing is told of what comes */
    return self;
}

void fob_traffic_rule(fob_traffic_t *self, const fob_traffic_rules_t *rules) {
    self->rules = *rules;
    self->awake_ns = 1;
}

void fob_traffic_destroy(fob_traffic_t **self_p) {
    fob_traffic_t *self = *self_p;
    if (!self)
        return;
    if (self->rules.crowd)
        self->rules.crowd->open -= self->open;
    if (self->socket)
        zmq_socket_monitor(self->socket, NULL, 0);
    if (self->monitor)
        zmq_close(self->monitor);
    for (size_t i = 0; i < self->line_count; i++)
        fob_subscriptions_clear(&self->lines[i].subscriptions);
    free(self->lines);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

/* libzmq's own descriptor is enough, and touches nothing of the socket: all that waits is always
 * read, so there is an edge for whatever comes then. */
int fob_traffic_fd(const fob_traffic_t *self) {
    return self->fd;
}

/* What is known of a descriptor; NULL: no memory (a failure may go uncounted then: no more than
 * that). */
static line_t *line_of(fob_traffic_t *self, uint32_t fd) {
    if (fd >= self->line_count) {
        if (fd >= 1u << FD_BITS)
            return NULL;
        size_t count = 2 * ((size_t)fd + 1);
        line_t *lines = realloc(self->lines, count * sizeof *lines);
        if (!lines)
            return NULL;
        memset(lines + self->line_count, 0, (count - self->line_count) * sizeof *lines);
        self->lines = lines;
        self->line_count = count;
    }
    return &self->lines[fd];
}

/* One less is young. */
static void grown_up(fob_traffic_t *self) {
    if (--self->young > 0)
        return;
    self->age++;
    self->left = 0;
}

static void gone(fob_traffic_t *self, line_t *line) {
    bool failed = self->young > 0 && line->age == self->age;
    fob_subscriptions_clear(&line->subscriptions);
    *line = (line_t){.ending = line->ending}; /* more of it may be read until there is a new one */
    self->open--;
    if (self->rules.crowd)
        self->rules.crowd->open--;
    if (!failed)
        return;
    if (self->left > 0)
        self->left--;
    else
        self->judged++;
    grown_up(self);
}

/* One more is here. False: one too many. */
static bool count_in(fob_traffic_t *self) {
    const fob_traffic_rules_t *rules = &self->rules;
    self->accepted++;
    self->young++;
    bool room = !rules->most || self->open < rules->most;
    self->open++;
    return !rules->crowd || rules->crowd->open++ < rules->crowd->most ? room : false;
}

/* To be looked at again soon. */
static void be_wary(fob_traffic_t *self, uint32_t fd) {
    if (self->wary_count < WARY)
        self->wary[self->wary_count++] = fd;
}

static void came(fob_traffic_t *self, uint32_t fd) {
    line_t *line = line_of(self, fd);
    bool room = count_in(self);
    if (!line)
        return;
    bool early = line->gone_early;
    fob_subscriptions_clear(&line->subscriptions); /* what was read late of who had it before */
    *line = (line_t){.open = true,
                     .age = self->young > 0 ? self->age : 0,
                     .crowded = !room,
                     .serial = self->accepted};
    if (early)
        gone(self, line);
    else
        be_wary(self, fd);
    if (!early && !room && self->crowd_count < TURNED_AWAY)
        self->crowd[self->crowd_count++] = fd;
}

static void closed(fob_traffic_t *self, line_t *line) {
    if (line && line->open)
        gone(self, line);
    else if (line)
        line->gone_early = true;
}

static void take_event(fob_traffic_t *self, uint16_t event, uint32_t value) {
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        came(self, value);
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        grown_up(self);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        closed(self, line_of(self, value));
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: /* DISCONNECTED follows */
        self->left += value != EAGAIN;         /* that one did not greet in time */
        return;
    default: /* a failed handshake: DISCONNECTED follows, and counts it */
        return;
    }
    uint64_t wrong = self->young < 0 ? (uint64_t)-self->young : 0;
    self->failed = self->judged > wrong ? self->judged - wrong : 0;
}

void fob_traffic_event(fob_traffic_t *self, uint16_t event, uint32_t value) {
    pthread_mutex_lock(&self->lock);
    take_event(self, event, value);
    pthread_mutex_unlock(&self->lock);
}

static void read_events(fob_traffic_t *self) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (self->monitor && zmq_msg_recv(&frame, self->monitor, ZMQ_DONTWAIT) >= 0) {
        uint16_t event = 0;
        uint32_t value = 0;
        if (zmq_msg_size(&frame) == sizeof event + sizeof value) {
            memcpy(&event, zmq_msg_data(&frame), sizeof event);
            memcpy(&value, (uint8_t *)zmq_msg_data(&frame) + sizeof event, sizeof value);
            take_event(self, event, value);
        }
        while (zmq_msg_more(&frame) && zmq_msg_recv(&frame, self->monitor, ZMQ_DONTWAIT) >= 0)
            ; /* the endpoint's name */
    }
    zmq_msg_close(&frame);
}

/* --- ending connections --- */

static void tell(fob_traffic_t *self, int fd, fob_ended_t reason, int64_t now_ns) {
    char peer[64], sentence[192], line[256];
    if (!self->rules.log)
        return;
    fob_tcp_peer(fd, peer, sizeof peer);
    snprintf(sentence, sizeof sentence, "a connection from %s was ended: %s", peer,
             fob_ended_sentence(reason));
    if (fob_pace(&self->told, now_ns, sentence, line, sizeof line))
        self->rules.log(self->rules.log_arg, line);
}

/* Whether it is (still) open, the one with this serial (0: whichever it is), and was not ended
 * before. */
static bool still(const line_t *line, uint64_t serial) {
    return line->open && !line->ending && (!serial || line->serial == serial);
}

/* A descriptor that is closed may be another's at once, of the process too, and libzmq's thread
 * closes it when it likes. So it is held first; then the monitor is read, which is told of an end
 * before the descriptor is closed: if it knows of none, what we hold is that connection's. Only
 * where there is no memory to know anything, it is ended whatever it is. */
static void end(fob_traffic_t *self, int fd, uint64_t serial, fob_ended_t reason) {
    int held = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    read_events(self);
    line_t *line = line_of(self, (uint32_t)fd);
    if (!line || still(line, serial)) {
        int at = held >= 0 ? held : fd; /* no descriptor is left: as it is */
        self->ended[reason]++;
        tell(self, at, reason, fob_clock_now().mono_ns);
        shutdown(at, SHUT_RDWR); /* an error: it is gone already */
        /* What it sent before libzmq would still read, megabytes; so it is thrown away. */
        while (recv(at, NULL, DISCARD, MSG_TRUNC | MSG_DONTWAIT) > 0)
            ;
        if (line)
            line->ending = true;
    }
    if (held >= 0)
        close(held);
}

void fob_traffic_end(fob_traffic_t *self, int fd, fob_ended_t reason) {
    if (fd < 0)
        return;
    pthread_mutex_lock(&self->lock);
    end(self, fd, 0, reason);
    pthread_mutex_unlock(&self->lock);
}

bool fob_traffic_ended(fob_traffic_t *self, int fd) {
    pthread_mutex_lock(&self->lock);
    bool ended = fd >= 0 && (size_t)fd < self->line_count && self->lines[fd].ending;
    pthread_mutex_unlock(&self->lock);
    return ended;
}

static void turn_away(fob_traffic_t *self) {
    while (self->crowd_count > 0) {
        uint32_t fd = self->crowd[--self->crowd_count];
        if (self->lines[fd].crowded)
            end(self, (int)fd, self->lines[fd].serial, FOB_ENDED_CROWD);
    }
}

void fob_traffic_read(fob_traffic_t *self) {
    pthread_mutex_lock(&self->lock);
    read_events(self);
    turn_away(self);
    pthread_mutex_unlock(&self->lock);
}

/* --- subscriptions --- */

fob_status_t fob_traffic_subscribe(fob_traffic_t *self, int fd, fob_slice_t prefix, uint64_t seed) {
    pthread_mutex_lock(&self->lock);
    line_t *line = fd >= 0 ? line_of(self, (uint32_t)fd) : NULL;
    fob_status_t status = fd < 0 ? FOB_OK : FOB_NO_MEMORY; /* none is held that is not counted */
    if (line)
        status = fob_subscriptions_add(&line->subscriptions, prefix, seed);
    pthread_mutex_unlock(&self->lock);
    return status;
}

fob_status_t fob_traffic_refuse(fob_traffic_t *self, int fd) {
    pthread_mutex_lock(&self->lock);
    line_t *line = fd >= 0 ? line_of(self, (uint32_t)fd) : NULL;
    fob_status_t status = line ? fob_subscriptions_refuse(&line->subscriptions) : FOB_OK;
    pthread_mutex_unlock(&self->lock);
    return status;
}

void fob_traffic_unsubscribe(fob_traffic_t *self, int fd, fob_slice_t prefix, uint64_t seed) {
    pthread_mutex_lock(&self->lock);
    line_t *line = fd >= 0 ? line_of(self, (uint32_t)fd) : NULL;
    if (line)
        fob_subscriptions_remove(&line->subscriptions, prefix, seed);
    pthread_mutex_unlock(&self->lock);
}

uint32_t fob_traffic_held(fob_traffic_t *self, int fd) {
    pthread_mutex_lock(&self->lock);
    line_t *line = fd >= 0 ? line_of(self, (uint32_t)fd) : NULL;
    uint32_t count = line ? line->subscriptions.count : 0;
    pthread_mutex_unlock(&self->lock);
    return count;
}

/* --- looking at all of them --- */

uint64_t fob_traffic_heard(fob_traffic_t *self, int fd) {
    uint64_t name = 0;
    pthread_mutex_lock(&self->lock);
    if (fd >= 0 && (size_t)fd < self->line_count) {
        line_t *line = &self->lines[fd];
        line->conduct.heard = true;
        name = line->open ? line->serial << FD_BITS | (uint64_t)fd : 0;
    }
    pthread_mutex_unlock(&self->lock);
    return name;
}

int64_t fob_traffic_more(fob_traffic_t *self, uint64_t name) {
    int64_t more_ns = 0;
    size_t fd = name & ((1u << FD_BITS) - 1);
    pthread_mutex_lock(&self->lock);
    if (name && fd < self->line_count && still(&self->lines[fd], name >> FD_BITS))
        more_ns = self->lines[fd].conduct.more_ns;
    pthread_mutex_unlock(&self->lock);
    return more_ns;
}

static void look_at(fob_traffic_t *self, int fd, const fob_conduct_look_t *look) {
    line_t *line = &self->lines[fd];
    const fob_conduct_limits_t *limits = &self->rules.conduct;
    fob_conduct_sample_t sample;
    if (!line->open || line->ending)
        return;
    uint64_t before = line->conduct.heard ? fob_tcp_unread(fd) : 0;
    if (!fob_tcp_sample(fd, &sample))
        return;
    sample.unread = line->conduct.heard                    ? before
                    : sample.received > line->conduct.base ? fob_tcp_unread(fd)
                                                           : 0;
    uint64_t serial = line->serial;
    fob_ended_t verdict = fob_conduct_judge(&line->conduct, limits, &sample, look);
    if (line->crowded)
        verdict = FOB_ENDED_CROWD;
    if (verdict != FOB_ENDED_NOT)
        end(self, fd, serial, verdict);
    else if (line->conduct.over || line->conduct.brisk || ++line->looks <= LOOKS_FIRST)
        be_wary(self, (uint32_t)fd);
}

/* --- who has to make room --- */

static uint64_t all_unfinished(const fob_traffic_t *self) {
    uint64_t sum = 0;
    for (size_t fd = 0; fd < self->line_count; fd++)
        if (still(&self->lines[fd], 0))
            sum += self->lines[fd].conduct.unfinished;
    return sum;
}

/* The descriptor with the most that has lasted; `line_count`: nobody's has. */
static size_t fattest(const fob_traffic_t *self) {
    size_t found = self->line_count;
    uint64_t most = 0;
    for (size_t fd = 0; fd < self->line_count; fd++) {
        const line_t *line = &self->lines[fd];
        if (still(line, 0) && !line->conduct.heard && line->conduct.lasting > most) {
            most = line->conduct.lasting;
            found = fd;
        }
    }
    return found;
}

/* Each may hold a message that is not finished, and together they have a bound. All have just been
 * looked at. */
static void make_room(fob_traffic_t *self) {
    uint64_t most = self->rules.unfinished ? self->rules.unfinished : UINT64_MAX;
    uint64_t sum = all_unfinished(self);
    while (sum > most) {
        size_t fd = fattest(self);
        if (fd == self->line_count)
            return;
        fob_conduct_t *conduct = &self->lines[fd].conduct;
        sum -= conduct->unfinished;
        conduct->unfinished = conduct->lasting = 0;
        end(self, (int)fd, self->lines[fd].serial, FOB_ENDED_UNFINISHED);
    }
}

/* How often, with so many connections, if nothing is amiss. */
static int64_t rhythm(const fob_traffic_t *self) {
    int64_t stretched = (int64_t)self->open * LOOK_SHARE;
    return stretched > LOOK_EVERY ? stretched : LOOK_EVERY;
}

/* At all of them, or at those only that need it soon. */
static void look(fob_traffic_t *self, int64_t now_ns, bool all) {
    int64_t since = self->looked_ns ? now_ns - self->looked_ns : 0;
    int64_t most = 2 * rhythm(self) + LOOK_EVERY; /* else the bus stood still */
    self->awake_ns += since < most ? since : most;
    fob_conduct_look_t how = {.now_ns = now_ns,
                              .awake_ns = self->awake_ns,
                              .sure = self->drained ||
                                      self->messages > SURE_AFTER + 2 * (size_t)self->open};
    uint32_t wary[WARY];
    size_t wary_count = self->wary_count;
    memcpy(wary, self->wary, sizeof wary);
    self->wary_count = 0;
    for (size_t fd = 0; all && fd < self->line_count; fd++)
        look_at(self, (int)fd, &how);
    if (all)
        make_room(self);
    for (size_t i = 0; !all && i < wary_count; i++)
        look_at(self, (int)wary[i], &how);
    self->looked_ns = now_ns;
    self->messages = 0;
    self->drained = false;
}

/* Whether it is time for all of them: now and then, and whenever memory grows. */
static bool time_for_all(fob_traffic_t *self, int64_t now_ns) {
    if (now_ns < self->all_ns)
        return false;
    self->all_ns = now_ns + LOOK_EVERY;
    int64_t rss = fob_rss();
    if (now_ns - self->looked_all_ns < rhythm(self) && rss < self->rss + RSS_GROWTH)
        return false;
    self->rss = rss;
    self->looked_all_ns = now_ns;
    return true;
}

void fob_traffic_round(fob_traffic_t *self, int64_t mono_ns, size_t messages, bool drained) {
    pthread_mutex_lock(&self->lock);
    self->messages += messages;
    self->drained |= drained;
    bool again = self->wary_count > 0 && mono_ns - self->looked_ns >= LOOK_AGAIN;
    if (self->awake_ns && (again || mono_ns >= self->look_ns)) {
        bool all = time_for_all(self, mono_ns);
        read_events(self);
        turn_away(self);
        if (all || self->wary_count > 0)
            look(self, mono_ns, all);
        self->look_ns = self->all_ns;
    }
    pthread_mutex_unlock(&self->lock);
}

int64_t fob_traffic_deadline(fob_traffic_t *self) {
    pthread_mutex_lock(&self->lock);
    int64_t again = self->looked_ns + LOOK_AGAIN;
    int64_t at = self->wary_count > 0 && again < self->look_ns ? again : self->look_ns;
    if (!self->awake_ns || self->open == 0)
        at = FOB_NEVER;
    pthread_mutex_unlock(&self->lock);
    return at;
}

uint64_t fob_traffic_open(const fob_traffic_t *self) {
    return self->open;
}

void fob_traffic_stats(fob_traffic_t *self, fob_traffic_stats_t *out) {
    out->open = self->open;
    out->accepted = self->accepted;
    out->failed = self->failed;
    for (int reason = 0; reason < FOB_ENDED_COUNT; reason++)
        out->ended[reason] = self->ended[reason];
}
