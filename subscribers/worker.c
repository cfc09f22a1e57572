/* worker: the thin shell around a lease table and a conduit. The conduit's rounds talk to the
 * bus and send its beats, on its thread or on that of a caller who waits; handlers run on the
 * application's threads, which take the conduit's lock for each step.
 *
 * The conduit's thread is woken only where it would otherwise sleep past what the table wants
 * (`armed`). */
#include "proto/link/conduit.h"
#include "proto/topic.h"
#include "subscribers/lease/leases.h"
#include <fob/fob_worker.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_PREFETCH   100
#define DEFAULT_CONNECT_MS 3000

struct fob_worker {
    fob_conduit_t *conduit;
    fob_leases_t *leases;
    int64_t armed;    /* when the conduit's thread runs its next round at the latest */
    unsigned waiting; /* threads that wait for something else than an event */
    bool news;        /* an event that is out was lost, and nobody has looked since */
};

/* --- in the conduit's rounds --- */

static void on_up(void *arg, fob_now_t now, const fob_wire_t *welcome) {
    fob_worker_t *self = arg;
    fob_leases_up(self->leases, now, welcome);
}

static void on_down(void *arg, fob_now_t now, fob_status_t why, const char *text) {
    fob_worker_t *self = arg;
    fob_leases_down(self->leases, now, why, text);
}

static void on_input(void *arg, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    fob_worker_t *self = arg;
    fob_leases_input(self->leases, now, msg, body);
}

static bool on_output(void *arg, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    fob_worker_t *self = arg;
    *body = NULL;
    return fob_leases_output(self->leases, now, header);
}

/* Wakes those who wait for an event if there is one, and those who wait for something else in any
 * case. */
static void tell(fob_worker_t *self, fob_now_t now) {
    self->news |= fob_leases_lost_news(self->leases);
    bool ready = self->news || fob_leases_ready(self->leases, now);
    if (ready || self->waiting)
        fob_conduit_notify(self->conduit);
    if (!ready && self->waiting)
        fob_conduit_quiet(self->conduit);
}

/* Somebody looks: the descriptor has told. */
static void looked(fob_worker_t *self, fob_now_t now) {
    self->news = false;
    if (!fob_leases_ready(self->leases, now))
        fob_conduit_quiet(self->conduit);
}

static void on_tick(void *arg, fob_now_t now) {
    fob_worker_t *self = arg;
    fob_leases_round(self->leases, now, fob_conduit_heard(self->conduit));
    const char *why = fob_leases_restart(self->leases);
    if (why)
        fob_conduit_restart(self->conduit, now, FOB_UNREACHABLE, why);
    tell(self, now);
}

static int64_t on_deadline(void *arg) {
    fob_worker_t *self = arg;
    self->armed = fob_leases_deadline(self->leases);
    return self->armed;
}

static const fob_client_ops_t ops = {
    .up = on_up,
    .down = on_down,
    .input = on_input,
    .output = on_output,
    .tick = on_tick,
    .deadline = on_deadline,
};

/* --- life --- */

static bool options_valid(const fob_worker_options_t *options) {
    return options && options->version == 1 && options->group &&
           options->jobs <= FOB_PREFETCH_MAX && options->prefetch <= FOB_PREFETCH_MAX &&
           fob_topic_valid(fob_slice_str(options->group)) &&
           (!options->pattern || fob_pattern_valid(fob_slice_str(options->pattern))) &&
           (!options->name || strlen(options->name) <= FOB_NAME_MAX) && options->lease_ms >= 0 &&
           options->from_time_ms >= 0 && !(options->from_offset && options->from_time_ms) &&
           !(options->temporary && (options->from_offset || options->from_time_ms));
}

/* HOST-PID: what tells one worker from another, to people. */
static const char *usual_name(char *out, size_t size) {
    char host[200] = "";
    if (gethostname(host, sizeof host - 1) != 0 || !host[0])
        snprintf(host, sizeof host, "worker");
    snprintf(out, size, "%s-%ld", host, (long)getpid());
    return out;
}

static fob_leases_t *leases_for(const fob_worker_options_t *options) {
    uint32_t jobs = options->jobs ? options->jobs : 1;
    uint32_t prefetch = options->prefetch ? options->prefetch : DEFAULT_PREFETCH;
    int64_t connect_ms =
        options->connect_timeout_ms ? options->connect_timeout_ms : DEFAULT_CONNECT_MS;
    int64_t start = fob_conduit_now().mono_ns;
    char name[FOB_NAME_MAX + 1];
    bool endless = connect_ms < 0 || connect_ms > (FOB_NEVER - start) / FOB_MS;
    return fob_leases_new(&(fob_leases_options_t){
        .group = fob_slice_str(options->group),
        .pattern = fob_slice_str(options->pattern),
        .jobs = jobs,
        .prefetch = prefetch > jobs ? prefetch : jobs,
        .count = options->count,
        .temporary = options->temporary != 0,
        .worker = fob_slice_str(options->name ? options->name : usual_name(name, sizeof name)),
        .lease_ms = (uint64_t)options->lease_ms,
        .from_offset = options->from_offset,
        .from_ms = (uint64_t)options->from_time_ms,
        .give_up_mono = endless ? FOB_NEVER : start + connect_ms * FOB_MS,
    });
}

