/* subscriber: the thin shell around a sequencer, a listener and a conduit. Its rounds (on the
 * conduit's thread, or on a reader's who waits) read the SUB socket and fill the queue under the
 * conduit's lock; a reader takes over a batch of messages at a time, and empties it under a lock of
 * its own, so that a flood does not make the two wait for each other at every event. A reader that
 * made room for a sequencer that waits for it wakes the thread. */
#include "proto/topic.h"
#include "subscribers/listener.h"
#include "subscribers/sequence/sequencer.h"
#include <fob/fob_subscriber.h>

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_QUEUE      100000
#define DEFAULT_CONNECT_MS 3000
#define READ_ONCE          128 /* messages in one round, then readers get the lock */
#define BLOCKED_AFTER      2   /* sockets in vain */

struct fob_subscriber {
    fob_conduit_t *conduit;

    /* Under the conduit's lock. */
    fob_sequencer_t *sequencer;
    fob_listener_t listener;
    fob_buf_t header; /* of the message that is sent */
    bool connected;   /* the conduit is up */
    bool ever_live;
    bool starting;     /* somebody waits for the first time that it is live */
    fob_status_t fate; /* OK, or why no connection will do */
    char trouble[512];

    /* Under the readers' lock, which is taken before the conduit's. */
    pthread_mutex_t readers;
    fob_batch_t batch;
    fob_pool_t pool; /* of events; those that are out may outlive it */
    bool gapped;     /* the last `next` gave GAP: the batch's notice says of what */

    bool tells_gaps; /* else the program was made before there were any */
    atomic_uint_fast64_t untold;
    atomic_uint_fast64_t taken_over; /* events and notices in the batch */
    atomic_bool closed;
};

/* --- in the conduit's rounds --- */

/* What was live is not any more. */
static void drop(fob_subscriber_t *self) {
    if (self->listener.live)
        fob_sequencer_pause(self->sequencer);
    fob_listener_close(&self->listener, self->conduit);
}

static void on_up(void *arg, fob_now_t now, const fob_wire_t *welcome) {
    fob_subscriber_t *self = arg;
    fob_shard_t shard;
    self->fate = FOB_OK;
    self->trouble[0] = 0;
    self->listener.trouble[0] = 0;
    self->listener.failed = 0;
    fob_sequencer_up(self->sequencer, now, welcome);
    fob_conduit_epoch(self->conduit, fob_sequencer_epoch(self->sequencer));
    if (!fob_shards_find(welcome->shards, 0, &shard) || !shard.xpub) {
        fob_conduit_restart(self->conduit, now, FOB_PROTOCOL,
                            "the bus names no port to subscribe at");
        return;
    }
    self->connected = true;
    fob_conduit_endpoint(self->conduit, &shard, shard.xpub, self->listener.endpoint,
                         sizeof self->listener.endpoint);
    fob_listener_open(&self->listener, self->conduit, now);
}

static void on_down(void *arg, fob_now_t now, fob_status_t why, const char *text) {
    fob_subscriber_t *self = arg;
    (void)now;
    self->connected = false;
    drop(self);
    fob_sequencer_down(self->sequencer);
    if (why == FOB_CLOSED)
        return;
    snprintf(self->trouble, sizeof self->trouble, "%s", text ? text : fob_status_text(why));
    if (why == FOB_VERSION || why == FOB_DENIED)
        self->fate = why;
}

static void on_beat(void *arg, fob_now_t now, const fob_wire_t *beat) {
    fob_subscriber_t *self = arg;
    fob_sequencer_beat(self->sequencer, now, beat);
    fob_conduit_epoch(self->conduit, fob_sequencer_epoch(self->sequencer));
}

static void on_input(void *arg, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    fob_subscriber_t *self = arg;
    fob_sequencer_input(self->sequencer, now, msg, body);
}

static bool on_output(void *arg, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    fob_subscriber_t *self = arg;
    fob_wire_t msg;
    if (!fob_sequencer_ask(self->sequencer, &msg))
        return false;
    fob_buf_clear(&self->header);
    if (fob_wire_write(&self->header, &msg) != FOB_OK) {
        fob_sequencer_unsent(self->sequencer, now, &msg);
        return false;
    }
    *header = fob_buf_slice(&self->header);
    *body = NULL;
    return true;
}

/* Behind the first time all that was stored before it was live again may be missing. */
static void answered(fob_subscriber_t *self, fob_slice_t probe) {
    if (!fob_listener_answered(&self->listener, probe))
        return;
    if (self->ever_live)
        fob_sequencer_listens(self->sequencer);
    self->ever_live = true;
}

