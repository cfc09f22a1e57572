/* hold: see hold.h. */
#include "publishers/hold.h"

#include <assert.h>

#define HOLD_FIRST (50 * FOB_MS)
#define HOLD_MAX   (5 * FOB_SEC)

static bool is_of(const fob_hold_t *hold, fob_slice_t topic) {
    return hold->used && fob_slice_eq(fob_slice(hold->topic, hold->topic_size), topic);
}

fob_hold_t *fob_holds_of(fob_holds_t *self, fob_slice_t topic) {
    for (unsigned i = 0; i < FOB_HOLDS && self->count; i++)
        if (is_of(&self->topics[i], topic))
            return &self->topics[i];
    return NULL;
}

static void forget(fob_holds_t *self, fob_hold_t *hold) {
    if (!hold->used)
        return;
    self->closed -= hold->closed;
    self->count--;
    *hold = (fob_hold_t){0};
}

/* Whether another topic may have the place. */
static bool idle(const fob_hold_t *hold) {
    return !hold->closed && !hold->parked;
}

/* A free one for the topic, or one that nothing waits under; `all` where something does under each.
 */
static fob_hold_t *make(fob_holds_t *self, fob_slice_t topic) {
    fob_hold_t *hold = NULL;
    for (unsigned i = 0; i < FOB_HOLDS && (!hold || hold->used); i++)
        if (idle(&self->topics[i]))
            hold = &self->topics[i];
    if (!hold)
        return &self->all;
    forget(self, hold);
    hold->topic_size = (uint16_t)topic.size;
    memcpy(hold->topic, topic.data, topic.size);
    return hold;
}

/* The next number of SplitMix64. */
static uint64_t random_next(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t jitter(fob_holds_t *self, unsigned tries) {
    int64_t bound = HOLD_FIRST;
    for (unsigned i = 1; i < tries && bound < HOLD_MAX; i++)
        bound *= 2;
    bound = bound < HOLD_MAX ? bound : HOLD_MAX;
    return (int64_t)(random_next(&self->random) % (uint64_t)bound);
}

fob_hold_t *fob_holds_close(fob_holds_t *self, fob_now_t now, const fob_slice_t *topic,
                            fob_status_t status, fob_slice_t text, int64_t retry_ns) {
    fob_hold_t *hold = &self->all;
    if (topic && !(hold = fob_holds_of(self, *topic)))
        hold = make(self, *topic);
    if (hold->used && hold->closed)
        return hold; /* a later event of it that was under way: the same refusal */
    self->count += !hold->used;
    self->closed++;
    hold->used = hold->closed = true;
    hold->tries++;
    hold->status = status;
    hold->retry_at = now.mono_ns + retry_ns + jitter(self, hold->tries);
    hold->text_size = (uint16_t)(text.size < FOB_HOLD_TEXT ? text.size : FOB_HOLD_TEXT);
    if (hold->text_size)
        memcpy(hold->text, text.data, hold->text_size);
    return hold;
}

const fob_hold_t *fob_holds_find(const fob_holds_t *self, fob_slice_t topic) {
    if (!self->closed)
        return NULL;
    if (self->all.closed)
        return &self->all;
    for (unsigned i = 0; i < FOB_HOLDS; i++)
        if (self->topics[i].closed && is_of(&self->topics[i], topic))
            return &self->topics[i];
    return NULL;
}

uint8_t fob_holds_mark(const fob_holds_t *self, const fob_hold_t *hold) {
    return hold == &self->all ? 0 : (uint8_t)(1 + (hold - self->topics));
}

void fob_holds_done(fob_holds_t *self, uint8_t mark) {
    fob_hold_t *hold = &self->topics[mark - 1];
    assert(mark >= 1 && mark <= FOB_HOLDS && hold->parked > 0);
    hold->parked--;
    if (idle(hold) && !hold->tries)
        forget(self, hold);
}

int64_t fob_holds_deadline(const fob_holds_t *self) {
    if (!self->closed)
        return FOB_NEVER;
    if (self->all.closed)
        return self->all.retry_at;
    int64_t first = FOB_NEVER;
    for (unsigned i = 0; i < FOB_HOLDS; i++)
        if (self->topics[i].closed && self->topics[i].retry_at < first)
            first = self->topics[i].retry_at;
    return first;
}

void fob_holds_stored(fob_holds_t *self, fob_slice_t topic) {
    if (!self->count)
        return;
    if (!self->all.closed)
        forget(self, &self->all);
    fob_hold_t *hold = fob_holds_of(self, topic);
    if (!hold || hold->closed)
        return;
    hold->tries = 0;
    if (idle(hold))
        forget(self, hold);
}

void fob_holds_open_all(fob_holds_t *self) {
    self->all.closed = false;
    for (unsigned i = 0; i < FOB_HOLDS; i++)
        self->topics[i].closed = false;
    self->closed = 0;
}
