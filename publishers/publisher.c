/* publisher: the thin shell: the public functions on one side, the conduit's thread on the other,
 * the state machines (session, fire) between, under the conduit's lock. */
#include <fob/fob_publisher.h>

#include "proto/link/conduit.h"
#include "proto/topic.h"
#include "publishers/fire.h"
#include "publishers/outlet.h"
#include "publishers/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PUBLISHER_WINDOW     1024
#define PUBLISHER_DEADLINE   30000  /* ms */
#define PUBLISHER_CONNECT    3000   /* ms */
#define PUBLISHER_FIRE_RETRY FOB_MS /* XPUB cannot be polled for room */
#define PUBLISHER_LINGER     2000   /* ms for what was fired last to get out */
#define PUBLISHER_TAKE       8192   /* bytes of receipts read at once */
#define PUBLISHER_BACKLOG    4      /* windows of receipts that may wait for dispatch */

struct fob_publisher {
    fob_conduit_t *conduit;
    fob_session_t *session;
    fob_fire_t *fire;
    fob_receipts_t receipts;
    fob_outlet_t outlet;
    char outlet_endpoint[300]; /* empty: not up */
    int64_t fire_retry;        /* FOB_NEVER, or when to try a full outlet again */
    fob_receipt_fn *on_receipt;
    void *on_receipt_arg;
    int64_t deadline_ns; /* FOB_NEVER: none */
    int64_t connect_at;
    int64_t announced; /* when the conduit's thread wakes by itself */
    uint64_t owed;     /* receipts owed at the end of the round before */
    size_t backlog;    /* receipts that may wait for dispatch */
    bool dispatching;  /* on_receipt runs on some thread: on one at a time */
    fob_buf_t headers; /* encoded, of the event being sent */
    char trouble[512];
    fob_status_t trouble_status;
};

/* --- on the conduit's thread --- */

static int64_t due_of(const fob_publisher_t *self) {
    int64_t due = fob_session_deadline(self->session);
    int64_t fire = fob_fire_deadline(self->fire);
    if (!fob_session_contacted(self->session) && !fob_fire_empty(self->fire) &&
        self->connect_at < fire)
        fire = self->connect_at;
    due = fire < due ? fire : due;
    return self->fire_retry < due ? self->fire_retry : due;
}

static void renew_if_wanted(fob_publisher_t *self, fob_now_t now) {
    if (!fob_session_renewal(self->session))
        return;
    uint8_t secret[FOB_SESSION_SIZE];
    fob_conduit_secret(secret);
    fob_conduit_session(self->conduit, secret);
    fob_conduit_restart(self->conduit, now, FOB_FORGOTTEN,
                        "the bus has forgotten this session: beginning a new one");
}

static void outlet_close(fob_publisher_t *self, int linger_ms) {
    if (self->outlet.socket)
        fob_conduit_detach(self->conduit, self->outlet.socket);
    fob_outlet_close(&self->outlet, linger_ms);
    self->outlet_endpoint[0] = 0;
    self->fire_retry = FOB_NEVER;
}

static void on_up(void *arg, fob_now_t now, const fob_wire_t *welcome) {
    fob_publisher_t *self = arg;
    fob_shard_t shard;
    self->trouble[0] = 0;
    self->trouble_status = FOB_OK;
    fob_session_up(self->session, now, welcome);
    if (fob_shards_find(welcome->shards, 0, &shard))
        fob_conduit_endpoint(self->conduit, &shard, shard.xsub, self->outlet_endpoint,
                             sizeof self->outlet_endpoint);
    renew_if_wanted(self, now);
    fob_conduit_signal(self->conduit);
}

static void on_down(void *arg, fob_now_t now, fob_status_t why, const char *text) {
    fob_publisher_t *self = arg;
    outlet_close(self, PUBLISHER_LINGER);
    if (why == FOB_CLOSED)
        return;
    fob_session_down(self->session, now, why, text);
    snprintf(self->trouble, sizeof self->trouble, "%s", text);
    self->trouble_status = why;
    fob_conduit_signal(self->conduit);
}

/* A refused PUBLISH leaves its numbers without an answer: only another connection brings one. */
static void on_error(fob_publisher_t *self, fob_now_t now, const fob_wire_t *msg) {
    snprintf(self->trouble, sizeof self->trouble, "%.*s", (int)msg->text.size,
             msg->text.size ? (const char *)msg->text.data : "");
    if (msg->of == FOB_VERB_PUBLISH)
        fob_conduit_restart(self->conduit, now, fob_wire_status(msg->code), self->trouble);
}

