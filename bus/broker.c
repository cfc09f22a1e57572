#include "bus/broker.h"

#include "bus/desk.h"
#include "bus/host/clock.h"
#include "bus/report/jump.h"
#include "bus/report/pace.h"
#include "bus/report/warnings.h"
#include "bus/service/service.h"
#include "bus/sockets/ears.h"
#include "bus/sockets/router.h"
#include "proto/handover.h"

#include <inttypes.h>
#include <zmq.h>

#define TURN_BYTES      (8u << 20)    /* read in a round at the most */
#define CASTS_BYTES     (64u << 20)   /* on their way to the broadcast */
#define RETRY_EVERY     (5 * FOB_MS)  /* what a full client did not take */
#define STOP_WITHIN     (5 * FOB_SEC) /* for the journal, at the end */
#define COME_BACK_AFTER 500           /* ms, told to clients in GOODBYE */

/* What the broker waits for. */
enum { EAR_STOP, EAR_MAIL, EAR_JOURNAL, EAR_LINES, EAR_LISTENERS, EARS };

struct fob_broker {
    fob_broker_options_t options;
    fob_ear_t ears[EARS];
    fob_ledger_t *ledger;
    fob_router_t *router;
    fob_service_t *service;
    fob_desk_t desk;
    fob_now_t now;     /* of this round */
    size_t read;       /* messages in it */
    int64_t retry_ns;  /* when what waits for slow clients is tried again */
    fob_pace_t unread; /* lines about clients that did not read */
    fob_jump_t jump;
    fob_warnings_t warnings;
};

/* --- the service's doors --- */

static void say(fob_broker_t *self, const char *line) {
    if (self->options.log)
        self->options.log(self->options.log_arg, line);
}

/* The owner is told, and ends the actor. */
static void on_failed(void *arg, fob_status_t status, const char *text) {
    fob_broker_t *self = arg;
    say(self, text);
    self->options.failed(self->options.failed_arg, status, text);
}

static fob_send_t on_send(void *arg, uint64_t conn, fob_slice_t route, fob_slice_t header,
                          fob_body_t body) {
    fob_broker_t *self = arg;
    self->ears[EAR_MAIL].used = true;
    return fob_router_send(self->router, conn, route, header, body);
}

static void on_drop(void *arg, uint64_t conn) {
    fob_broker_t *self = arg;
    fob_router_forget(self->router, conn);
}

static void on_unread(void *arg) {
    fob_broker_t *self = arg;
    char line[160];
    if (fob_pace(&self->unread, self->now.mono_ns,
                 "a client did not read what it asked for: its connection was given up", line,
                 sizeof line))
        say(self, line);
}

static fob_status_t on_answer(void *arg, fob_now_t now, const fob_wire_t *msg, fob_status_t status,
                              const char *text, fob_buf_t *header, fob_body_t *body) {
    fob_broker_t *self = arg;
    const fob_service_counts_t *counts = fob_service_counts(self->service);
    self->desk.dropped_casts = counts->dropped_casts;
    self->desk.dropped_unread = counts->dropped_unread;
    return status == FOB_AGAIN
               ? fob_desk_answer(&self->desk, now, msg, header, body)
               : fob_desk_refuse(&self->options.house, msg, status, text, header, body);
}

/* Makes the two frames. False: no memory; nothing is held. */
static bool cast_frames(fob_slice_t head, fob_body_t body, zmq_msg_t *header, zmq_msg_t *events) {
    uint8_t *data = (uint8_t *)(uintptr_t)(fob_blob_slice(body.blob).data + body.at);
    fob_hand_over(body.blob); /* whichever thread is the last drops it */
    if (zmq_msg_init_data(events, data, body.size, fob_hand_back, body.blob) != 0) {
        fob_blob_unref(&body.blob);
        return false;
    }
    if (zmq_msg_init_size(header, head.size) != 0) {
        zmq_msg_close(events);
        return false;
    }
    memcpy(zmq_msg_data(header), head.data, head.size);
    return true;
}

static bool on_audience(void *arg) {
    const fob_broker_t *self = arg;
    return atomic_load(&self->options.broadcast->audience);
}

