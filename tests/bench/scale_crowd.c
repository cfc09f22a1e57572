#include "tests/bench/scale_crowd.h"

#include "proto/wire.h"
#include "tests/bench/rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

typedef struct {
    void *dealer, *sub;
    bool welcome, live;
    bool in_message; /* the next frame of its SUB is not a message's first */
} member_t;

struct crowd {
    void *zmq;
    uint64_t heard;
    uint32_t count;
    member_t members[];
};

/* --- one of them --- */

static void say(void *dealer, const fob_wire_t *msg) {
    fob_buf_t header = {0};
    if (fob_wire_write(&header, msg) != FOB_OK ||
        zmq_send(dealer, header.data, header.size, ZMQ_DONTWAIT) < 0)
        rig_die("a member of the crowd cannot speak: %s", zmq_strerror(errno));
    fob_buf_free(&header);
}

static void greet(void *dealer, uint32_t number) {
    uint8_t session[FOB_SESSION_SIZE] = {1};
    fob_wire_t msg = {.verb = FOB_VERB_HELLO};
    memcpy(session + 1, &number, sizeof number);
    FOB_SET(&msg, version_min, FOB_WIRE_VERSION);
    FOB_SET(&msg, version_max, FOB_WIRE_VERSION);
    FOB_SET(&msg, role, fob_slice_str("subscriber"));
    FOB_SET(&msg, session, fob_slice(session, sizeof session));
    say(dealer, &msg);
}

/* A pattern's prefix is what the bus sees of it. */
static void subscribe_patterns(void *sub, uint32_t first, uint32_t count) {
    char text[96];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "crowd.shop%u.*.placed", first + i);
        zmq_setsockopt(sub, ZMQ_SUBSCRIBE, text, strcspn(text, "*"));
    }
}

/* The probe is answered behind all that was subscribed to before. */
static void subscribe_probe(void *sub, uint32_t number) {
    char text[96];
    int size = snprintf(text, sizeof text, "$sys.probe.%032x", number + 1);
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, text, (size_t)size + 1);
}

static void *connected(void *zmq, int type, int port) {
    char endpoint[64];
    int none = 0;
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    void *socket = zmq_socket(zmq, type);
    if (!socket || zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none) != 0 ||
        zmq_connect(socket, endpoint) != 0)
        rig_die("a member of the crowd has no connection: %s", zmq_strerror(errno));
    return socket;
}

/* Reads what the bus says to it, and answers its beats. */
static void read_dealer(member_t *member) {
    uint8_t bytes[4096];
    fob_wire_t msg;
    for (int size; (size = zmq_recv(member->dealer, bytes, sizeof bytes, ZMQ_DONTWAIT)) >= 0;) {
        size_t got = (size_t)size < sizeof bytes ? (size_t)size : sizeof bytes;
        member->welcome = true;
        if (fob_wire_read(fob_slice(bytes, got), &msg) == FOB_OK && msg.verb == FOB_VERB_BEAT)
            say(member->dealer, &(fob_wire_t){.verb = FOB_VERB_BEAT});
    }
}

/* Reads what is broadcast, frame by frame; how many stored events it announced. */
static uint64_t read_sub(member_t *member) {
    uint64_t heard = 0;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, member->sub, ZMQ_DONTWAIT) >= 0) {
        fob_slice_t bytes = fob_slice(zmq_msg_data(&frame), zmq_msg_size(&frame));
        fob_cast_t cast;
        if (!member->in_message && fob_cast_read(bytes, &cast) == FOB_OK &&
            cast.kind == FOB_CAST_STORED)
            heard += cast.count;
        member->in_message = zmq_msg_more(&frame);
        member->live = true;
    }
    zmq_msg_close(&frame);
    return heard;
}

/* --- all of them --- */

void crowd_beat(crowd_t *self) {
    for (uint32_t i = 0; i < self->count; i++) {
        member_t *member = &self->members[i];
        read_dealer(member);
        self->heard += read_sub(member);
    }
}

uint64_t crowd_heard(const crowd_t *self) {
    return self->heard;
}

static bool all_live(crowd_t *self) {
    crowd_beat(self);
    for (uint32_t i = 0; i < self->count; i++)
        if (!self->members[i].welcome || !self->members[i].live)
            return false;
    return true;
}

static void tell_missing(const crowd_t *self) {
    uint32_t strangers = 0, deaf = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        strangers += !self->members[i].welcome;
        deaf += !self->members[i].live;
    }
    rig_die("after 60 s %u of the crowd are not welcomed, %u not subscribed", strangers, deaf);
}

static void raise_files(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* Each has its connections, and is subscribed to nothing yet. */
static crowd_t *gather(int port, uint32_t members) {
    crowd_t *self = calloc(1, sizeof *self + members * sizeof self->members[0]);
    if (!self || !(self->zmq = zmq_ctx_new()))
        rig_die("no memory");
    raise_files();
    zmq_ctx_set(self->zmq, ZMQ_MAX_SOCKETS, 16384);
    self->count = members;
    for (uint32_t i = 0; i < members; i++) {
        self->members[i].dealer = connected(self->zmq, ZMQ_DEALER, port);
        self->members[i].sub = connected(self->zmq, ZMQ_SUB, port + 2);
        greet(self->members[i].dealer, i);
    }
    return self;
}

static void await_live(crowd_t *self) {
    for (uint32_t i = 0; i < self->count; i++)
        subscribe_probe(self->members[i].sub, i);
    double since = rig_now();
    while (!all_live(self))
        if (rig_now() - since > 60)
            tell_missing(self);
}

crowd_t *crowd_new(int port, uint32_t members, uint32_t patterns) {
    crowd_t *self = gather(port, members);
    for (uint32_t i = 0; i < members; i++) {
        uint32_t first = (uint32_t)((uint64_t)patterns * i / members);
        uint32_t end = (uint32_t)((uint64_t)patterns * (i + 1) / members);
        subscribe_patterns(self->members[i].sub, first, end - first);
    }
    await_live(self);
    return self;
}

crowd_t *crowd_of_topic(int port, uint32_t members, const char *topic) {
    crowd_t *self = gather(port, members);
    for (uint32_t i = 0; i < members; i++) /* with its end, so that it is the prefix of no other */
        zmq_setsockopt(self->members[i].sub, ZMQ_SUBSCRIBE, topic, strlen(topic) + 1);
    await_live(self);
    return self;
}

void crowd_destroy(crowd_t **self_p) {
    crowd_t *self = *self_p;
    for (uint32_t i = 0; i < self->count; i++) {
        zmq_close(self->members[i].dealer);
        zmq_close(self->members[i].sub);
    }
    zmq_ctx_term(self->zmq);
    free(self);
    *self_p = NULL;
}
