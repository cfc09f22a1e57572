/* session: see session.h. Offers and connections; the other files are named in session_inside.h. */
#include "publishers/session_inside.h"

#include <stdio.h>
#include <stdlib.h>

/* Places for each event of the window: those of a topic that waits leave room for the others. */
#define SESSION_SPREAD    4
#define SESSION_SLOTS_MIN 16

/* For how long a bus knows at least what it was sent: some less than it says, as clocks differ. */
#define SESSION_KNOWN ((int64_t)FOB_SESSION_GRACE_MS * FOB_MS / 10 * 9)

#define SESSION_EVENT_MAX ((uint64_t)1 << 30) /* bytes of data, whatever a bus says */

/* --- life --- */

fob_session_t *fob_session_new(const fob_session_options_t *options) {
    fob_session_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    uint32_t slots = options->window * SESSION_SPREAD;
    self->options = *options;
    self->holds.random = options->seed;
    self->wires = calloc(FOB_WINDOW_MAX, sizeof *self->wires);
    self->next = self->next_wire = self->low = self->resend = 1;
    self->wire_window = FOB_WINDOW_MAX;
    self->max_event = SESSION_EVENT_MAX;
    self->max_batch = UINT64_MAX;
    self->next_deadline = self->retry_at = FOB_NEVER;
    self->trouble = FOB_UNREACHABLE;
    if (!fob_slots_init(&self->slots, slots > SESSION_SLOTS_MIN ? slots : SESSION_SLOTS_MIN) ||
        !self->wires)
        fob_session_destroy(&self);
    return self;
}

static void batch_let_go(fob_session_t *self, fob_slot_t *slot) {
    fob_batch_t *batch = slot->batch;
    slot->batch = NULL;
    if (!batch || --batch->live > 0)
        return;
    if (batch == self->filling)
        batch->used = 0; /* never sent, and empty again */
    else
        fob_batch_recycle(&self->batches, batch);
}

void fob_session_destroy(fob_session_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_session_t *self = *self_p;
    for (fob_slot_t *slot = self->slots.first; slot; slot = slot->behind)
        batch_let_go(self, slot);
    if (self->filling)
        fob_batch_recycle(&self->batches, self->filling);
    fob_batches_free(&self->batches);
    fob_buf_free(&self->header);
    fob_slots_free(&self->slots);
    free(self->wires);
    free(self);
    *self_p = NULL;
}

/* --- slots --- */

fob_slice_t fob_slot_bytes(const fob_slot_t *slot) {
    return fob_slice(fob_blob_slice(slot->batch->blob).data + slot->at, slot->size);
}

fob_slice_t fob_slot_topic(const fob_slot_t *slot) {
    fob_cursor_t cursor = fob_cursor(fob_slot_bytes(slot));
    fob_slice_t topic = {0};
    uint32_t elements;
    bool good = fob_cursor_array(&cursor, &elements) && fob_cursor_str(&cursor, &topic);
    assert(good); /* we encoded it */
    (void)good;
    return topic;
}

void fob_slot_stage(fob_session_t *self, fob_slot_t *slot, fob_stage_t stage) {
    self->sent -= slot->stage == FOB_STAGE_SENT;
    self->sent += stage == FOB_STAGE_SENT;
    slot->stage = (uint8_t)stage;
}

void fob_session_low(fob_session_t *self) {
    while (self->low < self->next_wire && !*fob_wire_at(self, self->low))
        self->low++;
}

void fob_slot_free(fob_session_t *self, fob_slot_t *slot, uint32_t place) {
    fob_slot_stage(self, slot, FOB_STAGE_READY);
    batch_let_go(self, slot);
    if (slot->parked) {
        fob_holds_done(&self->holds, slot->parked);
        self->parked--;
    }
    if (slot->wire)
        *fob_wire_at(self, slot->wire) = place;
    if (slot->wire && place == FOB_WIRE_VOID && slot->wire < self->resend)
        self->resend = slot->wire;
    if (self->fresh == slot)
        self->fresh = slot->behind;
    fob_slots_remove(&self->slots, slot);
    fob_session_low(self);
}

/* --- offers --- */

