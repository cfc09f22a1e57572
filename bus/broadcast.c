#include "bus/broadcast.h"

#include "bus/host/clock.h"
#include "bus/sockets/ears.h"
#include "proto/handover.h"

#include <sys/random.h>
#include <zmq.h>

/* What one turn takes from each input at the most, so that none starves the others. */
#define IDLE_NS            FOB_SEC /* between looks where nobody seems to be there */
#define TURN_MESSAGES      256
#define TURN_BYTES         (4u << 20)
#define TURN_SUBSCRIPTIONS 256
#define TURN_SKIPPED       4096 /* of connections that were ended */

static fob_slice_t bytes_of(zmq_msg_t *frame) {
    return fob_slice(zmq_msg_data(frame), zmq_msg_size(frame));
}

/* Throws away the rest of a message. */
static void drain(void *socket, zmq_msg_t *last) {
    while (zmq_msg_more(last) && zmq_msg_recv(last, socket, ZMQ_DONTWAIT) >= 0)
        ;
}

/* XPUB without NODROP never blocks: it drops for those who are full. */
static void pass(fob_broadcast_t *self, zmq_msg_t *header, zmq_msg_t *body) {
    if (zmq_msg_send(header, self->xpub, (body ? ZMQ_SNDMORE : 0) | ZMQ_DONTWAIT) < 0)
        return;
    if (!body || zmq_msg_send(body, self->xpub, ZMQ_DONTWAIT) >= 0)
        self->passed++;
}

/* --- fire-and-forget --- */

/* One message of XSUB. Returns its bytes; 0: none there. */
static size_t fired(fob_broadcast_t *self, zmq_msg_t *header, zmq_msg_t *body) {
    if (zmq_msg_recv(header, self->xsub, ZMQ_DONTWAIT) < 0)
        return 0;
    fob_traffic_heard(self->xsub_traffic, zmq_msg_get(header, ZMQ_SRCFD));
    size_t size = zmq_msg_size(header) + 1;
    if (!zmq_msg_more(header) || zmq_msg_recv(body, self->xsub, ZMQ_DONTWAIT) < 0) {
        self->malformed++;
        return size;
    }
    size += zmq_msg_size(body);
    if (zmq_msg_more(body)) {
        drain(self->xsub, body);
        self->malformed++;
    } else if (fob_gate_cast(bytes_of(header), bytes_of(body), &self->limits) != FOB_OK) {
        self->malformed++;
    } else {
        pass(self, header, body);
    }
    return size;
}

/* --- stored events, from the broker --- */

static size_t stored(fob_broadcast_t *self, zmq_msg_t *header, zmq_msg_t *body) {
    if (zmq_msg_recv(header, self->stored, ZMQ_DONTWAIT) < 0)
        return 0;
    size_t size = zmq_msg_size(header) + 1;
    if (zmq_msg_more(header) && zmq_msg_recv(body, self->stored, ZMQ_DONTWAIT) >= 0) {
        fob_take_over(&self->token);
        size += zmq_msg_size(body);
        self->waiting -= zmq_msg_size(body);
        pass(self, header, body);
        FOB_PLANT_RACE(self);
    }
    return size;
}

typedef size_t(take_fn)(fob_broadcast_t *self, zmq_msg_t *header, zmq_msg_t *body);

/* Takes from one input, up to a turn's share. Returns how many messages; less than that share: it
 * was read until it was empty. */
static size_t take(fob_broadcast_t *self, take_fn *one) {
    zmq_msg_t header, body;
    zmq_msg_init(&header);
    zmq_msg_init(&body);
    size_t bytes = 0, count = 0;
    bool drained = false;
    while (count < TURN_MESSAGES && bytes < TURN_BYTES && !drained) {
        size_t size = one(self, &header, &body);
        drained = size == 0;
        bytes += size;
        count += !drained;
    }
    zmq_msg_close(&header);
    zmq_msg_close(&body);
    return drained ? count : TURN_MESSAGES;
}

/* --- subscriptions --- */

/* Tells the subscriber that all it subscribed to before is live. */
static void answer_probe(fob_broadcast_t *self, fob_slice_t prefix) {
    fob_cast_t cast = {.topic = fob_slice(prefix.data, prefix.size - 1), .kind = FOB_CAST_PROBE};
    fob_buf_t frame = {0};
    zmq_msg_t message;
    if (fob_cast_write(&frame, &cast) == FOB_OK && zmq_msg_init_size(&message, frame.size) == 0) {
        memcpy(zmq_msg_data(&message), frame.data, frame.size);
        pass(self, &message, NULL);
        zmq_msg_close(&message);
    }
    fob_buf_free(&frame);
}

