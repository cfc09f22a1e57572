/* The rounds of a conduit: what is read, stepped and sent. Whoever runs one has the lock. */
#include "proto/link/conduit_inside.h"

#include <assert.h>

#define CONDUIT_INPUTS   128    /* messages read in one round, then the application gets the lock */
#define CONDUIT_OUTPUTS  128    /* messages sent in one round, likewise */
#define CONDUIT_LINGER   200    /* ms for the GOODBYE to get out */
#define CONDUIT_AGAIN_NS FOB_MS /* what could not be done is tried again */

bool fob_conduit_is_up(const fob_conduit_t *self) {
    return fob_link_state(self->link) == FOB_LINK_UP;
}

/* --- the sockets --- */

void fob_conduit_listen(fob_conduit_t *self, int ear, void *socket) {
    fob_conduit_ear_t *what = &self->ears[ear];
    size_t size = sizeof what->fd;
    *what = (fob_conduit_ear_t){.socket = socket, .fd = -1, .news = socket != NULL};
    self->moved = true;
    if (socket) /* cannot fail: it is open */
        (void)zmq_getsockopt(socket, ZMQ_FD, &what->fd, &size);
}

void fob_conduit_attach(fob_conduit_t *self, void *zmq_socket) {
    int ear = CONDUIT_ATTACHED;
    while (ear < CONDUIT_EARS && self->ears[ear].socket)
        ear++;
    assert(ear < CONDUIT_EARS);
    fob_conduit_listen(self, ear, zmq_socket);
}

void fob_conduit_detach(fob_conduit_t *self, void *zmq_socket) {
    for (int ear = CONDUIT_ATTACHED; ear < CONDUIT_EARS; ear++)
        if (self->ears[ear].socket == zmq_socket)
            fob_conduit_listen(self, ear, NULL);
}

static void close_pipe(fob_conduit_t *self, int linger_ms) {
    fob_conduit_listen(self, CONDUIT_DEALER, NULL);
    fob_conduit_listen(self, CONDUIT_MONITOR, NULL);
    fob_pipe_close(&self->pipe, linger_ms);
}

/* --- the link's wishes --- */

static void broken(fob_conduit_t *self, fob_now_t now, const char *why) {
    fob_link_broken(self->link, now, why);
}

static void pipe_send(fob_conduit_t *self, fob_now_t now, fob_slice_t header, fob_blob_t *body) {
    self->ears[CONDUIT_DEALER].used = true;
    fob_pipe_sent_t sent = fob_pipe_send(&self->pipe, header, body);
    if (sent == FOB_PIPE_SENT)
        fob_link_sent(self->link, now);
    else if (sent == FOB_PIPE_BROKEN)
        broken(self, now, "the connection was lost");
}

static void act_open(fob_conduit_t *self, fob_now_t now, const char *endpoint) {
    close_pipe(self, 0);
    const char *why = fob_pipe_open(&self->pipe, self->context, endpoint);
    if (why) {
        broken(self, now, why);
        return;
    }
    fob_conduit_listen(self, CONDUIT_DEALER, self->pipe.dealer);
    fob_conduit_listen(self, CONDUIT_MONITOR, self->pipe.monitor);
}

static void act_send(fob_conduit_t *self, fob_now_t now, fob_slice_t header) {
    /* While something waits for room a beat says nothing new. */
    if (self->pipe.dealer && header.size && !self->pipe.pending)
        pipe_send(self, now, header, NULL);
}

static void act_close(fob_conduit_t *self) {
    bool polite = fob_link_state(self->link) == FOB_LINK_CLOSED;
    close_pipe(self, polite ? CONDUIT_LINGER : 0);
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
    if (!fob_frame_receive(msg, self->pipe.dealer))
        return false;
    if (!zmq_msg_more(msg)) {
        *body = fob_frame_take(msg);
        return *body != NULL;
    }
    while (zmq_msg_more(msg) && fob_frame_receive(msg, self->pipe.dealer))
        ;
    return false;
}

/* One message, if there is one. */
static bool message_read(fob_conduit_t *self, fob_now_t now) {
    zmq_msg_t head;
    zmq_msg_init(&head);
    if (!fob_frame_receive(&head, self->pipe.dealer)) {
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

static void read_messages(fob_conduit_t *self, fob_now_t now) {
    unsigned n = 0;
    self->ears[CONDUIT_DEALER].news = self->ears[CONDUIT_DEALER].used = false;
    while (n < CONDUIT_INPUTS && self->pipe.dealer && message_read(self, now))
        n++;
    if (n == CONDUIT_INPUTS)
        self->ears[CONDUIT_DEALER].news = self->more = true;
}

/* After the messages: what came before the end is still good. */
static void look_for_trouble(fob_conduit_t *self, fob_now_t now) {
    if (!self->pipe.dealer || self->more)
        return;
    bool news = self->ears[CONDUIT_MONITOR].news;
    self->ears[CONDUIT_MONITOR].news = false;
    const char *why = news ? fob_pipe_trouble(&self->pipe) : NULL;
    if (why)
        broken(self, now, why);
    else
        fob_link_awaits(self->link, fob_pipe_late(&self->pipe));
}

static void input(fob_conduit_t *self, fob_now_t now) {
    if (self->ears[CONDUIT_DEALER].news || self->ears[CONDUIT_MONITOR].news)
        read_messages(self, now);
    look_for_trouble(self, now);
    acts_run(self, now);
    for (int i = CONDUIT_ATTACHED; i < CONDUIT_EARS; i++) {
        fob_conduit_ear_t *ear = &self->ears[i];
        if (!ear->socket || !ear->news)
            continue;
        ear->news = false;
        ear->used = true; /* the client may have left some of it */
        if (self->ops.readable)
            self->ops.readable(self->client, now, ear->socket);
    }
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
        self->ears[CONDUIT_DEALER].used = true;
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

/* When the next round is wanted. */
static int64_t due_after(fob_conduit_t *self, fob_now_t now) {
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

void fob_conduit_round(fob_conduit_t *self) {
    fob_now_t now = fob_conduit_now();
    self->more = self->poked = false;
    input(self, now);
    listen_closely(self, now);
    fob_link_tick(self->link, now);
    acts_run(self, now);
    if (self->ops.tick)
        self->ops.tick(self->client, now);
    bool all_sent = output(self, now);
    acts_run(self, now);
    self->begun = true;
    if (self->stopping && (all_sent || !fob_conduit_is_up(self) || now.mono_ns >= self->stop_at))
        goodbye(self, now);
    self->due = self->finished ? now.mono_ns : due_after(self, now);
}
