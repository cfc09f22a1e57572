/* leases_work: the application's side of the lease table: see leases.h. */
#include "proto/decode.h"
#include "subscribers/lease/leases_inside.h"

#include <assert.h>

static bool hold_good(const fob_leases_t *self, fob_now_t now) {
    return self->state == JOINED && !self->stale &&
           now.mono_ns - self->heard <= fob_leases_hold(self) &&
           now.mono_ns - self->round <= self->beat_ns;
}

fob_status_t fob_leases_fate(const fob_leases_t *self, fob_now_t now) {
    if (self->fate != FOB_OK)
        return self->fate;
    return !self->ever_up && now.mono_ns >= self->options.give_up_mono ? FOB_UNREACHABLE : FOB_OK;
}

/* What next says without looking at the prefetch; OK: it may hand out. */
static fob_status_t may_begin(const fob_leases_t *self, fob_now_t now) {
    fob_status_t fate = fob_leases_fate(self, now);
    if (fate != FOB_OK)
        return fate;
    if (self->draining)
        return FOB_CLOSED;
    if (self->options.count && self->taken >= self->options.count)
        return self->holding.count ? FOB_AGAIN : FOB_CLOSED;
    if (self->holding.count >= self->options.jobs || !hold_good(self, now))
        return FOB_AGAIN;
    return FOB_OK;
}

bool fob_leases_ready(const fob_leases_t *self, fob_now_t now) {
    fob_status_t status = may_begin(self, now);
    return status == FOB_OK ? self->prefetch.count > 0 : status != FOB_AGAIN;
}

/* Steps over the front run's first event without handing it out. */
static void pass_over(fob_leases_t *self, fob_now_t now, bool give_back) {
    const fob_fetched_t *front = fob_prefetch_front(&self->prefetch);
    fob_slice_t bytes = {0};
    bool whole = fob_prefetch_peek(&self->prefetch, &bytes);
    assert(whole); /* skimmed when it came */
    if (give_back) {
        fob_leases_say(self, fob_slice_str("the bus delivered an event that cannot be decoded"),
                       FOB_BAD_EVENT);
        (void)fob_leases_end(self, now, &fob_undecodable, front->offset, front->token, 1);
    }
    fob_prefetch_pop(&self->prefetch, bytes);
}

/* Hands the front run's first event out. AGAIN: it was passed over. */
static fob_status_t begin(fob_leases_t *self, fob_now_t now, const fob_fetched_t *front,
                          fob_event_t **event) {
    if (fob_holding_find(&self->holding, front->token)) {
        pass_over(self, now, false); /* the bus gave one lease twice */
        return FOB_AGAIN;
    }
    if (!fob_holding_reserve(&self->holding))
        return FOB_NO_MEMORY;
    fob_event_place_t place = {.offset = front->offset,
                               .time_ms = front->time_ms,
                               .attempt = front->attempt,
                               .token = front->token,
                               .epoch = self->epoch};
    fob_status_t status = fob_decode(&self->pool, front->blob, front->bytes, &place, event);
    if (status == FOB_BAD_EVENT) {
        pass_over(self, now, true);
        return FOB_AGAIN;
    }
    if (status != FOB_OK)
        return status;
    fob_holding_put(&self->holding, front->token, front->offset, *event);
    fob_prefetch_pop(&self->prefetch, fob_event_envelope(*event)->bytes);
    self->taken++;
    return FOB_OK;
}

fob_status_t fob_leases_next(fob_leases_t *self, fob_now_t now, fob_event_t **event) {
    fob_status_t status = may_begin(self, now);
    if (status != FOB_OK)
        return status;
    status = FOB_AGAIN;
    const fob_fetched_t *front;
    while (status == FOB_AGAIN && (front = fob_prefetch_front(&self->prefetch)))
        status = begin(self, now, front, event);
    return status;
}

static fob_held_t *held_of(const fob_leases_t *self, const fob_event_t *event) {
    fob_held_t *one = fob_holding_find(&self->holding, fob_event_token(event));
    return one && one->event == event ? one : NULL;
}

fob_status_t fob_leases_settle(fob_leases_t *self, fob_now_t now, const fob_event_t *event,
                               const fob_settle_how_t *how) {
    fob_held_t *one = held_of(self, event);
    if (!one)
        return FOB_STALE;
    fob_held_t was = *one;
    fob_settle_how_t known = *how;
    bool valid = how->kind >= FOB_KIND_ACK && how->kind <= FOB_KIND_REJECT;
    known.kind = valid ? how->kind : FOB_KIND_RETRY;
    known.after = known.kind == FOB_KIND_RETRY ? how->after : 0;
    if (known.kind == FOB_KIND_ACK)
        known.reason = (fob_slice_t){0};
    fob_holding_take(&self->holding, one);
    if (was.lost) {
        /* Its job stays occupied, for the bus, until it hears that the handler has ended. */
        if (self->state == JOINED && was.lost_in == self->connection)
            (void)fob_leases_end(self, now, &fob_has_ended, was.offset, was.token, 1);
        return FOB_STALE;
    }
    if (!fob_leases_end(self, now, &known, was.offset, was.token, 1))
        return FOB_NO_MEMORY;
    return valid ? FOB_OK : FOB_INVALID;
}

bool fob_leases_holds(const fob_leases_t *self, const fob_event_t *event) {
    const fob_held_t *one = held_of(self, event);
    return one && !one->lost;
}

const char *fob_leases_lost_text(const fob_leases_t *self) {
    return self->lost_text;
}

bool fob_leases_lost_news(fob_leases_t *self) {
    bool news = self->lost_news;
    self->lost_news = false;
    return news;
}

bool fob_leases_sure(const fob_leases_t *self, fob_now_t now, const fob_event_t *event) {
    return self->state == JOINED && now.mono_ns - self->sure <= fob_leases_hold(self) &&
           fob_leases_holds(self, event);
}

void fob_leases_drain(fob_leases_t *self, fob_now_t now) {
    static const fob_settle_how_t released = {.kind = FOB_KIND_RELEASE};
    const fob_fetched_t *run;
    if (self->draining)
        return;
    self->draining = true;
    for (size_t i = 0; (run = fob_prefetch_at(&self->prefetch, i)); i++)
        if (run->count)
            (void)fob_leases_end(self, now, &released, run->offset, run->token, run->count);
    fob_prefetch_clear(&self->prefetch);
}

bool fob_leases_draining(const fob_leases_t *self) {
    return self->draining;
}

void fob_leases_hurry(fob_leases_t *self) {
    self->hurry = fob_settles_unsent(&self->settles) > 0;
}

bool fob_leases_flushed(const fob_leases_t *self) {
    return fob_settles_idle(&self->settles);
}

bool fob_leases_joined_once(const fob_leases_t *self, bool *created) {
    *created = self->created;
    return self->ever_joined;
}

uint64_t fob_leases_refused(const fob_leases_t *self) {
    return self->refused;
}

uint64_t fob_leases_bound(const fob_leases_t *self) {
    return self->bound;
}

uint64_t fob_leases_waiting(const fob_leases_t *self) {
    return self->prefetch.count;
}

const char *fob_leases_trouble(const fob_leases_t *self) {
    return self->trouble;
}
