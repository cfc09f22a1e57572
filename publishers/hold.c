/* hold: see hold.h. */
#include "publishers/hold.h"

#define HOLD_MIN (50 * FOB_MS)
#define HOLD_MAX (5 * FOB_SEC)

static bool is_of(const fob_hold_t *hold, fob_slice_t topic) {
    return hold->used && fob_slice_eq(fob_slice(hold->topic, hold->topic_size), topic);
}

static fob_hold_t *find(fob_holds_t *self, fob_slice_t topic) {
    for (unsigned i = 0; i < FOB_HOLDS; i++)
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

/* A free one for the topic, or one that waits for no retry; `all` where every one does. */
static fob_hold_t *make(fob_holds_t *self, fob_slice_t topic) {
    fob_hold_t *hold = NULL;
    for (unsigned i = 0; i < FOB_HOLDS && (!hold || hold->used); i++)
        if (!self->topics[i].closed)
            hold = &self->topics[i];
    if (!hold)
        return &self->all;
    forget(self, hold);
    hold->topic_size = (uint16_t)topic.size;
    memcpy(hold->topic, topic.data, topic.size);
    return hold;
}

static int64_t pause_of(const fob_hold_t *hold, int64_t retry_ns) {
    int64_t pause = HOLD_MIN;
    for (unsigned i = 1; i < hold->tries && pause < HOLD_MAX; i++)
        pause *= 2;
    pause = pause < retry_ns ? retry_ns : pause;
    return pause < HOLD_MAX ? pause : HOLD_MAX;
}

void fob_holds_close(fob_holds_t *self, fob_now_t now, const fob_slice_t *topic,
                     fob_status_t status, fob_slice_t text, int64_t retry_ns) {
    fob_hold_t *hold = &self->all;
    if (topic && !(hold = find(self, *topic)))
        hold = make(self, *topic);
    if (hold->used && hold->closed)
        return; /* a later event of it that was under way: the same refusal */
    self->count += !hold->used;
    self->closed++;
    hold->used = hold->closed = true;
    hold->tries++;
    hold->status = status;
    hold->retry_at = now.mono_ns + pause_of(hold, retry_ns);
    hold->text_size = (uint16_t)(text.size < FOB_HOLD_TEXT ? text.size : FOB_HOLD_TEXT);
    if (hold->text_size)
        memcpy(hold->text, text.data, hold->text_size);
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
    fob_hold_t *hold = find(self, topic);
    if (hold && !hold->closed)
        forget(self, hold);
}

void fob_holds_open_all(fob_holds_t *self) {
    self->all.closed = false;
    for (unsigned i = 0; i < FOB_HOLDS; i++)
        self->topics[i].closed = false;
    self->closed = 0;
}