/* What the gate said of a subscription, or a refusal, and the end of the connection, if it has
 * enough of them (one more, even refused, would cost libzmq's memory, and the subscriber should
 * know) or they cannot be counted. */
static fob_gate_t admit(fob_broadcast_t *self, fob_slice_t prefix, int fd) {
    fob_gate_t gate = fob_gate_subscription(prefix);
    fob_status_t status = gate == FOB_GATE_REFUSE
                              ? fob_traffic_refuse(self->xpub_traffic, fd)
                              : fob_traffic_subscribe(self->xpub_traffic, fd, prefix, self->seed);
    if (status == FOB_OK)
        return gate;
    fob_traffic_end(self->xpub_traffic, fd, FOB_ENDED_SUBSCRIPTIONS);
    return FOB_GATE_REFUSE;
}

/* In manual mode libzmq keeps two queues, what came and for whom a subscription is to be, and steps
 * on in both with each read; but a message that is no subscription stands in the first only. Behind
 * it each subscription would go to the connection after its own, until both queues are empty. So
 * until then all that is read is refused, and who sent it has to connect again. */
static bool mixed_up(fob_broadcast_t *self, fob_slice_t frame, bool more, int fd) {
    bool talk = frame.size == 0 || frame.data[0] > 1 || more;
    if (!talk && !self->mixed)
        return false;
    self->mixed = true;
    self->malformed += talk;
    fob_traffic_end(self->xpub_traffic, fd, talk ? FOB_ENDED_TALK : FOB_ENDED_MIXED);
    return true;
}

/* The one place that lets a subscription in. `frame` is what XPUB gave us, for the peer it came
 * from, whose descriptor is `fd` (negative: it is gone, and so are its subscriptions). */
static void subscription(fob_broadcast_t *self, fob_slice_t frame, int fd) {
    fob_slice_t prefix = fob_slice(frame.data + 1, frame.size - 1);
    if (frame.data[0] == 0) {
        fob_traffic_unsubscribe(self->xpub_traffic, fd, prefix, self->seed);
        zmq_setsockopt(self->xpub, ZMQ_UNSUBSCRIBE, prefix.data, prefix.size);
        return;
    }
    fob_gate_t gate = admit(self, prefix, fd);
    if (gate == FOB_GATE_REFUSE) {
        self->malformed++;
        return;
    }
    atomic_store(&self->audience, true); /* before it is told that its subscriptions hold */
    zmq_setsockopt(self->xpub, ZMQ_SUBSCRIBE, prefix.data, prefix.size);
    if (gate == FOB_GATE_PROBE)
        answer_probe(self, prefix);
}

/* True: all that waited was read. */
static bool subscriptions(fob_broadcast_t *self) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    int count = 0, skipped = 0;
    while (count < TURN_SUBSCRIPTIONS && skipped < TURN_SKIPPED &&
           zmq_msg_recv(&frame, self->xpub, ZMQ_DONTWAIT) >= 0) {
        int fd = zmq_msg_get(&frame, ZMQ_SRCFD);
        fob_traffic_read(self->xpub_traffic); /* that it was accepted is told before what it says */
        fob_traffic_heard(self->xpub_traffic, fd);
        bool ended = fob_traffic_ended(self->xpub_traffic, fd);
        if (!mixed_up(self, bytes_of(&frame), zmq_msg_more(&frame), fd) && !ended)
            subscription(self, bytes_of(&frame), fd);
        count += !ended;
        skipped += ended;
    }
    zmq_msg_close(&frame);
    bool drained = count < TURN_SUBSCRIPTIONS && skipped < TURN_SKIPPED;
    if (drained)
        self->mixed = false;
    return drained;
}

/* --- the actor --- */

static bool told_to_stop(zsock_t *pipe, int flags) {
    char text[8] = "";
    int size = zmq_recv(zsock_resolve(pipe), text, sizeof text, flags);
    return size < 0 ? errno != EAGAIN && errno != EINTR
                    : (size_t)size == strlen("$TERM") && memcmp(text, "$TERM", (size_t)size) == 0;
}