static void read_messages(fob_subscriber_t *self) {
    zmq_msg_t head;
    zmq_msg_init(&head);
    for (unsigned n = 0; n < READ_ONCE; n++) {
        fob_cast_t cast;
        fob_blob_t *body;
        fob_status_t status = fob_listener_read(&self->listener, &head, &cast, &body);
        if (status == FOB_AGAIN)
            break;
        if (status == FOB_NO_MEMORY) {
            fob_sequencer_miss(self->sequencer, &cast);
            continue;
        }
        if (status != FOB_OK) {
            if (cast.kind <= FOB_CAST_PROBE)           /* a later version may have more kinds */
                fob_sequencer_spoilt(self->sequencer); /* the hole it leaves is counted, too */
            continue;
        }
        if (cast.kind == FOB_CAST_PROBE)
            answered(self, cast.topic);
        else
            fob_sequencer_take(self->sequencer, &cast, body, atomic_load(&self->taken_over));
        fob_blob_unref(&body);
    }
    zmq_msg_close(&head);
}

static void on_readable(void *arg, fob_now_t now, void *socket) {
    fob_subscriber_t *self = arg;
    if (socket == self->listener.sub) {
        read_messages(self);
    } else if (socket == self->listener.monitor && fob_listener_gone(&self->listener)) {
        drop(self);
        self->listener.due = now.mono_ns + FOB_LISTENER_PAUSE;
    }
}

/* Whether next would not wait. */
static bool ready(const fob_subscriber_t *self) {
    return fob_sequencer_queued(self->sequencer) || atomic_load(&self->taken_over) ||
           atomic_load(&self->closed);
}

static void rest_or_listen(fob_subscriber_t *self, fob_now_t now) {
    bool rest = fob_sequencer_deaf(self->sequencer);
    fob_listener_rest(&self->listener, self->conduit, now, rest);
    self->ever_live = self->ever_live || rest; /* what is published from now on will come */
}

static void on_tick(void *arg, fob_now_t now) {
    fob_subscriber_t *self = arg;
    if (self->connected)
        fob_listener_tick(&self->listener, self->conduit, now);
    fob_sequencer_round(self->sequencer, now, atomic_load(&self->taken_over));
    if (self->connected)
        rest_or_listen(self, now);
    if (ready(self) || self->starting)
        fob_conduit_notify(self->conduit);
}

static int64_t on_deadline(void *arg) {
    fob_subscriber_t *self = arg;
    int64_t due = fob_sequencer_deadline(self->sequencer);
    return self->connected && self->listener.due < due ? self->listener.due : due;
}

static const fob_client_ops_t ops = {
    .up = on_up,
    .down = on_down,
    .beat = on_beat,
    .input = on_input,
    .output = on_output,
    .tick = on_tick,
    .deadline = on_deadline,
    .readable = on_readable,
};

/* --- life --- */

static int64_t until(int64_t timeout_ms) {
    int64_t start = fob_conduit_now().mono_ns;
    if (timeout_ms < 0 || timeout_ms > (FOB_NEVER - start) / FOB_MS)
        return FOB_NEVER;
    return start + timeout_ms * FOB_MS;
}

/* What the caller's struct says, as one of this version: one of version 1 ends before `mode`, of 2
 * before `from_epoch`. False: there is none, or it is of a later version. */
static bool take_options(const fob_subscriber_options_t *given, fob_subscriber_options_t *out) {
    *out = (fob_subscriber_options_t)FOB_SUBSCRIBER_OPTIONS;
    if (!given || given->version < 1 || given->version > out->version)
        return false;
    if (given->version == 1)
        memcpy(out, given, offsetof(fob_subscriber_options_t, mode));
    else if (given->version == 2)
        memcpy(out, given, offsetof(fob_subscriber_options_t, from_epoch));
    else
        *out = *given;
    return true;
}

static fob_status_t check(const fob_subscriber_options_t *options) {
    bool live = options->mode == FOB_SUBSCRIBER_LIVE;
    if (!options->pattern || (unsigned)options->mode > FOB_SUBSCRIBER_LIVE ||
        (unsigned)options->from > FOB_FROM_TIME || (live && options->from != FOB_FROM_LATEST) ||
        (options->from == FOB_FROM_OFFSET && !options->from_value) ||
        (options->from_epoch && options->from != FOB_FROM_OFFSET))
        return FOB_INVALID;
    return fob_pattern_valid(fob_slice_str(options->pattern)) ? FOB_OK : FOB_BAD_PATTERN;
}

