/* sending: which events go into the next PUBLISH. First what is to be sent again, in the order of
 * the wire numbers; then what was never sent, in the order offered. A message carries consecutive
 * numbers whose bytes lie side by side. */
#include "publishers/session_inside.h"

#define SENDING_LARGE (FOB_BATCH_FULL / 2) /* bytes: a batch so large goes in any case */
#define SENDING_PART  8                    /* so does one with this part of the window */
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

static bool side_by_side(const fob_slot_t *a, const fob_slot_t *b) {
    return a->batch == b->batch && a->at + a->size == b->at;
}

static bool ready_again(const fob_slot_t *slot) {
    return slot && slot->stage == FOB_STAGE_READY;
}

/* How many wire numbers from `first` on go together; *bytes gets their size. */
static uint64_t resend_run(const fob_session_t *self, uint64_t first, uint64_t limit,
                           size_t *bytes) {
    uint64_t number, count = 1;
    const fob_slot_t *last = fob_slot_by_wire(self, first, &number);
    *bytes = last->is_void ? sizeof void_event : last->size;
    limit = last->is_void && limit > first + SENDING_VOIDS ? first + SENDING_VOIDS : limit;
    for (uint64_t wire = first + 1; wire < limit; wire++, count++) {
        const fob_slot_t *slot = fob_slot_by_wire(self, wire, &number);
        if (!ready_again(slot) || slot->is_void != last->is_void)
            break;
        size_t size = slot->is_void ? sizeof void_event : slot->size;
        if (*bytes + size > self->max_batch || (!slot->is_void && !side_by_side(last, slot)))
            break;
        *bytes += size;
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
        uint64_t number;
        fob_slot_stage(self, fob_slot_by_wire(self, wire, &number), FOB_STAGE_SENT);
    }
    *header = fob_buf_slice(&self->header);
    *body = made;
    return true;
}

static bool resend(fob_session_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    uint64_t number, limit = self->low + self->wire_window;
    limit = limit < self->next_wire ? limit : self->next_wire;
    while (self->resend < limit && !ready_again(fob_slot_by_wire(self, self->resend, &number)))
        self->resend++;
    if (self->resend >= limit)
        return false;
    uint64_t first = self->resend;
    fob_slot_t *slot = fob_slot_by_wire(self, first, &number);
    size_t bytes;
    uint64_t count = resend_run(self, first, limit, &bytes);
    fob_blob_t *made;
    if (slot->is_void) {
        made = void_body(count);
    } else {
        batch_seal(self, slot->batch);
        made = fob_batch_body(slot->batch, slot->at, bytes);
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
static uint64_t fresh_run(const fob_session_t *self, uint64_t first, uint64_t room, size_t *bytes) {
    const fob_slot_t *last = fob_slot(self, first);
    uint64_t count = 1;
    *bytes = last->size;
    for (uint64_t n = first + 1; n < self->tail && count < room; n++, count++) {
        const fob_slot_t *slot = fob_slot(self, n);
        if (!ready_first(self, slot) || !side_by_side(last, slot) ||
            *bytes + slot->size > self->max_batch)
            break;
        *bytes += slot->size;
        last = slot;
    }
    return count;
}

static bool send_fresh(fob_session_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    uint64_t limit = self->low + self->wire_window;
    while (self->fresh < self->tail && !ready_first(self, fob_slot(self, self->fresh)))
        self->fresh++;
    if (self->fresh >= self->tail || self->next_wire >= limit)
        return false;
    fob_slot_t *slot = fob_slot(self, self->fresh);
    if (slot->batch == self->filling && let_grow(self))
        return false;
    size_t bytes;
    uint64_t first = self->next_wire;
    uint64_t count = fresh_run(self, self->fresh, limit - first, &bytes);
    batch_seal(self, slot->batch);
    fob_blob_t *made = fob_batch_body(slot->batch, slot->at, bytes);
    if (!made) {
        self->retry_at = now.mono_ns + SENDING_RETRY;
        return false;
    }
    /* From here on the numbers are theirs: a message that cannot be made now is made later, as one
     * to be sent again. */
    for (uint64_t i = 0; i < count; i++) {
        fob_slot(self, self->fresh + i)->wire = first + i;
        self->wires[(first + i) & self->wire_mask] = self->fresh + i;
    }
    self->next_wire += count;
    self->fresh += count;
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