static fob_batch_t *batch_for(fob_session_t *self, const fob_envelope_t *event) {
    size_t bound = fob_batch_bound(event);
    fob_batch_t *batch = self->filling;
    if (batch && batch->capacity - batch->used >= bound && batch->used + bound <= self->max_batch)
        return batch;
    if (batch && batch->used == 0)
        fob_batch_recycle(&self->batches, batch);
    else if (batch)
        fob_batch_seal(&self->batches, batch);
    return self->filling = fob_batch_new(&self->batches, bound);
}

/* Encodes an event into `batch` and promises its receipt. */
static fob_status_t take_bytes(fob_session_t *self, fob_batch_t *batch, const fob_envelope_t *event,
                               size_t *size) {
    size_t at = batch->used;
    fob_status_t status = fob_batch_add(batch, self->max_event, event, size);
    if (status != FOB_OK)
        return status;
    if (*size > self->max_batch)
        status = FOB_TOO_LARGE;
    else if (!fob_receipts_promise(self->options.receipts, event->topic.size, event->id.size))
        status = FOB_NO_MEMORY;
    if (status == FOB_OK)
        return FOB_OK;
    batch->used = at;
    batch->live--;
    return status;
}

fob_status_t fob_session_offer(fob_session_t *self, const fob_envelope_t *event, int64_t deadline,
                               void *tag, uint64_t *number) {
    if (self->closed)
        return FOB_CLOSED;
    if (!fob_session_room(self, event->topic))
        return FOB_AGAIN;
    fob_batch_t *batch = batch_for(self, event);
    if (!batch)
        return FOB_NO_MEMORY;
    size_t size, at = batch->used;
    fob_status_t status = take_bytes(self, batch, event, &size);
    if (status != FOB_OK)
        return status;
    fob_slot_t *slot = fob_slots_append(&self->slots);
    assert(slot); /* there was room */
    slot->number = *number = self->next++;
    slot->deadline = deadline;
    slot->tag = tag;
    slot->batch = batch;
    slot->at = (uint32_t)at;
    slot->size = (uint32_t)size;
    slot->has_id = event->id.size > 0;
    fob_session_park(self, slot, event->topic);
    if (!self->fresh)
        self->fresh = slot;
    if (deadline < self->next_deadline)
        self->next_deadline = deadline;
    return FOB_OK;
}

/* --- connections --- */

/* What only waited for the answer under way gets none. */
static void told_to_void(fob_session_t *self) {
    for (fob_slot_t *slot = self->slots.first, *behind; slot; slot = behind) {
        behind = slot->behind;
        if (slot->told)
            fob_slot_free(self, slot, FOB_WIRE_VOID);
    }
    for (uint64_t wire = self->low; wire < self->next_wire; wire++)
        if (*fob_wire_at(self, wire) == FOB_WIRE_VOID_SENT)
            *fob_wire_at(self, wire) = FOB_WIRE_VOID;
}

void fob_session_rewind(fob_session_t *self, bool doubt) {
    told_to_void(self);
    for (fob_slot_t *slot = self->slots.first; slot; slot = slot->behind) {
        slot->doubt |= doubt && slot->stage == FOB_STAGE_SENT;
        fob_slot_stage(self, slot, FOB_STAGE_READY);
    }
    fob_holds_open_all(&self->holds);
    self->resend = self->low;
    self->fresh = self->slots.first;
}

void fob_session_renew(fob_session_t *self) {
    static const char lost[] = "the bus has forgotten this session: the event may or may not have "
                               "been stored; give events an id to have them sent again";
    const fob_fate_t fate = {.status = FOB_UNKNOWN_OUTCOME, .text = fob_slice_str(lost)};
    fob_session_rewind(self, false);
    for (fob_slot_t *slot = self->slots.first, *behind; slot; slot = behind) {
        behind = slot->behind;
        if (slot->doubt && !slot->has_id) {
            fob_slot_finish(self, slot, &fate);
            continue;
        }
        slot->wire = 0;
        slot->past |= slot->doubt;
        slot->doubt = slot->refused = false;
    }
    memset(self->wires, 0, FOB_WINDOW_MAX * sizeof *self->wires);
    self->next_wire = self->low = self->resend = 1;
    self->stored = 0;
    self->gaps = 0;
    self->fresh = self->slots.first;
    self->renew = true;
    self->renew_told = false;
}