static void worker_free(fob_worker_t *self) {
    fob_conduit_destroy(&self->conduit, 0);
    fob_leases_destroy(&self->leases);
    free(self);
}

fob_worker_t *fob_worker_new(const fob_worker_options_t *options) {
    if (!options_valid(options)) {
        errno = EINVAL;
        return NULL;
    }
    fob_worker_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    fob_link_options_t link = {
        .endpoints = fob_slice_str(fob_conduit_bus(options->bus)),
        .role = "worker",
        .client = "libfob/" FOB_VERSION_STRING,
        .holds = true,
    };
    fob_conduit_secret(link.session);
    self->leases = leases_for(options);
    errno = ENOMEM;
    if (self->leases)
        self->conduit = fob_conduit_new(&link, &ops, self);
    if (self->conduit && fob_conduit_start(self->conduit))
        return self;
    int why = errno;
    worker_free(self);
    errno = why;
    return NULL;
}

/* --- the application's threads --- */

static fob_now_t now_mono(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (fob_now_t){.mono_ns = (int64_t)at.tv_sec * FOB_SEC + at.tv_nsec};
}

static int64_t until(int64_t timeout_ms) {
    int64_t start = now_mono().mono_ns;
    if (timeout_ms < 0 || timeout_ms > (FOB_NEVER - start) / FOB_MS)
        return FOB_NEVER;
    return start + timeout_ms * FOB_MS;
}

static void wake(fob_worker_t *self) {
    int64_t wanted = fob_leases_deadline(self->leases);
    if (wanted >= self->armed)
        return;
    self->armed = wanted;
    fob_conduit_wake_by(self->conduit, wanted);
}

/* The same for what is to be said at once: by this thread, if it can. */
static void push(fob_worker_t *self) {
    if (fob_leases_deadline(self->leases) == INT64_MIN)
        fob_conduit_push(self->conduit, true);
    else
        wake(self);
}

/* Takes what there is, with the lock held. OK: one at least. */
static fob_status_t take(fob_worker_t *self, fob_event_t **events, size_t most, size_t *count) {
    fob_now_t now = now_mono();
    fob_status_t status = FOB_OK;
    size_t taken = 0;
    while (taken < most && (status = fob_leases_next(self->leases, now, &events[taken])) == FOB_OK)
        taken++;
    *count = taken;
    return taken ? FOB_OK : status;
}

fob_status_t fob_worker_next_many(fob_worker_t *self, fob_event_t **events, size_t most,
                                  size_t *count, int64_t timeout_ms) {
    int64_t end = 0; /* asked for only where it has to wait */
    *count = 0;
    if (!most)
        return FOB_INVALID;
    fob_conduit_lock(self->conduit);
    fob_status_t status;
    while ((status = take(self, events, most, count)) == FOB_AGAIN) {
        self->news = false;
        fob_conduit_quiet(self->conduit);
        wake(self);
        if (timeout_ms == 0)
            break;
        end = end ? end : until(timeout_ms);
        if (!fob_conduit_wait(self->conduit, end)) {
            status = take(self, events, most, count);
            break;
        }
    }
    fob_conduit_unlock(self->conduit);
    return status;
}

fob_status_t fob_worker_next(fob_worker_t *self, fob_event_t **event, int64_t timeout_ms) {
    size_t count;
    *event = NULL;
    return fob_worker_next_many(self, event, 1, &count, timeout_ms);
}

static fob_status_t settle(fob_worker_t *self, fob_event_t **event, const fob_settle_how_t *how) {
    if (!event || !*event)
        return FOB_INVALID;
    fob_conduit_lock(self->conduit);
    fob_now_t now = now_mono();
    fob_status_t status = fob_leases_settle(self->leases, now, *event, how);
    push(self);
    tell(self, now);
    fob_conduit_unlock(self->conduit);
    fob_event_destroy(event);
    return status;
}

fob_status_t fob_worker_settle(fob_worker_t *self, fob_event_t **event, fob_settle_t how) {
    return settle(self, event, &(fob_settle_how_t){.kind = (fob_settle_kind_t)how});
}

/* The events themselves are destroyed once the lock is given up. */
fob_status_t fob_worker_settle_many(fob_worker_t *self, fob_event_t **events, size_t count,
                                    fob_settle_t how, size_t *settled) {
    const fob_settle_how_t as = {.kind = (fob_settle_kind_t)how};
    fob_status_t first = FOB_OK;
    size_t good = 0;
    fob_conduit_lock(self->conduit);
    fob_now_t now = now_mono();
    for (size_t i = 0; i < count; i++) {
        if (!events[i])
            continue;
        fob_status_t status = fob_leases_settle(self->leases, now, events[i], &as);
        good += status == FOB_OK;
        first = first == FOB_OK ? status : first;
    }
    wake(self);
    tell(self, now);
    fob_conduit_unlock(self->conduit);
    for (size_t i = 0; i < count; i++)
        fob_event_destroy(&events[i]);
    if (settled)
        *settled = good;
    return first;
}