static void on_input(void *arg, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    (void)body;
    fob_publisher_t *self = arg;
    if (msg->verb == FOB_VERB_ERROR)
        on_error(self, now, msg);
    fob_session_input(self->session, now, msg);
    renew_if_wanted(self, now);
}

static bool on_output(void *arg, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    fob_publisher_t *self = arg;
    return fob_session_output(self->session, now, header, body);
}

static void on_readable(void *arg, fob_now_t now, void *socket) {
    (void)now;
    (void)socket;
    fob_publisher_t *self = arg;
    fob_outlet_read(&self->outlet);
}

static void outlet_open(fob_publisher_t *self) {
    if (self->outlet.socket || !self->outlet_endpoint[0])
        return;
    if (fob_outlet_open(&self->outlet, fob_conduit_zmq(self->conduit), self->outlet_endpoint))
        fob_conduit_attach(self->conduit, self->outlet.socket);
}

static void fire_send(fob_publisher_t *self, fob_now_t now) {
    self->fire_retry = FOB_NEVER;
    if (fob_fire_empty(self->fire))
        return;
    outlet_open(self);
    if (!self->outlet.live)
        return;
    fob_slice_t head;
    fob_blob_t *body;
    while (fob_fire_next(self->fire, now, &head, &body)) {
        if (fob_outlet_send(&self->outlet, head, body) != FOB_OUTLET_SENT)
            break;
        fob_fire_sent(self->fire);
    }
    if (fob_fire_eager(self->fire))
        self->fire_retry = now.mono_ns + PUBLISHER_FIRE_RETRY;
}

/* Why an event that waited in vain did so. */
static fob_status_t why_waiting(const fob_publisher_t *self, fob_slice_t *text) {
    *text = fob_slice_str(self->trouble);
    if (self->trouble_status == FOB_OK)
        return FOB_DEADLINE;
    bool told = self->trouble_status == FOB_VERSION || self->trouble_status == FOB_DENIED;
    return told ? self->trouble_status : FOB_UNREACHABLE;
}

static void fire_tick(fob_publisher_t *self, fob_now_t now) {
    fob_slice_t text;
    fob_status_t why = why_waiting(self, &text);
    fire_send(self, now);
    fob_fire_expire(self->fire, now, why, text);
    if (!fob_session_contacted(self->session) && now.mono_ns >= self->connect_at)
        fob_fire_fail(self->fire, why, text);
}

static void on_tick(void *arg, fob_now_t now) {
    fob_publisher_t *self = arg;
    fob_session_tick(self->session, now);
    fire_tick(self, now);
    if (self->receipts.waiting)
        fob_conduit_notify(self->conduit);
    else if (self->receipts.owed < self->owed)
        fob_conduit_signal(self->conduit);
    self->owed = self->receipts.owed;
}

static int64_t on_deadline(void *arg) {
    fob_publisher_t *self = arg;
    return self->announced = due_of(self);
}

/* --- life --- */

static int64_t after_ms(int64_t ms, int64_t usual) {
    if (ms < 0 || ms > FOB_NEVER / FOB_MS)
        return FOB_NEVER;
    return (ms ? ms : usual) * FOB_MS;
}

static bool machines_make(fob_publisher_t *self, const fob_publisher_options_t *options) {
    int64_t connect = after_ms(options->connect_timeout_ms, PUBLISHER_CONNECT);
    self->connect_at = connect == FOB_NEVER ? FOB_NEVER : fob_conduit_now().mono_ns + connect;
    fob_session_options_t session = {.window = options->window ? options->window : PUBLISHER_WINDOW,
                                     .connect_at = self->connect_at,
                                     .receipts = &self->receipts,
                                     .stop_on_failure = options->stop_on_failure != 0};
    uint8_t random[FOB_SESSION_SIZE];
    uint64_t source;
    fob_conduit_secret(random);
    memcpy(&source, random, sizeof source);
    memcpy(&session.seed, random + sizeof source, sizeof session.seed);
    self->receipts.wanted = options->on_receipt != NULL;
    self->backlog = PUBLISHER_BACKLOG * (size_t)session.window;
    self->session = fob_session_new(&session);
    self->fire = fob_fire_new(session.window, source, &self->receipts);
    return self->session && self->fire;
}

