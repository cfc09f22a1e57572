#include "bus/broker.h"

#include "bus/clerk.h"
#include "bus/clock.h"
#include "bus/desk.h"
#include "bus/joins.h"
#include "bus/jump.h"
#include "bus/pace.h"
#include "bus/peers.h"
#include "bus/router.h"
#include "bus/warnings.h"
#include "proto/handover.h"

#include <inttypes.h>
#include <zmq.h>

#define TURN_MESSAGES   1024          /* read in a turn at the most */
#define TURN_BYTES      (8u << 20)    /* and their bytes */
#define CASTS_BYTES     (64u << 20)   /* on their way to the broadcast */
#define RETRY_EVERY     (5 * FOB_MS)  /* what a full client did not take */
#define STOP_WITHIN     (5 * FOB_SEC) /* for the journal, at the end */
#define COME_BACK_AFTER 500           /* ms, told to clients in GOODBYE */

struct fob_broker {
    fob_broker_options_t options;
    fob_ledger_t *ledger;
    fob_router_t *router;
    fob_peers_t *peers;
    fob_joins_t *joins;
    fob_desk_t desk;
    fob_buf_t header;
    fob_now_t now; /* of this round */
    size_t read;   /* messages since the beats were looked at last */
    bool drained;  /* the socket was read until it was empty */
    bool failed;
    int64_t retry_ns;  /* when what waits for slow clients is tried again */
    fob_pace_t unread; /* lines about clients that did not read */
    fob_jump_t jump;
    fob_warnings_t warnings;
};

static void open_desk(fob_broker_t *self) {
    self->ledger = self->options.ledger;
    self->desk = (fob_desk_t){.peers = self->peers,
                              .ledger = self->ledger,
                              .traffic = self->options.traffic,
                              .broadcast = self->options.broadcast,
                              .house = &self->options.house,
                              .started_ns = fob_clock_now().mono_ns};
}

fob_broker_t *fob_broker_new(const fob_broker_options_t *options) {
    fob_broker_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->options = *options;
    fob_peers_config_t config = {options->house.shard, options->max_connections,
                                 (int64_t)options->house.heartbeat_ms * FOB_MS};
    self->peers = fob_peers_new(&config);
    self->joins = fob_joins_new();
    self->router = self->peers && self->joins ? fob_router_new(options->router) : NULL;
    if (!self->router)
        fob_broker_destroy(&self);
    else
        open_desk(self);
    return self;
}

static void close_all(fob_broker_t *self) {
    int none = 0;
    fob_traffic_destroy(&self->options.traffic);
    fob_router_destroy(&self->router, 1000);
    zmq_setsockopt(self->options.casts, ZMQ_LINGER, &none, sizeof none);
    zmq_close(self->options.casts);
    fob_ledger_destroy(&self->ledger);
}

void fob_broker_destroy(fob_broker_t **self_p) {
    fob_broker_t *self = *self_p;
    if (!self)
        return;
    if (self->router) /* the actor never ran */
        close_all(self);
    fob_peers_destroy(&self->peers);
    fob_joins_destroy(&self->joins);
    fob_buf_free(&self->header);
    fob_buf_free(&self->desk.value);
    fob_warnings_free(&self->warnings);
    free(self);
    *self_p = NULL;
}

/* --- failing and forgetting --- */

static void say(fob_broker_t *self, const char *line) {
    if (self->options.log)
        self->options.log(self->options.log_arg, line);
}

/* Stops serving, for good: the owner is told, and ends the actor. */
static void fail(fob_broker_t *self, fob_status_t status, const char *text) {
    if (self->failed)
        return;
    self->failed = true;
    say(self, text);
    self->options.failed(self->options.failed_arg, status, text);
}

static void check(fob_broker_t *self, fob_status_t status) {
    if (status != FOB_OK)
        fail(self, status, "out of memory: the bus stops");
}

/* Tells the core that a connection is over; `goodbye`: it said so, and what it held goes back
 * uncounted. */