static fob_sequencer_t *make_sequencer(const fob_subscriber_options_t *options) {
    static const fob_sequencer_mode_t modes[] = {
        [FOB_SUBSCRIBER_RELIABLE] = FOB_SEQUENCER_RELIABLE,
        [FOB_SUBSCRIBER_NOTIFY] = FOB_SEQUENCER_NOTIFY,
        [FOB_SUBSCRIBER_LIVE] = FOB_SEQUENCER_LIVE,
    };
    static const fob_sequencer_from_t places[] = {
        [FOB_FROM_LATEST] = FOB_SEQUENCER_LATEST, [FOB_FROM_EARLIEST] = FOB_SEQUENCER_EARLIEST,
        [FOB_FROM_LAST] = FOB_SEQUENCER_LAST,     [FOB_FROM_OFFSET] = FOB_SEQUENCER_OFFSET,
        [FOB_FROM_TIME] = FOB_SEQUENCER_TIME,
    };
    const fob_sequencer_options_t sequencer = {
        .pattern = fob_slice_str(options->pattern),
        .mode = modes[options->mode],
        .from = places[options->from],
        .value = options->from_value,
        .epoch = options->from_epoch,
        .queue = options->queue ? options->queue : DEFAULT_QUEUE,
        .bytes = options->queue_bytes,
    };
    return fob_sequencer_new(&sequencer);
}

static fob_status_t start(fob_subscriber_t *self, const fob_subscriber_options_t *options) {
    fob_link_options_t link = {
        .endpoints = fob_slice_str(fob_conduit_bus(options->bus)),
        .role = "subscriber",
        .client = "libfob/" FOB_VERSION_STRING,
    };
    fob_conduit_secret(link.session);
    self->tells_gaps = options->version >= 2;
    self->listener.prefix_size =
        fob_pattern_prefix(fob_slice_str(options->pattern), self->listener.prefix);
    self->listener.due = FOB_NEVER;
    self->sequencer = make_sequencer(options);
    if (!self->sequencer)
        return FOB_NO_MEMORY;
    self->conduit = fob_conduit_new(&link, &ops, self);
    if (!self->conduit)
        return errno == EINVAL ? FOB_INVALID : FOB_NO_MEMORY;
    fob_conduit_epoch(self->conduit, options->from_epoch);
    return fob_conduit_start(self->conduit) ? FOB_OK : FOB_NO_MEMORY;
}

/* Why the broadcast does not come though the bus is there, where that is so after `failed` tries;
 * with the conduit's lock held. */
static void put_blocked(const fob_subscriber_t *self, unsigned failed, char *text, size_t size) {
    const fob_listener_t *listener = &self->listener;
    if (!size)
        return;
    text[0] = 0;
    if (self->connected && !listener->live && !listener->rests && listener->failed >= failed)
        snprintf(text, size, "the bus at %s answers, but its broadcast at %s %s",
                 fob_conduit_dialled(self->conduit), listener->endpoint,
                 fob_listener_obstacle(listener));
}

/* Until the subscription was live once. */
static fob_status_t wait_live(fob_subscriber_t *self, const fob_subscriber_options_t *options,
                              int64_t end) {
    fob_status_t status = FOB_OK;
    fob_conduit_lock(self->conduit);
    self->starting = true;
    while (!self->ever_live && status == FOB_OK) {
        status = self->fate;
        if (status == FOB_OK && !fob_conduit_wait(self->conduit, end) && !self->ever_live)
            status = FOB_UNREACHABLE;
    }
    self->starting = false;
    if (status != FOB_OK && options->trouble)
        snprintf(options->trouble, options->text_size, "%s", self->trouble);
    if (status == FOB_UNREACHABLE && options->blocked)
        put_blocked(self, 0, options->blocked, options->text_size);
    if (!ready(self))
        fob_conduit_quiet(self->conduit);
    fob_conduit_unlock(self->conduit);
    return status;
}