static bool conduit_make(fob_publisher_t *self, const fob_publisher_options_t *options) {
    static const fob_client_ops_t ops = {.up = on_up,
                                         .down = on_down,
                                         .input = on_input,
                                         .output = on_output,
                                         .tick = on_tick,
                                         .deadline = on_deadline,
                                         .readable = on_readable};
    fob_link_options_t link = {.endpoints = fob_slice_str(fob_conduit_bus(options->bus)),
                               .role = "publisher",
                               .client = "libfob/" FOB_VERSION_STRING};
    fob_conduit_secret(link.session);
    self->conduit = fob_conduit_new(&link, &ops, self);
    return self->conduit && fob_conduit_start(self->conduit);
}

static void publisher_free(fob_publisher_t *self) {
    int why = errno;
    fob_conduit_destroy(&self->conduit, 0);
    fob_session_destroy(&self->session);
    fob_fire_destroy(&self->fire);
    fob_receipts_free(&self->receipts);
    fob_buf_free(&self->headers);
    free(self);
    errno = why;
}

fob_publisher_t *fob_publisher_new(const fob_publisher_options_t *options) {
    fob_publisher_options_t usual = FOB_PUBLISHER_OPTIONS;
    options = options ? options : &usual;
    if (options->version != 1 || options->window > FOB_WINDOW_MAX) {
        errno = EINVAL;
        return NULL;
    }
    fob_publisher_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->on_receipt = options->on_receipt;
    self->on_receipt_arg = options->on_receipt_arg;
    self->deadline_ns = after_ms(options->deadline_ms, PUBLISHER_DEADLINE);
    self->fire_retry = self->announced = FOB_NEVER;
    self->trouble_status = FOB_UNREACHABLE;
    errno = ENOMEM;
    if (machines_make(self, options) && conduit_make(self, options))
        return self;
    publisher_free(self);
    return NULL;
}

/* --- sending --- */

static int64_t mono_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * FOB_SEC + now.tv_nsec;
}

static int64_t at_after(int64_t now, int64_t wait) {
    return wait >= FOB_NEVER - now ? FOB_NEVER : now + wait;
}

static fob_slice_t optional(const char *text) {
    return fob_slice_str(text);
}

/* Encodes the headers' map. False: a name without a value, or no memory. */
static fob_status_t headers_encode(fob_publisher_t *self, const char *const *headers,
                                   fob_slice_t *out) {
    size_t count = 0;
    while (headers[count])
        count++;
    if (count % 2)
        return FOB_INVALID;
    fob_buf_clear(&self->headers);
    fob_pack_map(&self->headers, count / 2);
    for (size_t i = 0; i < count; i++)
        fob_pack_cstr(&self->headers, headers[i]);
    if (self->headers.failed)
        return FOB_NO_MEMORY;
    if (count)
        *out = fob_buf_slice(&self->headers);
    return FOB_OK;
}

static fob_status_t attributes_set(fob_publisher_t *self, const fob_publish_options_t *options,
                                   fob_envelope_t *event) {
    if (!options)
        return FOB_OK;
    if (options->version != 1)
        return FOB_INVALID;
    event->id = optional(options->id);
    event->key = optional(options->key);
    event->source = optional(options->source);
    event->datacontenttype = optional(options->content_type);
    event->traceparent = optional(options->traceparent);
    if (options->priority < 0 || options->priority > 9)
        return FOB_INVALID;
    event->priority = (uint8_t)options->priority;
    if (event->id.size > FOB_ID_MAX || event->key.size > FOB_ID_MAX)
        return FOB_INVALID;
    return options->headers ? headers_encode(self, options->headers, &event->headers) : FOB_OK;
}

static void wake_for_more(fob_publisher_t *self, bool fire) {
    bool eager = fire ? fob_fire_eager(self->fire) : fob_session_eager(self->session);
    if (eager || due_of(self) < self->announced)
        fob_conduit_wake(self->conduit);
}

/* The publisher whose on_receipt runs on this thread. What is sent from there may go beyond the
 * backlog: a receipt was taken for it. */
static _Thread_local const fob_publisher_t *calling;

/* Too many receipts wait for somebody to dispatch them. */
static bool receipts_pile(const fob_publisher_t *self) {
    return self->receipts.wanted && self->receipts.waiting >= self->backlog && calling != self;
}