fob_status_t fob_worker_retry(fob_worker_t *self, fob_event_t **event, int64_t after_ms,
                              const char *reason) {
    return settle(self, event,
                  &(fob_settle_how_t){.kind = FOB_KIND_RETRY,
                                      .after = after_ms > 0 ? (uint64_t)after_ms : 0,
                                      .reason = fob_slice_str(reason)});
}

fob_status_t fob_worker_reject(fob_worker_t *self, fob_event_t **event, const char *reason) {
    return settle(self, event,
                  &(fob_settle_how_t){.kind = FOB_KIND_REJECT, .reason = fob_slice_str(reason)});
}

int fob_worker_holds(fob_worker_t *self, const fob_event_t *event) {
    fob_conduit_lock(self->conduit);
    fob_now_t now = now_mono();
    bool holds = fob_leases_sure(self->leases, now, event);
    looked(self, now);
    fob_conduit_unlock(self->conduit);
    return holds;
}

int fob_worker_lost(fob_worker_t *self, const fob_event_t *event, char *why, size_t size) {
    fob_conduit_lock(self->conduit);
    bool lost = !fob_leases_holds(self->leases, event);
    if (why)
        snprintf(why, size, "%s", lost ? fob_leases_lost_text(self->leases) : "");
    looked(self, now_mono());
    fob_conduit_unlock(self->conduit);
    return lost;
}

/* Waits for what tell wakes. False: time is up. */
static bool wait_told(fob_worker_t *self, int64_t end) {
    self->waiting++;
    bool told = fob_conduit_wait(self->conduit, end);
    self->waiting--;
    return told;
}

fob_status_t fob_worker_flush(fob_worker_t *self, int64_t timeout_ms) {
    int64_t end = until(timeout_ms);
    fob_status_t status = FOB_OK;
    bool told = true;
    fob_conduit_lock(self->conduit);
    while (!fob_leases_flushed(self->leases) && status == FOB_OK) {
        status = fob_leases_fate(self->leases, now_mono());
        if (status == FOB_OK && !told)
            status = FOB_AGAIN;
        if (status != FOB_OK)
            break;
        fob_leases_hurry(self->leases);
        wake(self);
        told = wait_told(self, end);
    }
    fob_conduit_unlock(self->conduit);
    return status;
}

static void drain_locked(fob_worker_t *self) {
    fob_now_t now = now_mono();
    fob_leases_drain(self->leases, now);
    wake(self);
    tell(self, now);
}

void fob_worker_drain(fob_worker_t *self) {
    fob_conduit_lock(self->conduit);
    drain_locked(self);
    fob_conduit_unlock(self->conduit);
}

int fob_worker_fd(fob_worker_t *self) {
    fob_conduit_lock(self->conduit);
    int fd = fob_conduit_fd(self->conduit);
    fob_conduit_unlock(self->conduit);
    return fd;
}

fob_status_t fob_worker_wait_ready(fob_worker_t *self, int64_t timeout_ms, int *created) {
    int64_t end = until(timeout_ms);
    bool made = false, told = true, joined;
    fob_status_t status = FOB_OK;
    fob_conduit_lock(self->conduit);
    while (!(joined = fob_leases_joined_once(self->leases, &made))) {
        status = fob_leases_fate(self->leases, now_mono());
        if (status == FOB_OK && fob_leases_draining(self->leases))
            status = FOB_CLOSED;
        if (status == FOB_OK && !told)
            status = FOB_AGAIN;
        if (status != FOB_OK)
            break;
        told = wait_told(self, end);
    }
    fob_conduit_unlock(self->conduit);
    if (created)
        *created = joined && made;
    return joined ? FOB_OK : status;
}

int64_t fob_worker_lease_ms(fob_worker_t *self) {
    fob_conduit_lock(self->conduit);
    uint64_t ms = fob_leases_bound(self->leases);
    fob_conduit_unlock(self->conduit);
    return ms < INT64_MAX ? (int64_t)ms : INT64_MAX;
}

uint64_t fob_worker_refused(fob_worker_t *self) {
    fob_conduit_lock(self->conduit);
    uint64_t refused = fob_leases_refused(self->leases);
    fob_conduit_unlock(self->conduit);
    return refused;
}

void fob_worker_trouble(fob_worker_t *self, char *text, size_t size) {
    fob_conduit_lock(self->conduit);
    snprintf(text, size, "%s", fob_leases_trouble(self->leases));
    fob_conduit_unlock(self->conduit);
}

void fob_worker_destroy(fob_worker_t **self_p, int64_t linger_ms) {
    if (!self_p || !*self_p)
        return;
    fob_worker_t *self = *self_p;
    *self_p = NULL;
    fob_worker_drain(self);
    (void)fob_worker_flush(
        self, linger_ms); /* what has no answer in time goes to others, as the header says */
    worker_free(self);
}
