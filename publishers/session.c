/* session: see session.h. Slots, offers, deadlines and connections; sending.c makes the messages,
 * answers.c reads the receipts. */
#include "publishers/session_inside.h"

#include <stdio.h>
#include <stdlib.h>

/* Slots for each event of the window: a held one does not stop the others at once. */
#define SESSION_SPREAD 4

#define SESSION_EVENT_MAX ((uint64_t)1 << 30) /* bytes of data, whatever a bus says */

/* --- life --- */

static uint64_t power_of_two(uint64_t least) {
    uint64_t n = 16;
    while (n < least)
        n *= 2;
    return n;
}

fob_session_t *fob_session_new(const fob_session_options_t *options) {
    fob_session_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->options = *options;
    uint64_t slots = power_of_two((uint64_t)options->window * SESSION_SPREAD);
    if (slots > FOB_WINDOW_MAX)
        slots = power_of_two(FOB_WINDOW_MAX);
    self->mask = slots - 1;
    self->wire_mask = 2 * slots - 1; /* a slow event's wire number is at most so far behind */
    self->slots = calloc(slots, sizeof *self->slots);
    self->wires = calloc(2 * slots, sizeof *self->wires);
    self->head = self->tail = self->done = self->fresh = 1;
    self->next_wire = self->low = self->resend = 1;
    self->wire_window = FOB_WINDOW_MAX;
    self->max_event = SESSION_EVENT_MAX;
    self->max_batch = UINT64_MAX;
    self->next_deadline = self->retry_at = FOB_NEVER;
    self->trouble = FOB_UNREACHABLE;
    if (!self->slots || !self->wires)
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
    for (uint64_t n = self->head; n < self->tail; n++)
        batch_let_go(self, fob_slot(self, n));
    if (self->filling)
        fob_batch_recycle(&self->batches, self->filling);
    fob_batches_free(&self->batches);
    fob_buf_free(&self->header);
    free(self->wires);
    free(self->slots);
    free(self);
    *self_p = NULL;
}

/* --- slots --- */

fob_slot_t *fob_slot_by_wire(const fob_session_t *self, uint64_t wire, uint64_t *number) {
    uint64_t n = self->wires[wire & self->wire_mask];
    if (!wire || wire >= self->next_wire || n < self->head || n >= self->tail)
        return NULL;
    fob_slot_t *slot = fob_slot(self, n);
    if (slot->wire != wire || slot->stage == FOB_STAGE_DONE)
        return NULL;
    *number = n;
    return slot;
}

static fob_slice_t slot_bytes(const fob_slot_t *slot) {
    return fob_slice(fob_blob_slice(slot->batch->blob).data + slot->at, slot->size);
}