/* Another thread runs on_receipt: it tells when it is done. */
static bool dispatched_elsewhere(const fob_publisher_t *self) {
    return self->dispatching && calling != self;
}

static size_t receipts_drain(fob_publisher_t *self);

/* One try, with the lock held. */
static fob_status_t offer(fob_publisher_t *self, fob_envelope_t *event,
                          const fob_publish_options_t *options, int64_t mono_ns, int64_t deadline,
                          uint64_t *number) {
    bool fire = options && options->fire;
    if (receipts_pile(self))
        return FOB_AGAIN;
    fob_status_t status = attributes_set(self, options, event);
    if (status != FOB_OK)
        return status;
    void *tag = options ? options->tag : NULL;
    *number = 0;
    if (fire)
        status = fob_fire_offer(self->fire, mono_ns, event, deadline, tag);
    else
        status = fob_session_offer(self->session, event, deadline, tag, number);
    if (status == FOB_OK) {
        self->owed++;
        wake_for_more(self, fire);
    }
    return status;
}

/* No room until the deadline: whose fault is it? */
static fob_status_t no_room(const fob_publisher_t *self) {
    fob_slice_t text;
    fob_status_t why = why_waiting(self, &text);
    return why == FOB_DEADLINE ? FOB_BUSY : why;
}

static fob_status_t send_event(fob_publisher_t *self, const char *topic, const void *data,
                               size_t size, const fob_publish_options_t *options, uint64_t *number,
                               bool wait) {
    if (!topic || (!data && size))
        return FOB_INVALID;
    fob_envelope_t event = {.topic = fob_slice_str(topic), .data = fob_slice(data, size)};
    if (event.topic.size > FOB_TOPIC_MAX)
        return FOB_BAD_TOPIC;
    int64_t limit =
        options && options->deadline_ms ? after_ms(options->deadline_ms, 0) : self->deadline_ns;
    int64_t now = mono_now(), deadline = at_after(now, limit);
    uint64_t unused;
    fob_conduit_lock(self->conduit);
    fob_status_t status;
    for (;;) {
        if (wait && receipts_pile(self))
            receipts_drain(self);
        status = offer(self, &event, options, now, deadline, number ? number : &unused);
        if (status != FOB_AGAIN || !wait)
            break;
        if (receipts_pile(self) && !dispatched_elsewhere(self))
            continue;
        if (!fob_conduit_wait(self->conduit, deadline)) {
            status = no_room(self);
            break;
        }
    }
    fob_conduit_unlock(self->conduit);
    return status;
}

fob_status_t fob_publisher_send(fob_publisher_t *self, const char *topic, const void *data,
                                size_t size, const fob_publish_options_t *options,
                                uint64_t *number) {
    return send_event(self, topic, data, size, options, number, true);
}

fob_status_t fob_publisher_try_send(fob_publisher_t *self, const char *topic, const void *data,
                                    size_t size, const fob_publish_options_t *options,
                                    uint64_t *number) {
    return send_event(self, topic, data, size, options, number, false);
}

/* --- receipts --- */

static void callbacks_run(fob_publisher_t *self, const uint8_t *bytes, size_t size) {
    const fob_publisher_t *outer = calling;
    fob_receipt_t receipt;
    size_t at = 0;
    calling = self;
    while (fob_receipts_read(bytes, size, &at, &receipt))
        self->on_receipt(self->on_receipt_arg, &receipt);
    calling = outer;
}

/* Takes what waits now and runs the callbacks, giving up the lock for them. Returns how many. */
static size_t receipts_hand_out(fob_publisher_t *self) {
    _Alignas(8) uint8_t bytes[PUBLISHER_TAKE];
    size_t left = self->receipts.waiting, done = 0;
    while (left && self->receipts.waiting) {
        size_t count = self->receipts.waiting, size = 0;
        if (self->on_receipt)
            size = fob_receipts_take(&self->receipts, bytes, sizeof bytes, &count);
        else
            self->receipts.waiting = 0;
        if (!self->receipts.waiting)
            fob_conduit_quiet(self->conduit);
        done += count;
        left = count < left ? left - count : 0;
        if (!size)
            continue;
        fob_conduit_unlock(self->conduit);
        callbacks_run(self, bytes, size);
        fob_conduit_lock(self->conduit);
    }
    return done;
}

