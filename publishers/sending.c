/* sending: which events go into the next PUBLISH. First what is to be sent again, in the order of
 * the wire numbers; then what was never sent, in the order offered. A message carries consecutive
 * numbers whose bytes lie side by side. */
#include "publishers/session_inside.h"

#define SENDING_LARGE (FOB_BATCH_FULL / 2) /* bytes: a batch so large goes in any case */
#define SENDING_PART  8                    /* so does one with this part of the window */
#define SENDING_LIGHT 16                   /* events */
#define SENDING_RETRY (10 * FOB_MS)        /* after a want of memory */
#define SENDING_VOIDS 256                  /* void events in one message */

/* An event that every bus refuses for good (it has no topic), and so uses up its number: ["", {},
 * b""]. */
static const uint8_t void_event[] = {0x93, 0xa0, 0x80, 0xc4, 0x00};

static uint64_t window_of(const fob_session_t *self) {
    uint64_t own = self->options.window;
    return own < self->wire_window ? own : self->wire_window;
}

/* The bus is busy with more than half of what may be under way: what is sent now would only wait
 * there. So a batch is let grow until it is worth a message, or until an answer comes. A lone event
 * never waits. */
static bool let_grow(const fob_session_t *self) {
    const fob_batch_t *batch = self->filling;
    return batch && self->sent > window_of(self) / 2 && batch->used < SENDING_LARGE &&
           batch->live < self->options.window / SENDING_PART;
}

bool fob_session_eager(const fob_session_t *self) {
    return self->up && !self->renew && !self->holds.all.closed && !let_grow(self);
}

bool fob_session_light(const fob_session_t *self) {
    return self->sent < SENDING_LIGHT;
}

static bool side_by_side(const fob_slot_t *a, const fob_slot_t *b) {
    return a->batch == b->batch && a->at + a->size == b->at;
}

/* Whether a wire number is to be sent, an event's or a void. */
static bool ready_again(const fob_session_t *self, uint64_t wire) {
    const fob_slot_t *slot = fob_slot_by_wire(self, wire);
    return slot ? slot->stage == FOB_STAGE_READY : *fob_wire_at(self, wire) == FOB_WIRE_VOID;
}

/* How many void numbers from `first` on go together. */
static uint64_t void_run(const fob_session_t *self, uint64_t first, uint64_t limit) {
    uint64_t most = self->max_batch / sizeof void_event, count = 1;
    most = most < SENDING_VOIDS ? most : SENDING_VOIDS;
    while (count < most && first + count < limit &&
           *fob_wire_at(self, first + count) == FOB_WIRE_VOID)
        count++;
    return count;
}

/* How many events from the wire number `first` on go together; *bytes gets their size. */
static uint64_t resend_run(const fob_session_t *self, uint64_t first, uint64_t limit,
                           size_t *bytes) {
    const fob_slot_t *last = fob_slot_by_wire(self, first);
    uint64_t count = 1;
    *bytes = last->size;
    for (uint64_t wire = first + 1; wire < limit; wire++, count++) {
        const fob_slot_t *slot = fob_slot_by_wire(self, wire);
        if (!slot || slot->stage != FOB_STAGE_READY || !side_by_side(last, slot) ||
            *bytes + slot->size > self->max_batch)
            break;
        *bytes += slot->size;
        last = slot;
    }
    return count;
}

static fob_blob_t *void_body(uint64_t count) {
    fob_blob_t *blob = fob_blob_new(count * sizeof void_event);
    for (uint64_t i = 0; blob && i < count; i++)
        memcpy(fob_blob_writable(blob) + i * sizeof void_event, void_event, sizeof void_event);
    return blob;
}

static void batch_seal(fob_session_t *self, fob_batch_t *batch) {
    if (batch->sealed)
        return;
    if (batch == self->filling)
        self->filling = NULL;
    fob_batch_seal(&self->batches, batch);
}