static void gone(fob_broker_t *self, uint64_t conn, bool goodbye) {
    uint8_t name[FOB_NAME_MAX];
    size_t size;
    fob_router_forget(self->router, conn);
    while ((size = fob_joins_take(self->joins, conn, name)) > 0) {
        fob_command_t leave = {.kind = FOB_CMD_LEAVE, .conn = conn};
        leave.leave.group = fob_slice(name, size);
        if (goodbye)
            check(self, fob_ledger_step(self->ledger, self->now, &leave));
    }
    fob_command_t lost = {.kind = FOB_CMD_LOST, .conn = conn};
    check(self, fob_ledger_step(self->ledger, self->now, &lost));
}

static void forget(fob_broker_t *self, uint64_t conn) {
    if (fob_peers_forget(self->peers, conn))
        gone(self, conn, false);
}

static void on_gone(void *arg, uint64_t conn) {
    forget(arg, conn);
}

/* --- sending --- */

static void say_unread(fob_broker_t *self) {
    char line[160];
    self->desk.dropped_unread++;
    if (fob_pace(&self->unread, self->now.mono_ns,
                 "a client did not read what it asked for: its connection was given up", line,
                 sizeof line))
        say(self, line);
}

/* Sends self->header and the body, whose hold passes. */
static void tell(fob_broker_t *self, uint64_t conn, fob_body_t body) {
    fob_slice_t route = fob_peers_route(self->peers, conn);
    if (route.size == 0) {
        fob_blob_unref(&body.blob);
        return;
    }
    switch (fob_router_send(self->router, conn, route, fob_buf_slice(&self->header), body)) {
    case FOB_SEND_DONE:
        fob_peers_sent(self->peers, self->now, conn);
        break;
    case FOB_SEND_UNREAD:
        say_unread(self);
        forget(self, conn);
        break;
    case FOB_SEND_GONE:
    case FOB_SEND_MEMORY:
        forget(self, conn);
        break;
    }
}

/* Sends an ERROR where it can be sent, to a stranger as well. */
static void send_error(fob_broker_t *self, fob_slice_t route, const fob_wire_t *error) {
    fob_buf_clear(&self->header);
    if (fob_wire_write(&self->header, error) == FOB_OK)
        fob_router_send(self->router, 0, route, fob_buf_slice(&self->header), (fob_body_t){0});
}

static void send_effect(fob_broker_t *self, const fob_effect_t *effect) {
    size_t from = 0;
    do {
        fob_body_t body;
        fob_status_t status =
            fob_letter_effect(&self->header, self->options.house.shard, effect, &from, &body);
        if (status != FOB_OK) { /* it would miss something without knowing */
            forget(self, effect->conn);
            return;
        }
        tell(self, effect->conn, body);
    } while (from < effect->span_count);
}

/* --- to the broadcast --- */

/* Makes the two frames. False: no memory; nothing is held. */
static bool cast_frames(fob_broker_t *self, fob_body_t body, zmq_msg_t *header, zmq_msg_t *events) {
    uint8_t *data = (uint8_t *)(uintptr_t)(fob_blob_slice(body.blob).data + body.at);
    fob_hand_over(body.blob); /* whichever thread is the last drops it */
    if (zmq_msg_init_data(events, data, body.size, fob_hand_back, body.blob) != 0) {
        fob_blob_unref(&body.blob);
        return false;
    }
    if (zmq_msg_init_size(header, self->header.size) != 0) {
        zmq_msg_close(events);
        return false;
    }
    memcpy(zmq_msg_data(header), self->header.data, self->header.size);
    return true;
}

