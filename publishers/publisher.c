/* publisher: the thin shell: the public functions on one side, the conduit's rounds on the other
 * (on its thread, or on that of a caller who waits or sends), the state machines (session, fire)
 * between, under the conduit's lock. */
#include "publishers/publisher_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PUBLISHER_WINDOW     1024
#define PUBLISHER_DEADLINE   30000  /* ms */
#define PUBLISHER_CONNECT    3000   /* ms */
#define PUBLISHER_FIRE_RETRY FOB_MS /* XPUB cannot be polled for room */
#define PUBLISHER_LINGER     2000   /* ms for what was fired last to get out */
#define PUBLISHER_BACKLOG    4      /* windows of receipts that may wait for dispatch */

/* --- in the conduit's rounds --- */

int64_t fob_publisher_due(const fob_publisher_t *self) {
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
    fob_fire_socket_gone(self->fire);
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

fob_status_t fob_publisher_why(const fob_publisher_t *self, fob_slice_t *text) {
    *text = fob_slice_str(self->trouble);
    if (self->trouble_status == FOB_OK)
        return FOB_DEADLINE;
    bool told = self->trouble_status == FOB_VERSION || self->trouble_status == FOB_DENIED;
    return told ? self->trouble_status : FOB_UNREACHABLE;
}

static void fire_tick(fob_publisher_t *self, fob_now_t now) {
    fob_slice_t text;
    fob_status_t why = fob_publisher_why(self, &text);
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
    return self->announced = fob_publisher_due(self);
}

/* --- life --- */

static bool machines_make(fob_publisher_t *self, const fob_publisher_options_t *options) {
    int64_t connect = fob_publisher_span(options->connect_timeout_ms, PUBLISHER_CONNECT);
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
    self->deadline_ns = fob_publisher_span(options->deadline_ms, PUBLISHER_DEADLINE);
    self->fire_retry = self->announced = FOB_NEVER;
    self->trouble_status = FOB_UNREACHABLE;
    errno = ENOMEM;
    if (machines_make(self, options) && conduit_make(self, options))
        return self;
    publisher_free(self);
    return NULL;
}

int fob_publisher_fd(fob_publisher_t *self) {
    fob_conduit_lock(self->conduit);
    int fd = fob_conduit_fd(self->conduit);
    fob_conduit_unlock(self->conduit);
    return fd;
}

/* --- the rest --- */

fob_status_t fob_publisher_wait_ready(fob_publisher_t *self, int64_t timeout_ms) {
    int64_t until = fob_publisher_until(timeout_ms);
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
    fob_publisher_drain(self);
    fob_conduit_unlock(self->conduit);
    publisher_free(self);
    *self_p = NULL;
}
