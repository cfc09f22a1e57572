/* offering: events in: one, or many with few rounds of the lock. */
#include "publishers/publisher_inside.h"

/* Events that are taken in one round of the lock at the most: the conduit's thread sends meanwhile
 * what was taken before. */
#define OFFERING_ROUND 64

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
    event->id = fob_slice_str(options->id);
    event->key = fob_slice_str(options->key);
    event->source = fob_slice_str(options->source);
    event->datacontenttype = fob_slice_str(options->content_type);
    event->traceparent = fob_slice_str(options->traceparent);
    if (options->priority < 0 || options->priority > 9)
        return FOB_INVALID;
    event->priority = (uint8_t)options->priority;
    if (event->id.size > FOB_ID_MAX || event->key.size > FOB_ID_MAX)
        return FOB_INVALID;
    return options->headers ? headers_encode(self, options->headers, &event->headers) : FOB_OK;
}

/* The event as the session and fire take it. */
static fob_status_t envelope_make(fob_publisher_t *self, const fob_publish_t *event,
                                  fob_envelope_t *out) {
    if (!event->topic || (!event->data && event->size))
        return FOB_INVALID;
    *out = (fob_envelope_t){.topic = fob_slice_str(event->topic),
                            .data = fob_slice(event->data, event->size)};
    if (out->topic.size > FOB_TOPIC_MAX)
        return FOB_BAD_TOPIC;
    out->topic_known =
        self->topic_size > 0 && fob_slice_eq(out->topic, fob_slice(self->topic, self->topic_size));
    return attributes_set(self, event->options, out);
}

static void topic_keep(fob_publisher_t *self, const fob_envelope_t *event) {
    if (event->topic_known)
        return;
    self->topic_size = event->topic.size;
    memcpy(self->topic, event->topic.data, event->topic.size);
}

/* Whether what was taken can go now. */
static bool eager(const fob_publisher_t *self) {
    return (self->took_stored && fob_session_eager(self->session)) ||
           (self->took_fired && fob_fire_eager(self->fire));
}

/* Wakes the conduit's thread where there is something to do for what was taken. */
static void wake_for_more(fob_publisher_t *self) {
    if (eager(self) || fob_publisher_due(self) < self->announced)
        fob_conduit_wake(self->conduit);
    self->took_stored = self->took_fired = false;
}

/* The same for a single event, which this thread may send itself. Last before the lock is given
 * up: what comes meanwhile is read too. */
static void send_or_wake(fob_publisher_t *self) {
    if (!eager(self)) {
        wake_for_more(self);
        return;
    }
    bool lone = !self->took_stored || fob_session_light(self->session);
    self->took_stored = self->took_fired = false;
    fob_conduit_push(self->conduit, lone);
}

static int64_t deadline_of(const fob_publisher_t *self, const fob_publish_t *event, int64_t now) {
    bool own = event->options && event->options->deadline_ms;
    return fob_publisher_after(now, own ? fob_publisher_span(event->options->deadline_ms, 0)
                                        : self->deadline_ns);
}

/* One try. */
static fob_status_t offer(fob_publisher_t *self, const fob_publish_t *event, int64_t now,
                          uint64_t *number) {
    fob_envelope_t envelope;
    fob_status_t status = envelope_make(self, event, &envelope);
    if (status == FOB_OK && fob_publisher_pile(self))
        status = FOB_AGAIN;
    if (status != FOB_OK)
        return status;
    void *tag = event->options ? event->options->tag : NULL;
    int64_t deadline = deadline_of(self, event, now);
    *number = 0;
    bool fire = event->options && event->options->fire;
    if (fire)
        status = fob_fire_offer(self->fire, now, &envelope, deadline, tag);
    else
        status = fob_session_offer(self->session, &envelope, deadline, tag, number);
    if (status == FOB_OK) {
        self->owed++;
        *(fire ? &self->took_fired : &self->took_stored) = true;
        topic_keep(self, &envelope);
    }
    return status;
}

/* No room until the deadline: whose fault is it? */
static fob_status_t no_room(const fob_publisher_t *self) {
    fob_slice_t text;
    fob_status_t why = fob_publisher_why(self, &text);
    return why == FOB_DEADLINE ? FOB_BUSY : why;
}

/* Takes one event, waiting for room. Its deadline runs from *now, which is moved on where it had
 * to wait. */
static fob_status_t take(fob_publisher_t *self, const fob_publish_t *event, int64_t *now,
                         uint64_t *number) {
    const int64_t begun = *now;
    for (;;) {
        if (fob_publisher_pile(self)) {
            wake_for_more(self); /* what was taken before goes meanwhile */
            fob_publisher_drain(self);
            *now = fob_publisher_now();
        }
        fob_status_t status = offer(self, event, begun, number);
        if (status != FOB_AGAIN)
            return status;
        if (fob_publisher_pile(self) && !fob_publisher_elsewhere(self))
            continue;
        wake_for_more(self);
        if (!fob_conduit_wait(self->conduit, deadline_of(self, event, begun)))
            return no_room(self);
        *now = fob_publisher_now();
    }
}

static fob_status_t send_one(fob_publisher_t *self, const fob_publish_t *event, uint64_t *number,
                             bool wait) {
    uint64_t unused;
    number = number ? number : &unused;
    int64_t now = fob_publisher_now();
    fob_conduit_lock(self->conduit);
    fob_status_t status = wait ? take(self, event, &now, number) : offer(self, event, now, number);
    if (status == FOB_OK)
        send_or_wake(self);
    fob_conduit_unlock(self->conduit);
    return status;
}

static fob_status_t send_many(fob_publisher_t *self, const fob_publish_t *events, size_t count,
                              size_t *taken, bool wait) {
    fob_status_t status = FOB_OK;
    uint64_t unused;
    size_t done = 0;
    while (done < count && status == FOB_OK) {
        size_t end = count - done < OFFERING_ROUND ? count : done + OFFERING_ROUND;
        int64_t now = fob_publisher_now();
        fob_conduit_lock(self->conduit);
        while (done < end && status == FOB_OK) {
            status = wait ? take(self, &events[done], &now, &unused)
                          : offer(self, &events[done], now, &unused);
            done += status == FOB_OK;
        }
        wake_for_more(self);
        fob_conduit_unlock(self->conduit);
    }
    if (taken)
        *taken = done;
    return status;
}

fob_status_t fob_publisher_send(fob_publisher_t *self, const char *topic, const void *data,
                                size_t size, const fob_publish_options_t *options,
                                uint64_t *number) {
    return send_one(self, &(fob_publish_t){topic, data, size, options}, number, true);
}

fob_status_t fob_publisher_try_send(fob_publisher_t *self, const char *topic, const void *data,
                                    size_t size, const fob_publish_options_t *options,
                                    uint64_t *number) {
    return send_one(self, &(fob_publish_t){topic, data, size, options}, number, false);
}

fob_status_t fob_publisher_send_many(fob_publisher_t *self, const fob_publish_t *events,
                                     size_t count, size_t *taken) {
    return send_many(self, events, count, taken, true);
}

fob_status_t fob_publisher_try_send_many(fob_publisher_t *self, const fob_publish_t *events,
                                         size_t count, size_t *taken) {
    return send_many(self, events, count, taken, false);
}
