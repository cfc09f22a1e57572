/* waiting: what the bus has refused for now. A topic that it is busy for waits, and the others go
 * on: its events take places of their own in the window, and where their wire numbers keep the
 * window of numbers from moving they give them up. */
#include "publishers/session_inside.h"

#define WAITING_ANSWERS (5 * FOB_MS) /* looks again, where an answer is still under way */

/* --- the window --- */

/* How many events may be under way, or wait for no refusal: the window; and where topics wait, half
 * of the places that these leave at the most. So however many topics wait, one after the other,
 * there are places for the next. */
static uint32_t flow_most(const fob_session_t *self) {
    uint32_t half = (self->slots.capacity - self->parked) / 2;
    return half < self->options.window ? half : self->options.window;
}

bool fob_session_room(fob_session_t *self, fob_slice_t topic) {
    uint32_t most = flow_most(self);
    const fob_hold_t *hold = fob_holds_of(&self->holds, topic);
    if (hold && hold->closed)
        return 2 * hold->parked < most && self->slots.count < self->slots.capacity;
    if (hold && 2 * hold->parked >= most)
        return false; /* offered again, and not yet taken: most may come back */
    return self->slots.count - self->parked < most;
}

static void park(fob_session_t *self, fob_slot_t *slot, fob_hold_t *hold) {
    uint8_t mark = fob_holds_mark(&self->holds, hold);
    if (slot->parked || !mark)
        return;
    slot->parked = mark;
    hold->parked++;
    self->parked++;
}

void fob_session_park(fob_session_t *self, fob_slot_t *slot, fob_slice_t topic) {
    if (!self->holds.closed)
        return;
    fob_hold_t *hold = fob_holds_of(&self->holds, topic);
    if (hold && hold->closed)
        park(self, slot, hold);
}

/* --- refusals --- */

/* A topic begins to wait: so does what of it was not sent yet. */
static void park_fresh(fob_session_t *self, fob_hold_t *hold) {
    fob_slice_t topic = fob_slice(hold->topic, hold->topic_size);
    for (fob_slot_t *slot = self->slots.first; slot; slot = slot->behind)
        if (!slot->wire && !slot->parked && fob_slice_eq(fob_slot_topic(slot), topic))
            park(self, slot, hold);
}

void fob_session_hold(fob_session_t *self, fob_now_t now, fob_slot_t *slot, fob_slice_t text,
                      int64_t retry_ns) {
    fob_slice_t topic = fob_slot_topic(slot);
    fob_hold_t *hold = fob_holds_of(&self->holds, topic);
    bool waits = hold && hold->closed;
    hold = fob_holds_close(&self->holds, now, &topic, FOB_BUSY, text, retry_ns);
    if (!waits && hold != &self->holds.all)
        park_fresh(self, hold);
    if (slot->told) {
        fob_slot_free(self, slot, FOB_WIRE_VOID); /* its deadline has passed meanwhile */
        return;
    }
    fob_slot_stage(self, slot, FOB_STAGE_HELD);
    slot->doubt = false;
    slot->refused = true;
    park(self, slot, hold);
    if (slot->deadline < self->next_deadline)
        self->next_deadline = slot->deadline;
}

/* --- again --- */

/* Whether an event of this topic (NULL: any) is under way: its answer may still be a refusal. */
static bool under_way(const fob_session_t *self, const fob_slice_t *topic) {
    if (!self->sent || !topic)
        return self->sent > 0;
    for (const fob_slot_t *slot = self->slots.first; slot; slot = slot->behind)
        if (slot->stage == FOB_STAGE_SENT && fob_slice_eq(fob_slot_topic(slot), *topic))
            return true;
    return false;
}

/* Whether a hold that was opened (of `topic`; NULL: the one of all) keeps this event no more. */
static bool freed(const fob_session_t *self, const fob_slot_t *slot, const fob_slice_t *topic) {
    fob_slice_t own = fob_slot_topic(slot);
    return topic ? fob_slice_eq(own, *topic) : !fob_holds_find(&self->holds, own);
}

static void held_ready(fob_session_t *self, const fob_slice_t *topic) {
    for (fob_slot_t *slot = self->slots.first; slot; slot = slot->behind)
        if (slot->stage == FOB_STAGE_HELD && freed(self, slot, topic))
            fob_slot_stage(self, slot, FOB_STAGE_READY);
    self->resend = self->low;
    self->fresh = self->slots.first;
}

/* Once its time has come and no answer to an earlier offer is missing: a later event of the topic
 * must not overtake one whose refusal is still on its way. */
static void hold_open(fob_session_t *self, fob_now_t now, fob_hold_t *hold) {
    if (!hold->closed || hold->retry_at > now.mono_ns)
        return;
    bool all = hold == &self->holds.all;
    fob_slice_t topic = fob_slice(hold->topic, hold->topic_size);
    if (under_way(self, all ? NULL : &topic)) {
        hold->retry_at = now.mono_ns + WAITING_ANSWERS;
        return;
    }
    hold->closed = false;
    self->holds.closed--;
    held_ready(self, all ? NULL : &topic);
}

/* Whether all of a topic's events that have wire numbers are refused: none is under way, or to be
 * sent again first. */
static bool all_held(const fob_session_t *self, fob_slice_t topic) {
    for (const fob_slot_t *slot = self->slots.first; slot; slot = slot->behind)
        if (slot->wire && slot->stage != FOB_STAGE_HELD &&
            fob_slice_eq(fob_slot_topic(slot), topic))
            return false;
    return true;
}

/* The lowest number without an answer is one of a topic that waits, and half of the numbers that
 * the bus takes beyond it are given: the other topics would soon have to stop. So the topic's
 * events give their numbers up, which voids use up, and get new ones when they are offered again:
 * all of them or none, as it is by their numbers that they are sent in order. */
static void numbers_give_up(fob_session_t *self) {
    if (2 * (self->next_wire - self->low) <= self->wire_window)
        return;
    const fob_slot_t *low = fob_slot_by_wire(self, self->low);
    if (!low || low->stage != FOB_STAGE_HELD)
        return;
    fob_slice_t topic = fob_slot_topic(low);
    const fob_hold_t *hold = fob_holds_of(&self->holds, topic);
    if (!hold || !hold->closed || !all_held(self, topic))
        return;
    for (fob_slot_t *slot = self->slots.first; slot; slot = slot->behind) {
        if (slot->stage != FOB_STAGE_HELD || !fob_slice_eq(fob_slot_topic(slot), topic))
            continue;
        *fob_wire_at(self, slot->wire) = FOB_WIRE_VOID;
        slot->wire = 0;
        fob_slot_stage(self, slot, FOB_STAGE_READY);
    }
    self->resend = self->low;
    self->fresh = self->slots.first;
}

void fob_session_open_due(fob_session_t *self, fob_now_t now) {
    if (!self->holds.closed || !self->up)
        return;
    if (!self->holds.all.closed)
        numbers_give_up(self);
    hold_open(self, now, &self->holds.all);
    for (unsigned i = 0; i < FOB_HOLDS && !self->holds.all.closed; i++)
        hold_open(self, now, &self->holds.topics[i]);
}