/* Hands out what waits now, unless another thread does. Returns how many. */
static size_t receipts_drain(fob_publisher_t *self) {
    if (dispatched_elsewhere(self))
        return 0;
    bool inside = self->dispatching; /* called from on_receipt */
    self->dispatching = true;
    size_t done = receipts_hand_out(self);
    self->dispatching = inside;
    if (done && !inside)
        fob_conduit_signal(self->conduit);
    return done;
}

static int64_t until_after(int64_t timeout_ms) {
    return at_after(mono_now(), after_ms(timeout_ms, 0));
}

size_t fob_publisher_dispatch(fob_publisher_t *self, int64_t timeout_ms) {
    int64_t until = until_after(timeout_ms);
    fob_conduit_lock(self->conduit);
    while ((!self->receipts.waiting || dispatched_elsewhere(self)) && timeout_ms != 0 &&
           fob_conduit_wait(self->conduit, until))
        ;
    size_t done = receipts_drain(self);
    fob_conduit_unlock(self->conduit);
    return done;
}

/* Whether every event sent before these marks has its receipt. */
static bool all_below(const fob_publisher_t *self, uint64_t number, uint64_t mark) {
    return fob_session_done_below(self->session, number) && fob_fire_done_below(self->fire, mark);
}

fob_status_t fob_publisher_flush(fob_publisher_t *self, int64_t timeout_ms) {
    int64_t until = until_after(timeout_ms);
    fob_conduit_lock(self->conduit);
    uint64_t target = fob_session_next(self->session);
    uint64_t mark = fob_fire_mark(self->fire);
    bool done = false, in_time = true;
    fob_fire_hurry(self->fire);
    if (!fob_fire_empty(self->fire))
        fob_conduit_wake(self->conduit);
    for (;;) {
        done = all_below(self, target, mark);
        receipts_drain(self);
        if ((done && !dispatched_elsewhere(self)) || !in_time)
            break;
        if (!all_below(self, target, mark) || dispatched_elsewhere(self))
            in_time = fob_conduit_wait(self->conduit, until);
    }
    fob_status_t status = done ? fob_receipts_verdict(&self->receipts) : FOB_AGAIN;
    fob_conduit_unlock(self->conduit);
    return status;
}

int fob_publisher_fd(fob_publisher_t *self) {
    return fob_conduit_fd(self->conduit);
}

/* --- the rest --- */

fob_status_t fob_publisher_wait_ready(fob_publisher_t *self, int64_t timeout_ms) {
    int64_t until = until_after(timeout_ms);
    fob_status_t status = FOB_OK;
    fob_conduit_lock(self->conduit);
    while (!fob_session_contacted(self->session)) {
        status = self->trouble_status;
        if (status == FOB_VERSION || status == FOB_DENIED)
            break;
        status = FOB_UNREACHABLE;
        if (!fob_conduit_wait(self->conduit, until))
            break;
    }
    if (fob_session_contacted(self->session))
        status = FOB_OK;
    fob_conduit_unlock(self->conduit);
    return status;
}

uint64_t fob_publisher_max_event(fob_publisher_t *self) {
    fob_conduit_lock(self->conduit);
    bool known = fob_session_contacted(self->session);
    uint64_t bytes = known ? fob_session_max_event(self->session) : 0;
    fob_conduit_unlock(self->conduit);
    return bytes;
}

void fob_publisher_trouble(fob_publisher_t *self, char *text, size_t size) {
    fob_conduit_lock(self->conduit);
    snprintf(text, size, "%s", self->trouble);
    fob_conduit_unlock(self->conduit);
}

/* An event without a deadline is waited for while there is a bus, or while the first contact may
 * still come. */
static bool worth_waiting(const fob_publisher_t *self) {
    if (self->trouble_status == FOB_OK || !fob_session_endless(self->session))
        return true;
    return !fob_session_contacted(self->session) && self->connect_at != FOB_NEVER;
}

void fob_publisher_destroy(fob_publisher_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_publisher_t *self = *self_p;
    fob_conduit_lock(self->conduit);
    while (self->receipts.owed && worth_waiting(self))
        if (!fob_conduit_wait(self->conduit, FOB_NEVER))
            break;
    fob_session_close(self->session);
    fob_fire_fail(self->fire, FOB_CLOSED, (fob_slice_t){0});
    receipts_drain(self);
    fob_conduit_unlock(self->conduit);
    publisher_free(self);
    *self_p = NULL;
}