/* Makes the message of the `count` wire numbers from `first` on, which have their slots. */
static bool message_make(fob_session_t *self, fob_now_t now, uint64_t first, uint64_t count,
                         fob_blob_t *made, fob_slice_t *header, fob_blob_t **body) {
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    FOB_SET(&msg, first, first);
    FOB_SET(&msg, low, self->low);
    fob_buf_clear(&self->header);
    if (!made || fob_wire_write(&self->header, &msg) != FOB_OK) {
        fob_blob_unref(&made);
        self->retry_at = now.mono_ns + SENDING_RETRY;
        return false;
    }
    for (uint64_t wire = first; wire < first + count; wire++) {
        fob_slot_t *slot = fob_slot_by_wire(self, wire);
        if (slot && !slot->doubt)
            slot->sent_ns = now.mono_ns;
        if (slot)
            fob_slot_stage(self, slot, FOB_STAGE_SENT);
        else
            *fob_wire_at(self, wire) = FOB_WIRE_VOID_SENT;
    }
    *header = fob_buf_slice(&self->header);
    *body = made;
    return true;
}

static bool resend(fob_session_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    uint64_t limit = self->low + self->wire_window;
    limit = limit < self->next_wire ? limit : self->next_wire;
    self->resend = self->resend < self->low ? self->low : self->resend;
    while (self->resend < limit && !ready_again(self, self->resend))
        self->resend++;
    if (self->resend >= limit)
        return false;
    uint64_t first = self->resend, count;
    const fob_slot_t *slot = fob_slot_by_wire(self, first);
    fob_blob_t *made;
    if (slot) {
        size_t bytes;
        count = resend_run(self, first, limit, &bytes);
        batch_seal(self, slot->batch);
        made = fob_batch_body(slot->batch, slot->at, bytes);
    } else {
        count = void_run(self, first, limit);
        made = void_body(count);
    }
    if (!message_make(self, now, first, count, made, header, body))
        return false;
    self->resend = first + count;
    return true;
}

static bool ready_first(const fob_session_t *self, const fob_slot_t *slot) {
    return slot->stage == FOB_STAGE_READY && !slot->wire &&
           (!self->holds.closed || !fob_holds_find(&self->holds, fob_slot_topic(slot)));
}

/* How many events from `first` on go together. */
static uint64_t fresh_run(const fob_session_t *self, const fob_slot_t *first, uint64_t room,
                          size_t *bytes) {
    const fob_slot_t *last = first;
    uint64_t count = 1;
    *bytes = first->size;
    for (const fob_slot_t *slot = first->behind; slot && count < room; slot = slot->behind) {
        if (!ready_first(self, slot) || !side_by_side(last, slot) ||
            *bytes + slot->size > self->max_batch)
            break;
        *bytes += slot->size;
        last = slot;
        count++;
    }
    return count;
}

/* Gives the next `count` wire numbers to the events from `slot` on; returns the one behind. */
static fob_slot_t *numbers_give(fob_session_t *self, fob_slot_t *slot, uint64_t count) {
    for (uint64_t i = 0; i < count; i++, slot = slot->behind) {
        slot->wire = self->next_wire++;
        *fob_wire_at(self, slot->wire) = 1 + fob_slots_index(&self->slots, slot);
    }
    return slot;
}

static bool send_fresh(fob_session_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    uint64_t limit = self->low + self->wire_window;
    while (self->fresh && !ready_first(self, self->fresh))
        self->fresh = self->fresh->behind;
    if (!self->fresh || self->next_wire >= limit)
        return false;
    fob_slot_t *slot = self->fresh;
    if (slot->batch == self->filling && let_grow(self))
        return false;
    size_t bytes;
    uint64_t first = self->next_wire;
    uint64_t count = fresh_run(self, slot, limit - first, &bytes);
    batch_seal(self, slot->batch);
    fob_blob_t *made = fob_batch_body(slot->batch, slot->at, bytes);
    if (!made) {
        self->retry_at = now.mono_ns + SENDING_RETRY;
        return false;
    }
    /* From here on the numbers are theirs: a message that cannot be made now is made later, as one
     * to be sent again. */
    self->fresh = numbers_give(self, slot, count);
    return message_make(self, now, first, count, made, header, body);
}

bool fob_session_output(fob_session_t *self, fob_now_t now, fob_slice_t *header,
                        fob_blob_t **body) {
    if (!self->up || self->failing || self->renew || self->holds.all.closed ||
        self->retry_at != FOB_NEVER)
        return false;
    if (resend(self, now, header, body))
        return true;
    return self->retry_at == FOB_NEVER && send_fresh(self, now, header, body);
}