static void cast(fob_broker_t *self, const fob_effect_t *effect) {
    const fob_house_t *house = &self->options.house;
    fob_broadcast_t *to = self->options.broadcast;
    fob_body_t body = {0};
    zmq_msg_t header, events;
    size_t size = effect->spans[0].size;
    if (atomic_load(&to->waiting) + size > CASTS_BYTES ||
        fob_letter_cast(&self->header, house->shard, house->epoch,
                        self->options.source ^ effect->born, effect, &body) != FOB_OK ||
        !cast_frames(self, body, &header, &events)) {
        self->desk.dropped_casts += effect->spans[0].count;
        return;
    }
    fob_hand_over(&to->token);
    atomic_fetch_add(&to->waiting, size);
    if (zmq_msg_send(&header, self->options.casts, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_msg_send(&events, self->options.casts, ZMQ_DONTWAIT) < 0) {
        atomic_fetch_sub(&to->waiting, size);
        self->desk.dropped_casts += effect->spans[0].count;
    }
    zmq_msg_close(&header);
    zmq_msg_close(&events);
    FOB_PLANT_RACE(to);
}

static void perform_all(fob_broker_t *self) {
    const fob_effect_t *effect;
    while (!self->failed && (effect = fob_ledger_next(self->ledger, self->now))) {
        if (effect->kind == FOB_EFF_STORED)
            cast(self, effect);
        else
            send_effect(self, effect);
    }
}

/* --- questions --- */

/* Sends the answer to a question, or what it lacks. */
static void answer(fob_broker_t *self, uint64_t conn, const fob_wire_t *msg, fob_status_t status,
                   const char *text) {
    fob_body_t body = {0};
    if (status == FOB_AGAIN)
        status = fob_desk_answer(&self->desk, self->now, msg, &self->header, &body);
    else
        status = fob_desk_refuse(&self->options.house, msg, status, text, &self->header, &body);
    if (status == FOB_OK)
        tell(self, conn, body);
    else
        forget(self, conn); /* out of memory: it must not wait for an answer that does not come */
}

/* --- messages --- */

static void act_on(fob_broker_t *self, const fob_mail_t *mail, const fob_peers_verdict_t *verdict);

static void out_of_place(fob_broker_t *self, uint64_t conn, const fob_mail_t *mail, fob_verb_t verb,
                         const char *problem) {
    fob_peers_verdict_t verdict;
    fob_peers_fault(self->peers, conn, verb, problem, &verdict);
    act_on(self, mail, &verdict);
}

/* A connection that cannot be served for want of memory begins anew, and sends again what has no
 * answer. */
static void no_memory(fob_broker_t *self, uint64_t conn, const fob_mail_t *mail) {
    fob_wire_t error = {.verb = FOB_VERB_ERROR};
    FOB_SET(&error, code, FOB_HELLO_FIRST);
    FOB_SET(&error, text, fob_slice_str("the bus is out of memory: connect again"));
    send_error(self, mail->route, &error);
    forget(self, conn);
}

static void note_joins(fob_broker_t *self, const fob_command_t *command) {
    if (command->kind == FOB_CMD_JOIN)
        fob_joins_add(self->joins, command->conn, command->join.group);
    else if (command->kind == FOB_CMD_LEAVE)
        fob_joins_remove(self->joins, command->conn, command->leave.group);
}

static void command(fob_broker_t *self, uint64_t conn, const fob_wire_t *msg,
                    const fob_mail_t *mail) {
    fob_command_t order;
    char problem[512] = "its runs or its body are malformed";
    fob_clerk_t clerk = {conn, fob_peers_session(self->peers, conn), self->options.max_disk};
    fob_status_t status =
        fob_clerk_command(&clerk, msg, mail->body, &order, problem, sizeof problem);
    if (status == FOB_AGAIN || status == FOB_INVALID) {
        answer(self, conn, msg, status, problem);
        return;
    }
    if (status == FOB_OK) {
        note_joins(self, &order);
        status = fob_ledger_step(self->ledger, self->now, &order);
    }
    if (status == FOB_PROTOCOL)
        out_of_place(self, conn, mail, msg->verb, problem);
    else if (status != FOB_OK)
        no_memory(self, conn, mail);
}

static void welcome(fob_broker_t *self, uint64_t conn) {
    uint64_t last = fob_ledger_last(self->ledger, fob_peers_session(self->peers, conn));
    if (fob_letter_welcome(&self->header, &self->options.house, fob_ledger_head(self->ledger),
                           last) == FOB_OK)
        tell(self, conn, (fob_body_t){0});
    else
        forget(self, conn);
}

static void act_on(fob_broker_t *self, const fob_mail_t *mail, const fob_peers_verdict_t *verdict) {
    if (verdict->ended)
        gone(self, verdict->ended, verdict->goodbye);
    if (verdict->answer)
        send_error(self, mail->route, &verdict->error);
    if (verdict->act == FOB_PEERS_WELCOME)
        welcome(self, verdict->conn);
}

static void one_message(fob_broker_t *self, fob_mail_t *mail) {
    fob_wire_t msg = {0};
    fob_peers_verdict_t verdict;
    fob_status_t read = fob_wire_read(mail->header, &msg);
    size_t frames = msg.verb == FOB_VERB_PUBLISH ? 2 : 1;
    fob_peers_input_t input = {mail->route, &msg, read, mail->frames == frames};
    fob_peers_input(self->peers, self->now, &input, &verdict);
    act_on(self, mail, &verdict);
    if (verdict.act != FOB_PEERS_COMMAND)
        return;
    if (mail->failed)
        no_memory(self, verdict.conn, mail);
    else
        command(self, verdict.conn, &msg, mail);
}

static void receive(fob_broker_t *self) {
    size_t bytes = 0;
    self->drained = false;
    for (int i = 0; i < TURN_MESSAGES && bytes < TURN_BYTES && !self->failed; i++) {
        fob_mail_t mail;
        if (!fob_router_receive(self->router, &mail)) {
            self->drained = true;
            return;
        }
        bytes += mail.bytes;
        self->read++;
        one_message(self, &mail);
        fob_blob_unref(&mail.body);
    }
}

/* --- time --- */

/* Beats are looked at when all that had arrived was read; in a flood, when libzmq's fair queueing
 * had the time to show us something of everybody. */
static void look_at_beats(fob_broker_t *self) {
    fob_peers_stats_t stats;
    uint64_t conn;
    fob_peers_stats(self->peers, &stats);
    if (self->drained || self->read > TURN_MESSAGES + 4 * (size_t)stats.connections) {
        while ((conn = fob_peers_expired(self->peers, self->now)))
            gone(self, conn, false);
        self->read = 0;
    }
    while ((conn = fob_peers_quiet(self->peers, self->now))) {
        fob_peers_sent(self->peers, self->now, conn);
        if (fob_letter_beat(&self->header, &self->options.house, fob_ledger_head(self->ledger)) ==
            FOB_OK)
            tell(self, conn, (fob_body_t){0});
    }
}

/* What a full client did not take is tried again, now and then: in a flood there are many rounds.
 */
static void retry(fob_broker_t *self) {
    if (!fob_router_waits(self->router) || self->now.mono_ns < self->retry_ns)
        return;
    self->retry_ns = self->now.mono_ns + RETRY_EVERY;
    fob_router_retry(self->router, on_gone, self);
}

/* How long to sleep, in ms for zmq_poll. */
static long patience(fob_broker_t *self) {
    int64_t at = fob_ledger_deadline(self->ledger);
    int64_t peers = fob_peers_deadline(self->peers);
    if (peers < at)
        at = peers;
    if (fob_router_waits(self->router) && self->retry_ns < at)
        at = self->retry_ns;
    if (at == FOB_NEVER)
        return -1;
    int64_t left = at - fob_clock_now().mono_ns;
    return left <= 0 ? 0 : (long)((left + FOB_MS - 1) / FOB_MS);
}

static void news(fob_broker_t *self) {
    char text[512] = "";
    fob_status_t status = fob_ledger_news(self->ledger, self->now, text, sizeof text);
    if (status != FOB_OK)
        fail(self, status, text);
}

static uint64_t pinned(const void *arg, uint64_t from) {
    return fob_ledger_pinned(arg, from);
}

static void on_warning(void *arg, const char *line) {
    say(arg, line);
}

static void warn(fob_broker_t *self) {
    fob_journal_stats_t journal;
    if (!fob_warnings_due(&self->warnings, self->now))
        return;
    fob_ledger_journal(self->ledger, &journal);
    fob_disk_t disk = {journal.max_bytes, journal.free_bytes, pinned, self->ledger};
    fob_warnings_look(&self->warnings, self->now, fob_ledger_core(self->ledger), &disk, on_warning,
                      self);
}

/* One round: what came, what follows from it, what may go out. */
static void round_of(fob_broker_t *self, bool mail, bool journal) {
    char line[160];
    self->now = fob_clock_now();
    if (fob_jump_look(&self->jump, self->now, line, sizeof line))
        say(self, line);
    fob_peers_round(self->peers, self->now);
    if (journal)
        news(self);
    if (mail)
        receive(self);
    else
        self->drained = true;
    look_at_beats(self);
    if (self->failed)
        return;
    check(self, fob_ledger_turn(self->ledger, self->now));
    if (!self->failed)
        check(self, fob_ledger_tidy(self->ledger, self->now));
    warn(self);
    perform_all(self);
    retry(self);
}

/* --- the actor --- */

static bool told_to_stop(zsock_t *pipe) {
    char *text = zstr_recv(pipe);
    bool stop = !text || strcmp(text, "$TERM") == 0;
    zstr_free(&text);
    return stop;
}

static void serve(fob_broker_t *self, zsock_t *pipe) {
    zmq_pollitem_t items[] = {{zsock_resolve(pipe), 0, ZMQ_POLLIN, 0},
                              {fob_router_socket(self->router), 0, ZMQ_POLLIN, 0},
                              {NULL, fob_ledger_fd(self->ledger), ZMQ_POLLIN, 0},
                              {fob_traffic_socket(self->options.traffic), 0, ZMQ_POLLIN, 0}};
    while (!self->failed) {
        if (zmq_poll(items, 4, patience(self)) < 0 && errno != EINTR) {
            fail(self, FOB_INTERNAL, "polling failed: this is a bug in fob");
            return;
        }
        if (items[0].revents && told_to_stop(pipe))
            return;
        if (items[3].revents)
            fob_traffic_read(self->options.traffic);
        round_of(self, items[1].revents, items[2].revents);
    }
}

/* After a failure: nothing more is served, only the end is waited for. */
static void wait_for_the_end(fob_broker_t *self, zsock_t *pipe) {
    (void)self;
    while (!told_to_stop(pipe))
        ;
}

/* Makes all that was decided durable and lets it out. Nothing is read any more; the socket stays
 * bound, as unbinding it would end the connections that wait for their receipts. */
static void settle(fob_broker_t *self) {
    int64_t until = fob_clock_now().mono_ns + STOP_WITHIN;
    zmq_pollitem_t item = {NULL, fob_ledger_fd(self->ledger), ZMQ_POLLIN, 0};
    self->now = fob_clock_now();
    check(self, fob_ledger_turn(self->ledger, self->now));
    for (;;) {
        news(self);
        perform_all(self);
        self->now = fob_clock_now();
        if (self->failed || fob_ledger_at_rest(self->ledger) || self->now.mono_ns > until)
            return;
        zmq_poll(&item, 1, 50);
    }
}

static void say_goodbye(fob_broker_t *self, const char *text) {
    size_t at = 0;
    uint64_t conn;
    while ((conn = fob_peers_next(self->peers, &at))) {
        if (fob_letter_goodbye(&self->header, &self->options.house, text, COME_BACK_AFTER) ==
            FOB_OK)
            fob_router_send(self->router, 0, fob_peers_route(self->peers, conn),
                            fob_buf_slice(&self->header), (fob_body_t){0});
    }
}

void fob_broker_actor(zsock_t *pipe, void *args) {
    fob_broker_t *self = args;
    zsock_signal(pipe, 0);
    serve(self, pipe);
    if (!self->failed) {
        settle(self);
        if (!self->failed && !fob_ledger_checkpoint(self->ledger))
            say(self, "no checkpoint could be written: the next start takes longer");
        say_goodbye(self, "the bus stops");
    } else {
        say_goodbye(self, "the bus failed and stops: see its log");
        wait_for_the_end(self, pipe);
    }
    close_all(self);
    fob_hand_over(self->options.broadcast);
}