bool fob_session_renewal(fob_session_t *self) {
    bool wanted = self->renew && !self->renew_told;
    self->renew_told = self->renew;
    return wanted;
}

/* Events that this bus cannot take, offered before its limits were known. */
static void too_large_refuse(fob_session_t *self) {
    for (fob_slot_t *slot = self->slots.first, *behind; slot; slot = behind) {
        behind = slot->behind;
        bool doubt = slot->doubt || slot->past;
        const fob_fate_t fate = {.status = doubt ? FOB_UNKNOWN_OUTCOME : FOB_TOO_LARGE};
        if (slot->size > self->max_batch)
            fob_slot_take_out(self, slot, &fate);
    }
}

/* Whether the bus knows less of the session than it answered, or may: its numbers would be taken
 * for those of a new one, or answered GAP for ever. Where nothing was answered yet, and none of it
 * is known, the first events are not stored, as long as the bus had no time to forget them. */
static bool forgotten(const fob_session_t *self, fob_now_t now, uint64_t last) {
    if (last > 0 || self->stored > 0)
        return last < self->stored;
    if (self->low > 1)
        return true;
    for (const fob_slot_t *slot = self->slots.first; slot; slot = slot->behind)
        if (slot->doubt && now.mono_ns - slot->sent_ns > SESSION_KNOWN)
            return true;
    return false;
}

void fob_session_up(fob_session_t *self, fob_now_t now, const fob_wire_t *welcome) {
    self->up = self->contacted = true;
    self->renew = false;
    self->trouble = FOB_OK;
    self->trouble_text[0] = 0;
    self->level = fob_level_of(welcome->level);
    self->max_event = SESSION_EVENT_MAX;
    if (welcome->max_event && welcome->max_event < SESSION_EVENT_MAX)
        self->max_event = welcome->max_event;
    self->max_batch = welcome->max_batch ? welcome->max_batch : UINT64_MAX;
    self->wire_window = welcome->window ? welcome->window : 1;
    if (self->wire_window > FOB_WINDOW_MAX)
        self->wire_window = FOB_WINDOW_MAX;
    fob_session_rewind(self, false);
    too_large_refuse(self);
    if (forgotten(self, now, welcome->last))
        fob_session_renew(self);
}

void fob_session_down(fob_session_t *self, fob_now_t now, fob_status_t why, const char *text) {
    (void)now;
    fob_session_rewind(self, true);
    self->up = false;
    self->trouble = why;
    snprintf(self->trouble_text, sizeof self->trouble_text, "%s", text ? text : "");
}

/* --- time --- */

void fob_session_tick(fob_session_t *self, fob_now_t now) {
    if (now.mono_ns >= self->retry_at)
        self->retry_at = FOB_NEVER;
    if (now.mono_ns >= self->next_deadline)
        fob_session_expire(self, now, false);
    if (!self->contacted && self->slots.count && now.mono_ns >= self->options.connect_at)
        fob_session_expire(self, now, true);
    fob_session_stop_if_failing(self);
    fob_session_open_due(self, now);
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t fob_session_deadline(const fob_session_t *self) {
    int64_t due = earlier(self->retry_at, self->slots.count ? self->next_deadline : FOB_NEVER);
    if (!self->contacted && self->slots.count)
        due = earlier(due, self->options.connect_at);
    if (self->up)
        due = earlier(due, fob_holds_deadline(&self->holds));
    return due;
}

/* --- questions --- */

bool fob_session_done_below(const fob_session_t *self, uint64_t number) {
    const fob_slot_t *slot = self->slots.first;
    while (slot && slot->told)
        slot = slot->behind;
    return !slot || slot->number >= number;
}

uint64_t fob_session_next(const fob_session_t *self) {
    return self->next;
}

bool fob_session_endless(const fob_session_t *self) {
    for (const fob_slot_t *slot = self->slots.first; slot; slot = slot->behind)
        if (!slot->told && slot->deadline == FOB_NEVER)
            return true;
    return false;
}

uint64_t fob_session_max_event(const fob_session_t *self) {
    return self->max_event;
}

bool fob_session_contacted(const fob_session_t *self) {
    return self->contacted;
}
