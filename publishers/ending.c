/* ending: how an event ends: its receipt, its deadline, the end of the session. */
#include "proto/planted.h"
#include "publishers/session_inside.h"

#include <stdio.h>

/* An event that was refused and is offered again has a while more for its answer, so that it ends
 * as refused rather than in doubt. */
#define ENDING_GRACE (500 * FOB_MS)

static fob_slice_t id_of(const fob_slot_t *slot) {
    fob_envelope_t envelope;
    fob_cursor_t cursor = fob_cursor(fob_slot_bytes(slot));
    if (!slot->has_id || fob_envelope_read(&cursor, UINT64_MAX, &envelope) != FOB_OK)
        return (fob_slice_t){0};
    return envelope.id;
}

static void receipt_give(fob_session_t *self, fob_slot_t *slot, const fob_fate_t *fate) {
    if (FOB_PLANTED(RECEIPT_UNTOLD) && slot->number % 64 == 0)
        return;
    fob_receipt_event_t event = {.number = slot->number, .tag = slot->tag};
    if (self->options.receipts->wanted) {
        event.topic = fob_slot_topic(slot);
        event.id = id_of(slot);
    }
    fob_receipts_keep(self->options.receipts, &event,
                      &(fob_receipt_fate_t){.status = fate->status,
                                            .text = fate->text,
                                            .level = self->level,
                                            .offset = fate->offset,
                                            .groups = fate->groups,
                                            .duplicate = fate->duplicate,
                                            .differs = fate->differs});
    slot->told = true;
    self->failing |= fate->status != FOB_OK && self->options.stop_on_failure;
}

void fob_slot_finish(fob_session_t *self, fob_slot_t *slot, const fob_fate_t *fate) {
    if (!slot->told)
        receipt_give(self, slot, fate);
    fob_slot_free(self, slot, 0);
}

void fob_slot_take_out(fob_session_t *self, fob_slot_t *slot, const fob_fate_t *fate) {
    receipt_give(self, slot, fate);
    if (slot->stage != FOB_STAGE_SENT)
        fob_slot_free(self, slot, FOB_WIRE_VOID);
}

static fob_slice_t trouble_text(const fob_session_t *self) {
    return fob_slice_str(self->trouble_text);
}

/* Whether the bus may have stored it: it was sent, and no answer has said that it is not. */
static bool in_doubt(const fob_slot_t *slot) {
    return slot->stage == FOB_STAGE_SENT || slot->doubt || slot->past;
}

static fob_slice_t doubt_text(fob_session_t *self, const char *why) {
    bool told = !self->up && self->trouble_text[0];
    int size = snprintf(self->doubt_text, sizeof self->doubt_text,
                        "the event may or may not have been stored: it was sent, and %s%s%.180s%s",
                        why, told ? " (" : "", told ? self->trouble_text : "", told ? ")" : "");
    return fob_slice(self->doubt_text, (size_t)size);
}

/* The hold that its last refusal is told by. */
static const fob_hold_t *hold_of(fob_session_t *self, const fob_slot_t *slot) {
    const fob_hold_t *hold = fob_holds_find(&self->holds, fob_slot_topic(slot));
    return hold || !slot->refused ? hold : fob_holds_of(&self->holds, fob_slot_topic(slot));
}

/* What to tell of an event whose deadline passed, by what it was waiting for. */
static fob_fate_t verdict(fob_session_t *self, const fob_slot_t *slot) {
    if (in_doubt(slot))
        return (fob_fate_t){
            .status = FOB_UNKNOWN_OUTCOME,
            .text = doubt_text(self, "no answer came before its deadline"),
        };
    if (!self->up) {
        bool told = self->trouble == FOB_VERSION || self->trouble == FOB_DENIED;
        return (fob_fate_t){
            .status = told ? self->trouble : FOB_UNREACHABLE,
            .text = trouble_text(self),
        };
    }
    const fob_hold_t *hold = hold_of(self, slot);
    if (!hold || hold->status == FOB_GAP)
        return (fob_fate_t){.status = FOB_DEADLINE};
    return (fob_fate_t){
        .status = hold->status,
        .text = fob_slice(hold->text, hold->text_size),
    };
}

/* When an event is given up. */
static int64_t end_of(const fob_slot_t *slot) {
    bool again = slot->stage == FOB_STAGE_SENT && slot->refused && !slot->doubt && !slot->past;
    return again && slot->deadline < FOB_NEVER - ENDING_GRACE ? slot->deadline + ENDING_GRACE
                                                              : slot->deadline;
}

void fob_session_expire(fob_session_t *self, fob_now_t now, bool all) {
    self->next_deadline = FOB_NEVER;
    for (fob_slot_t *slot = self->slots.first, *behind; slot; slot = behind) {
        behind = slot->behind;
        int64_t end = end_of(slot);
        if (slot->told)
            continue;
        if (all || end <= now.mono_ns) {
            const fob_fate_t fate = verdict(self, slot);
            fob_slot_take_out(self, slot, &fate);
        } else if (end < self->next_deadline)
            self->next_deadline = end;
    }
}

void fob_session_stop_if_failing(fob_session_t *self) {
    if (self->failing && !self->closed)
        fob_session_close(self);
}

void fob_session_close(fob_session_t *self) {
    for (fob_slot_t *slot = self->slots.first, *behind; slot; slot = behind) {
        behind = slot->behind;
        fob_fate_t fate = {.status = FOB_CLOSED};
        if (in_doubt(slot) && !slot->told)
            fate = (fob_fate_t){
                .status = FOB_UNKNOWN_OUTCOME,
                .text = doubt_text(self, "the publisher was closed before an answer came"),
            };
        fob_slot_finish(self, slot, &fate);
    }
    self->closed = true;
    self->up = false;
}