fob_subscriber_t *fob_subscriber_new(const fob_subscriber_options_t *given, fob_status_t *status) {
    fob_subscriber_options_t options;
    fob_status_t unused;
    status = status ? status : &unused;
    *status = take_options(given, &options) ? check(&options) : FOB_INVALID;
    if (*status != FOB_OK)
        return NULL;
    if (options.trouble && options.text_size)
        options.trouble[0] = 0;
    if (options.blocked && options.text_size)
        options.blocked[0] = 0;
    fob_subscriber_t *self = calloc(1, sizeof *self);
    if (!self) {
        *status = FOB_NO_MEMORY;
        return NULL;
    }
    pthread_mutex_init(&self->readers, NULL);
    int64_t connect_ms = options.connect_timeout_ms;
    *status = start(self, &options);
    if (*status == FOB_OK)
        *status = wait_live(self, &options, until(connect_ms ? connect_ms : DEFAULT_CONNECT_MS));
    if (*status != FOB_OK)
        fob_subscriber_destroy(&self);
    return self;
}

void fob_subscriber_destroy(fob_subscriber_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_subscriber_t *self = *self_p;
    fob_conduit_destroy(&self->conduit, 0); /* tells down, which closes the sockets */
    fob_sequencer_destroy(&self->sequencer);
    fob_batch_clear(&self->batch);
    fob_pool_empty(&self->pool);
    fob_buf_free(&self->header);
    pthread_mutex_destroy(&self->readers);
    free(self);
    *self_p = NULL;
}

/* --- the application's threads --- */

/* Takes a batch over if there is one, with the readers' lock held. */
static bool refill(fob_subscriber_t *self) {
    fob_conduit_lock(self->conduit);
    uint64_t moved = fob_sequencer_move(self->sequencer, &self->batch);
    uint64_t elsewhere = atomic_fetch_add(&self->taken_over, moved) + moved;
    if (fob_sequencer_has_room(self->sequencer, elsewhere))
        fob_conduit_wake(self->conduit);
    fob_conduit_unlock(self->conduit);
    return moved > 0;
}

/* The batch's next. AGAIN: one that the caller is not told of was stepped over. *gone counts what
 * is not in the batch any more. */
static fob_status_t step(fob_subscriber_t *self, fob_event_t **event, uint64_t *gone) {
    fob_status_t status = fob_batch_next(&self->batch, &self->pool, event);
    if (status == FOB_NO_MEMORY)
        return status;
    ++*gone;
    self->gapped = status == FOB_GAP && self->tells_gaps;
    if (status == FOB_OK || self->gapped)
        return status;
    if (status == FOB_GAP) {
        atomic_fetch_add(&self->untold, 1);
    } else {
        fob_conduit_lock(self->conduit);
        fob_sequencer_lose(self->sequencer, 1);
        fob_conduit_unlock(self->conduit);
    }
    return FOB_AGAIN;
}

/* Empties the batch into `events`, up to a notice that comes behind them. OK: one at least. */
static fob_status_t empty(fob_subscriber_t *self, fob_event_t **events, size_t most,
                          size_t *count) {
    fob_status_t status = FOB_AGAIN;
    uint64_t gone = 0;
    while (*count < most && !fob_batch_empty(&self->batch) &&
           !(*count && fob_batch_notice(&self->batch))) {
        status = step(self, &events[*count], &gone);
        if (status == FOB_OK)
            ++*count;
        else if (status != FOB_AGAIN)
            break;
    }
    atomic_fetch_sub(&self->taken_over, gone);
    return *count ? FOB_OK : status;
}

static fob_status_t read_many(fob_subscriber_t *self, fob_event_t **events, size_t most,
                              size_t *count) {
    fob_status_t status = FOB_AGAIN;
    pthread_mutex_lock(&self->readers);
    self->gapped = false;
    while (status == FOB_AGAIN && !atomic_load(&self->closed) &&
           (!fob_batch_empty(&self->batch) || refill(self)))
        status = empty(self, events, most, count);
    pthread_mutex_unlock(&self->readers);
    return atomic_load(&self->closed) && status == FOB_AGAIN ? FOB_CLOSED : status;
}

/* Waits until there may be something to read. False: time is up. */
static bool wait_ready(fob_subscriber_t *self, int64_t end) {
    bool told = true;
    fob_conduit_lock(self->conduit);
    while (told && !ready(self)) {
        fob_conduit_quiet(self->conduit);
        told = end != 0 && fob_conduit_wait(self->conduit, end);
    }
    fob_conduit_unlock(self->conduit);
    return told;
}

fob_status_t fob_subscriber_next_many(fob_subscriber_t *self, fob_event_t **events, size_t most,
                                      size_t *count, int64_t timeout_ms) {
    int64_t end = -1; /* not known yet */
    bool told = true;
    *count = 0;
    if (!most)
        return FOB_INVALID;
    for (;;) {
        fob_status_t status = read_many(self, events, most, count);
        if (status != FOB_AGAIN || !told)
            return status;
        if (end < 0)
            end = timeout_ms ? until(timeout_ms) : 0;
        told = wait_ready(self, end);
    }
}