static void close_all(fob_broadcast_t *self) {
    int linger = 200;
    fob_traffic_destroy(&self->xsub_traffic);
    fob_traffic_destroy(&self->xpub_traffic);
    zmq_setsockopt(self->xpub, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close(self->xpub);
    linger = 0;
    zmq_setsockopt(self->xsub, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close(self->xsub);
    zmq_close(self->stored);
    self->xsub = self->xpub = self->stored = NULL;
}

/* The bus must not go on as if it broadcast. */
static void fail(fob_broadcast_t *self, int problem) {
    char text[160];
    snprintf(text, sizeof text, "the broadcast cannot poll (%s): this is a bug in fob",
             zmq_strerror(problem));
    if (self->log)
        self->log(self->log_arg, text);
    if (self->failed)
        self->failed(self->failed_arg, FOB_INTERNAL, text);
}

/* Until when to sleep. Nothing tells of who comes to XPUB and says nothing whole; but only here it
 * is known that nothing was left to read, without which nobody is judged. */
static int64_t patience(const fob_broadcast_t *self) {
    int64_t at = fob_traffic_deadline(self->xsub_traffic);
    int64_t other = fob_traffic_deadline(self->xpub_traffic);
    int64_t idle = fob_clock_now().mono_ns + IDLE_NS;
    at = at < other ? at : other;
    return at < idle ? at : idle;
}

/* A connection is told of before what it says (`subscriptions`), so who is subscribed is counted.
 */
static void count_heads(fob_broadcast_t *self) {
    if (atomic_load(&self->audience) && fob_traffic_open(self->xpub_traffic) == 0)
        atomic_store(&self->audience, false);
}

static void look(fob_broadcast_t *self, size_t fires, bool subscriptions_drained) {
    int64_t now = fob_clock_now().mono_ns;
    fob_traffic_round(self->xsub_traffic, now, fires, fires < TURN_MESSAGES);
    fob_traffic_round(self->xpub_traffic, now, 0, subscriptions_drained);
    count_heads(self);
}

/* What it waits for. */
enum { EAR_STOP, EAR_FIRES, EAR_TALK, EAR_STORED, EAR_LINES, EARS };

/* One round. Only XPUB is both read and sent on. */
static void round_of(fob_broadcast_t *self, fob_ear_t ears[EARS]) {
    bool drained = ears[EAR_TALK].news ? subscriptions(self) : true;
    ears[EAR_TALK].news = !drained;
    ears[EAR_TALK].used |= ears[EAR_FIRES].news || ears[EAR_STORED].news;
    size_t fires = ears[EAR_FIRES].news ? take(self, fired) : 0;
    ears[EAR_FIRES].news = fires == TURN_MESSAGES;
    if (ears[EAR_STORED].news)
        ears[EAR_STORED].news = take(self, stored) == TURN_MESSAGES;
    if (ears[EAR_LINES].news)
        fob_traffic_read(self->xsub_traffic);
    look(self, fires, drained);
}

static void run(fob_broadcast_t *self, zsock_t *pipe) {
    fob_ear_t ears[EARS] = {[EAR_STOP] = fob_ear_of(zsock_resolve(pipe)),
                            [EAR_FIRES] = fob_ear_of(self->xsub),
                            [EAR_TALK] = fob_ear_of(self->xpub),
                            [EAR_STORED] = fob_ear_of(self->stored),
                            [EAR_LINES] = fob_ear_fd(fob_traffic_fd(self->xsub_traffic))};
    for (;;) {
        if (!fob_ears_wait(ears, EARS, patience(self))) {
            fail(self, errno);
            while (!told_to_stop(pipe, 0)) /* the broker still looks at our connections */
                ;
            return;
        }
        if (ears[EAR_STOP].news && told_to_stop(pipe, ZMQ_DONTWAIT))
            return;
        ears[EAR_STOP].news = false; /* there is one message ever */
        round_of(self, ears);
    }
}

void fob_broadcast_actor(zsock_t *pipe, void *args) {
    fob_broadcast_t *self = args;
    static const uint8_t everything = 1;
    if (getrandom(&self->seed, sizeof self->seed, GRND_NONBLOCK) != (ssize_t)sizeof self->seed)
        self->seed = (uint64_t)fob_clock_now().mono_ns; /* a machine that just woke: good enough */
    zmq_send(self->xsub, &everything, 1, ZMQ_DONTWAIT);
    zsock_signal(pipe, 0);
    run(self, pipe);
    close_all(self);
    fob_hand_over(&self->token);
}