static bool on_cast(void *arg, fob_slice_t head, fob_body_t body) {
    fob_broker_t *self = arg;
    fob_broadcast_t *to = self->options.broadcast;
    zmq_msg_t header, events;
    size_t size = body.size;
    if (atomic_load(&to->waiting) + size > CASTS_BYTES) {
        fob_blob_unref(&body.blob);
        return false;
    }
    if (!cast_frames(head, body, &header, &events))
        return false;
    fob_hand_over(&to->token);
    atomic_fetch_add(&to->waiting, size);
    bool sent = zmq_msg_send(&header, self->options.casts, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                zmq_msg_send(&events, self->options.casts, ZMQ_DONTWAIT) >= 0;
    if (!sent)
        atomic_fetch_sub(&to->waiting, size);
    zmq_msg_close(&header);
    zmq_msg_close(&events);
    FOB_PLANT_RACE(to);
    return sent;
}

static int64_t on_more(void *arg, uint64_t line) {
    const fob_broker_t *self = arg;
    return fob_traffic_more(self->options.traffic, line);
}

static const fob_service_ops_t doors = {.send = on_send,
                                        .drop = on_drop,
                                        .unread = on_unread,
                                        .audience = on_audience,
                                        .cast = on_cast,
                                        .answer = on_answer,
                                        .failed = on_failed,
                                        .more = on_more};

/* --- life --- */

static bool open_service(fob_broker_t *self) {
    fob_service_options_t options = {.ledger = self->options.ledger,
                                     .house = &self->options.house,
                                     .max_connections = self->options.max_connections,
                                     .max_disk = self->options.max_disk,
                                     .source = self->options.source,
                                     .ops = &doors,
                                     .arg = self};
    self->service = fob_service_new(&options);
    self->router = self->service ? fob_router_new(self->options.router) : NULL;
    if (self->router)
        fob_router_watch(self->router, self->options.traffic);
    return self->router != NULL;
}

static void open_desk(fob_broker_t *self) {
    self->ledger = self->options.ledger;
    self->desk = (fob_desk_t){.peers = fob_service_peers(self->service),
                              .ledger = self->ledger,
                              .traffic = self->options.traffic,
                              .broadcast = self->options.broadcast,
                              .fetches = fob_service_fetches(self->service),
                              .house = &self->options.house,
                              .started_ns = fob_clock_now().mono_ns};
}

fob_broker_t *fob_broker_new(const fob_broker_options_t *options) {
    fob_broker_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->options = *options;
    if (!open_service(self))
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
    fob_service_destroy(&self->service);
    fob_buf_free(&self->desk.value);
    fob_warnings_free(&self->warnings);
    free(self);
    *self_p = NULL;
}

/* --- rounds --- */

/* True: the socket was read until it was empty. */
static bool receive(fob_broker_t *self) {
    size_t bytes = 0;
    for (self->read = 0; self->read < FOB_SERVICE_MESSAGES && bytes < TURN_BYTES; self->read++) {
        fob_mail_t mail;
        if (fob_service_failed(self->service))
            return false;
        if (!fob_router_receive(self->router, &mail))
            return true;
        bytes += mail.bytes;
        fob_service_message(self->service, &mail);
        fob_blob_unref(&mail.body);
    }
    return false;
}

static void on_gone(void *arg, uint64_t conn) {
    fob_service_forget(arg, conn);
}

/* What a full client did not take is tried again, now and then: in a flood there are many rounds.
 */
static void retry(fob_broker_t *self) {
    if (!fob_router_waits(self->router) || self->now.mono_ns < self->retry_ns)
        return;
    self->retry_ns = self->now.mono_ns + RETRY_EVERY;
    self->ears[EAR_MAIL].used = true;
    fob_router_retry(self->router, on_gone, self->service);
}

/* Until when to sleep. */
static int64_t patience(fob_broker_t *self) {
    int64_t at = fob_service_deadline(self->service);
    int64_t look = fob_traffic_deadline(self->options.traffic);
    int64_t other = fob_traffic_deadline(self->options.broadcast->xpub_traffic);
    if (look < at)
        at = look;
    if (other < at)
        at = other;
    if (fob_router_waits(self->router) && self->retry_ns < at)
        at = self->retry_ns;
    return at;
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
    fob_room_t disk = {journal.max_bytes, journal.free_bytes, pinned, self->ledger};
    fob_warnings_look(&self->warnings, self->now, fob_ledger_core(self->ledger), &disk, on_warning,
                      self);
}

/* In manual mode XPUB reads all that its subscribers say before it returns to its thread, which one
 * of them can keep from coming back for long. So this one looks at them too. */
static void look(fob_broker_t *self, bool drained) {
    int64_t now = self->now.mono_ns;
    fob_traffic_round(self->options.traffic, now, self->read, drained);
    fob_traffic_round(self->options.broadcast->xpub_traffic, now, 0, false);
}

/* One round: what came, what follows from it, what may go out. */
static void round_of(fob_broker_t *self) {
    char line[160];
    self->now = fob_clock_now();
    if (fob_jump_look(&self->jump, self->now, line, sizeof line))
        say(self, line);
    fob_service_round(self->service, self->now);
    if (self->ears[EAR_JOURNAL].news)
        fob_service_news(self->service);
    self->read = 0;
    bool drained = self->ears[EAR_MAIL].news ? receive(self) : true;
    self->ears[EAR_MAIL].news = !drained;
    look(self, drained);
    fob_service_turn(self->service, drained);
    if (fob_service_failed(self->service))
        return;
    warn(self);
    fob_service_perform(self->service);
    retry(self);
}

/* --- the actor --- */

static bool told_to_stop(zsock_t *pipe, int flags) {
    char text[8] = "";
    int size = zmq_recv(zsock_resolve(pipe), text, sizeof text, flags);
    return size < 0 ? errno != EAGAIN && errno != EINTR
                    : (size_t)size == strlen("$TERM") && memcmp(text, "$TERM", (size_t)size) == 0;
}

static void listen_to(fob_broker_t *self, zsock_t *pipe) {
    self->ears[EAR_STOP] = fob_ear_of(zsock_resolve(pipe));
    self->ears[EAR_MAIL] = fob_ear_of(fob_router_socket(self->router));
    self->ears[EAR_JOURNAL] = fob_ear_fd(fob_ledger_fd(self->ledger));
    self->ears[EAR_LINES] = fob_ear_fd(fob_traffic_fd(self->options.traffic));
    self->ears[EAR_LISTENERS] = fob_ear_fd(fob_traffic_fd(self->options.broadcast->xpub_traffic));
}

/* False: it ended by a failure. */
static bool serve(fob_broker_t *self, zsock_t *pipe) {
    fob_ear_t *ears = self->ears;
    listen_to(self, pipe);
    while (!fob_service_failed(self->service)) {
        if (!fob_ears_wait(ears, EARS, patience(self))) {
            on_failed(self, FOB_INTERNAL, "polling failed: this is a bug in fob");
            return false;
        }
        if (ears[EAR_STOP].news && told_to_stop(pipe, ZMQ_DONTWAIT))
            return true;
        ears[EAR_STOP].news = false; /* there is one message ever */
        if (ears[EAR_LINES].news)
            fob_traffic_read(self->options.traffic);
        if (ears[EAR_LISTENERS].news)
            fob_traffic_read(self->options.broadcast->xpub_traffic);
        round_of(self);
    }
    return false;
}

/* After a failure: nothing more is served, only the end is waited for. */
static void wait_for_the_end(fob_broker_t *self, zsock_t *pipe) {
    (void)self;
    while (!told_to_stop(pipe, 0))
        ;
}

/* Makes all that was decided durable and lets it out. Nothing is read any more; the socket stays
 * bound, as unbinding it would end the connections that wait for their receipts. */
static void settle(fob_broker_t *self) {
    int64_t until = fob_clock_now().mono_ns + STOP_WITHIN;
    zmq_pollitem_t item = {NULL, fob_ledger_fd(self->ledger), ZMQ_POLLIN, 0};
    for (;;) {
        /* What could not be sent, or was read, is decided about too. */
        fob_service_decide(self->service, fob_clock_now());
        fob_service_news(self->service);
        fob_service_perform(self->service);
        self->now = fob_clock_now();
        if (fob_service_failed(self->service) || fob_ledger_at_rest(self->ledger) ||
            self->now.mono_ns > until)
            return;
        zmq_poll(&item, 1, 50);
    }
}

static void say_goodbye(fob_broker_t *self, const char *text) {
    fob_service_goodbye(self->service, text, COME_BACK_AFTER);
}

void fob_broker_actor(zsock_t *pipe, void *args) {
    fob_broker_t *self = args;
    zsock_signal(pipe, 0);
    bool served = serve(self, pipe);
    if (served)
        settle(self);
    if (served && !fob_service_failed(self->service)) {
        if (!fob_ledger_checkpoint(self->ledger))
            say(self, "no checkpoint could be written: the next start takes longer");
        say_goodbye(self, "the bus stops");
    } else {
        say_goodbye(self, "the bus failed and stops: see its log");
        wait_for_the_end(self, pipe);
    }
    close_all(self);
    fob_hand_over(self->options.broadcast);
}