fob_status_t fob_subscriber_next(fob_subscriber_t *self, fob_event_t **event, int64_t timeout_ms) {
    size_t count;
    *event = NULL;
    return fob_subscriber_next_many(self, event, 1, &count, timeout_ms);
}

int fob_subscriber_gap(fob_subscriber_t *self, fob_gap_t *out) {
    static const fob_gap_reason_t reasons[] = {
        [FOB_NOTICE_RETENTION] = FOB_GAP_RETENTION,
        [FOB_NOTICE_DAMAGED] = FOB_GAP_DAMAGED,
        [FOB_NOTICE_EPOCH] = FOB_GAP_EPOCH,
        [FOB_NOTICE_LOST] = FOB_GAP_LOST,
    };
    pthread_mutex_lock(&self->readers);
    bool gapped = self->gapped;
    const fob_notice_t *notice = &self->batch.notice;
    if (gapped) {
        *out = (fob_gap_t){.reason = reasons[notice->kind],
                           .shard = notice->shard,
                           .epoch = notice->epoch,
                           .first = notice->first,
                           .last = notice->last};
        static_assert(sizeof out->topic == sizeof notice->topic, "as in the public header");
        memcpy(out->topic, notice->topic, sizeof out->topic);
    }
    pthread_mutex_unlock(&self->readers);
    return gapped;
}

uint64_t fob_subscriber_lost(fob_subscriber_t *self, uint64_t *pauses) {
    fob_conduit_lock(self->conduit);
    uint64_t lost = fob_sequencer_lost(self->sequencer);
    if (pauses)
        *pauses = fob_sequencer_pauses(self->sequencer) + atomic_load(&self->untold);
    fob_conduit_unlock(self->conduit);
    return lost;
}

int fob_subscriber_loss(fob_subscriber_t *self, size_t *at, fob_subscriber_loss_t *out) {
    fob_gap_loss_t loss;
    fob_conduit_lock(self->conduit);
    bool found = fob_sequencer_losses(self->sequencer, at, &loss);
    if (found) {
        *out = (fob_subscriber_loss_t){.source = loss.source, .lost = loss.lost};
        memcpy(out->topic, loss.topic.data, loss.topic.size);
    }
    fob_conduit_unlock(self->conduit);
    return found;
}

int fob_subscriber_behind(fob_subscriber_t *self, uint64_t *position, uint64_t *head) {
    fob_sequencer_figures_t figures;
    fob_conduit_lock(self->conduit);
    fob_sequencer_figures(self->sequencer, &figures);
    fob_conduit_unlock(self->conduit);
    if (position)
        *position = figures.position;
    if (head)
        *head = figures.head;
    return figures.state == FOB_SEQUENCER_BEHIND;
}

void fob_subscriber_degraded(fob_subscriber_t *self, char *text, size_t size) {
    fob_conduit_lock(self->conduit);
    snprintf(text, size, "%s", fob_sequencer_trouble(self->sequencer));
    fob_conduit_unlock(self->conduit);
}

uint64_t fob_subscriber_malformed(fob_subscriber_t *self) {
    fob_conduit_lock(self->conduit);
    uint64_t malformed = fob_sequencer_malformed(self->sequencer);
    fob_conduit_unlock(self->conduit);
    return malformed;
}

int fob_subscriber_fd(fob_subscriber_t *self) {
    fob_conduit_lock(self->conduit);
    int fd = fob_conduit_fd(self->conduit);
    fob_conduit_unlock(self->conduit);
    return fd;
}

void fob_subscriber_trouble(fob_subscriber_t *self, char *text, size_t size) {
    fob_conduit_lock(self->conduit);
    snprintf(text, size, "%s", self->trouble);
    fob_conduit_unlock(self->conduit);
}

void fob_subscriber_blocked(fob_subscriber_t *self, char *text, size_t size) {
    fob_conduit_lock(self->conduit);
    put_blocked(self, BLOCKED_AFTER, text, size); /* one that was lost is soon made again */
    fob_conduit_unlock(self->conduit);
}

void fob_subscriber_close(fob_subscriber_t *self) {
    fob_conduit_lock(self->conduit);
    atomic_store(&self->closed, true);
    fob_conduit_notify(self->conduit);
    fob_conduit_unlock(self->conduit);
}