fob_slice_t fob_slot_topic(const fob_slot_t *slot) {
    fob_cursor_t cursor = fob_cursor(slot_bytes(slot));
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

/* Gives the application its receipt; the bytes are not needed after it. */
static void receipt_give(fob_session_t *self, uint64_t number, fob_status_t status,
                         fob_slice_t text, uint64_t offset, uint32_t groups) {
    fob_slot_t *slot = fob_slot(self, number);
    fob_receipt_event_t event = {.number = number, .tag = slot->tag};
    if (self->options.receipts->wanted) {
        event.topic = fob_slot_topic(slot);
        if (slot->has_id) {
            fob_envelope_t envelope;
            fob_cursor_t cursor = fob_cursor(slot_bytes(slot));
            if (fob_envelope_read(&cursor, UINT64_MAX, &envelope) == FOB_OK)
                event.id = envelope.id;
        }
    }
    fob_receipts_keep(self->options.receipts, &event, status, text, self->level, offset, groups);
    self->failing |= status != FOB_OK && self->options.stop_on_failure;
    batch_let_go(self, slot);
}

static void ends_advance(fob_session_t *self) {
    while (self->head < self->tail && fob_slot(self, self->head)->stage == FOB_STAGE_DONE)
        self->head++;
    uint64_t number;
    while (self->low < self->next_wire && !fob_slot_by_wire(self, self->low, &number))
        self->low++;
    self->fresh = self->fresh < self->head ? self->head : self->fresh;
    self->done = self->done < self->head ? self->head : self->done;
}

void fob_slot_finish(fob_session_t *self, uint64_t number, fob_status_t status, fob_slice_t text,
                     uint64_t offset, uint32_t groups) {
    fob_slot_t *slot = fob_slot(self, number);
    if (!slot->is_void)
        receipt_give(self, number, status, text, offset, groups);
    fob_slot_stage(self, slot, FOB_STAGE_DONE);
    self->open--;
    ends_advance(self);
}

/* The application gives the event up: it gets its receipt, and a number that was used
 * stays used. */
static void slot_take_out(fob_session_t *self, uint64_t number, fob_status_t status,
                          fob_slice_t text) {
    fob_slot_t *slot = fob_slot(self, number);
    if (!slot->wire) {
        fob_slot_finish(self, number, status, text, 0, 0);
        return;
    }
    receipt_give(self, number, status, text, 0, 0);
    slot->is_void = true;
    if (slot->stage != FOB_STAGE_HELD)
        return;
    fob_slot_stage(self, slot, FOB_STAGE_READY);
    self->resend = slot->wire < self->resend ? slot->wire : self->resend;
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

fob_status_t fob_session_offer(fob_session_t *self, const fob_envelope_t *event, int64_t deadline,
                               void *tag, uint64_t *number) {
    if (self->closed)
        return FOB_CLOSED;
    if (self->open >= self->options.window || self->tail - self->head > self->mask)
        return FOB_AGAIN;
    fob_batch_t *batch = batch_for(self, event);
    if (!batch)
        return FOB_NO_MEMORY;
    size_t size, at = batch->used;
    fob_status_t status = fob_batch_add(batch, self->max_event, event, &size);
    if (status == FOB_OK && size > self->max_batch)
        status = FOB_TOO_LARGE;
    else if (status == FOB_OK &&
             !fob_receipts_promise(self->options.receipts, event->topic.size, event->id.size))
        status = FOB_NO_MEMORY;
    else if (status != FOB_OK)
        return status;
    if (status != FOB_OK) {
        batch->used = at;
        batch->live--;
        return status;
    }
    *fob_slot(self, self->tail) = (fob_slot_t){.deadline = deadline,
                                               .tag = tag,
                                               .batch = batch,
                                               .at = (uint32_t)at,
                                               .size = (uint32_t)size,
                                               .has_id = event->id.size > 0};
    *number = self->tail++;
    self->open++;
    if (deadline < self->next_deadline)
        self->next_deadline = deadline;
    return FOB_OK;
}

/* --- connections --- */

void fob_session_rewind(fob_session_t *self, bool doubt) {
    for (uint64_t n = self->head; n < self->tail; n++) {
        fob_slot_t *slot = fob_slot(self, n);
        slot->doubt |= doubt && slot->stage == FOB_STAGE_SENT;
        if (slot->stage == FOB_STAGE_SENT || slot->stage == FOB_STAGE_HELD)
            fob_slot_stage(self, slot, FOB_STAGE_READY);
    }
    fob_holds_open_all(&self->holds);
    self->resend = self->low;
    self->fresh = self->head;
}

void fob_session_renew(fob_session_t *self) {
    static const char lost[] = "the bus has forgotten this session: the event may or may not have "
                               "been stored; give events an id to have them sent again";
    fob_session_rewind(self, false);
    uint64_t tail = self->tail;
    for (uint64_t n = self->head; n < tail; n++) {
        fob_slot_t *slot = fob_slot(self, n);
        if (slot->stage == FOB_STAGE_DONE)
            continue;
        if (slot->is_void || (slot->doubt && !slot->has_id))
            fob_slot_finish(self, n, FOB_UNKNOWN_OUTCOME, fob_slice_str(lost), 0, 0);
        slot->wire = 0;
        slot->doubt = false;
    }
    self->next_wire = self->low = self->resend = 1;
    self->stored = 0;
    self->gaps = 0;
    self->fresh = self->head;
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
    uint64_t tail = self->tail;
    for (uint64_t n = self->head; n < tail; n++) {
        fob_slot_t *slot = fob_slot(self, n);
        if (slot->stage == FOB_STAGE_READY && !slot->is_void && slot->size > self->max_batch)
            slot_take_out(self, n, slot->doubt ? FOB_UNKNOWN_OUTCOME : FOB_TOO_LARGE,
                          (fob_slice_t){0});
    }
}

void fob_session_up(fob_session_t *self, fob_now_t now, const fob_wire_t *welcome) {
    (void)now;
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
    fob_session_rewind(self, false);
    too_large_refuse(self);
    /* A bus that remembers less than it confirmed would answer GAP for ever. */
    if (welcome->last < self->stored)
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

static fob_slice_t trouble_text(const fob_session_t *self) {
    return fob_slice_str(self->trouble_text);
}

/* Whether the bus may have stored it: it was sent, and no answer has said that it is not. */
static bool in_doubt(const fob_slot_t *slot) {
    return slot->stage == FOB_STAGE_SENT || slot->doubt;
}

static fob_slice_t doubt_text(fob_session_t *self, const char *why) {
    bool told = !self->up && self->trouble_text[0];
    int size = snprintf(self->doubt_text, sizeof self->doubt_text,
                        "the event may or may not have been stored: it was sent, and %s%s%.180s%s",
                        why, told ? " (" : "", told ? self->trouble_text : "", told ? ")" : "");
    return fob_slice(self->doubt_text, (size_t)size);
}

/* What to tell of an event whose deadline passed, by what it was waiting for. */
static fob_status_t verdict(fob_session_t *self, const fob_slot_t *slot, fob_slice_t *text) {
    if (in_doubt(slot)) {
        *text = doubt_text(self, "no answer came before its deadline");
        return FOB_UNKNOWN_OUTCOME;
    }
    *text = (fob_slice_t){0};
    if (!self->up) {
        *text = trouble_text(self);
        bool told = self->trouble == FOB_VERSION || self->trouble == FOB_DENIED;
        return told ? self->trouble : FOB_UNREACHABLE;
    }
    const fob_hold_t *hold = fob_holds_find(&self->holds, fob_slot_topic(slot));
    if (!hold || hold->status == FOB_GAP)
        return FOB_DEADLINE;
    *text = fob_slice(hold->text, hold->text_size);
    return hold->status;
}

/* Takes out what is past its deadline (`all`: everything), and finds the next deadline. */
static void expire(fob_session_t *self, fob_now_t now, bool all) {
    uint64_t tail = self->tail;
    self->next_deadline = FOB_NEVER;
    for (uint64_t n = self->head; n < tail; n++) {
        fob_slot_t *slot = fob_slot(self, n);
        if (slot->stage == FOB_STAGE_DONE || slot->is_void)
            continue;
        if (!all && slot->deadline > now.mono_ns) {
            if (slot->deadline < self->next_deadline)
                self->next_deadline = slot->deadline;
            continue;
        }
        fob_slice_t text;
        fob_status_t status = verdict(self, slot, &text);
        slot_take_out(self, n, status, text);
    }
}

/* Whether an event of this topic (NULL: any) is under way: its answer may still be a refusal. */
static bool under_way(const fob_session_t *self, const fob_slice_t *topic) {
    if (!self->sent)
        return false;
    if (!topic)
        return true;
    for (uint64_t n = self->head; n < self->tail; n++) {
        const fob_slot_t *slot = fob_slot(self, n);
        if (slot->stage == FOB_STAGE_SENT && !slot->is_void &&
            fob_slice_eq(fob_slot_topic(slot), *topic))
            return true;
    }
    return false;
}

static void held_ready(fob_session_t *self, const fob_slice_t *topic) {
    for (uint64_t n = self->head; n < self->tail; n++) {
        fob_slot_t *slot = fob_slot(self, n);
        if (slot->stage == FOB_STAGE_HELD &&
            (!topic || slot->is_void || fob_slice_eq(fob_slot_topic(slot), *topic)))
            fob_slot_stage(self, slot, FOB_STAGE_READY);
    }
    self->resend = self->low;
    self->fresh = self->head;
}

/* Offers again what was refused, once its time has come and no answer to an earlier offer is
 * missing: a later event of the topic must not overtake one whose refusal is still on its way. */
static void hold_open(fob_session_t *self, fob_now_t now, fob_hold_t *hold) {
    if (!hold->closed || hold->retry_at > now.mono_ns)
        return;
    bool all = hold == &self->holds.all;
    fob_slice_t topic = fob_slice(hold->topic, hold->topic_size);
    if (under_way(self, all ? NULL : &topic)) {
        hold->retry_at = now.mono_ns + 5 * FOB_MS;
        return;
    }
    hold->closed = false;
    self->holds.closed--;
    held_ready(self, all ? NULL : &topic);
}

static void holds_open_due(fob_session_t *self, fob_now_t now) {
    if (!self->holds.closed || !self->up)
        return;
    hold_open(self, now, &self->holds.all);
    for (unsigned i = 0; i < FOB_HOLDS && !self->holds.all.closed; i++)
        hold_open(self, now, &self->holds.topics[i]);
}

void fob_session_tick(fob_session_t *self, fob_now_t now) {
    if (now.mono_ns >= self->retry_at)
        self->retry_at = FOB_NEVER;
    if (now.mono_ns >= self->next_deadline)
        expire(self, now, false);
    if (!self->contacted && self->open && now.mono_ns >= self->options.connect_at)
        expire(self, now, true);
    fob_session_stop_if_failing(self);
    holds_open_due(self, now);
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t fob_session_deadline(const fob_session_t *self) {
    int64_t due = earlier(self->retry_at, self->open ? self->next_deadline : FOB_NEVER);
    if (!self->contacted && self->open)
        due = earlier(due, self->options.connect_at);
    if (self->up)
        due = earlier(due, fob_holds_deadline(&self->holds));
    return due;
}

/* --- questions --- */

bool fob_session_done_below(fob_session_t *self, uint64_t number) {
    while (self->done < self->tail) {
        const fob_slot_t *slot = fob_slot(self, self->done);
        if (self->done >= self->head && slot->stage != FOB_STAGE_DONE && !slot->is_void)
            break;
        self->done++;
    }
    return self->done >= number;
}

uint64_t fob_session_next(const fob_session_t *self) {
    return self->tail;
}

bool fob_session_endless(const fob_session_t *self) {
    for (uint64_t n = self->head; n < self->tail; n++) {
        const fob_slot_t *slot = fob_slot(self, n);
        if (slot->stage != FOB_STAGE_DONE && !slot->is_void && slot->deadline == FOB_NEVER)
            return true;
    }
    return false;
}

uint64_t fob_session_max_event(const fob_session_t *self) {
    return self->max_event;
}

bool fob_session_contacted(const fob_session_t *self) {
    return self->contacted;
}

void fob_session_stop_if_failing(fob_session_t *self) {
    if (self->failing && !self->closed)
        fob_session_close(self);
}

void fob_session_close(fob_session_t *self) {
    uint64_t tail = self->tail;
    for (uint64_t n = self->head; n < tail; n++) {
        const fob_slot_t *slot = fob_slot(self, n);
        if (slot->stage == FOB_STAGE_DONE)
            continue;
        if (in_doubt(slot))
            fob_slot_finish(self, n, FOB_UNKNOWN_OUTCOME,
                            doubt_text(self, "the publisher was closed before an answer came"), 0,
                            0);
        else
            fob_slot_finish(self, n, FOB_CLOSED, (fob_slice_t){0}, 0, 0);
    }
    self->closed = true;
    self->up = false;
}
