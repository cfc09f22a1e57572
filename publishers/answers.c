/* answers: what the bus says of the numbers that were sent. Each answer is for numbers that are
 * SENT; any other is of an earlier life and is passed over. */
#include "publishers/session_inside.h"

#include <inttypes.h>
#include <stdio.h>

#define ANSWERS_RETRY    1000 /* ms, where BUSY names no time */
#define ANSWERS_GAP_WAIT (10 * FOB_MS)
#define ANSWERS_GAPS     8 /* GAPs with nothing stored between: the session is beyond repair */

typedef struct {
    fob_slice_t text;
    uint64_t retry_ms;
} detail_t;

/* The map of details, of which nothing has to be there. */
static detail_t detail_read(fob_slice_t raw) {
    detail_t out = {.retry_ms = ANSWERS_RETRY};
    fob_cursor_t cursor = fob_cursor(raw);
    uint32_t count;
    if (!raw.size || !fob_cursor_map(&cursor, &count))
        return out;
    while (count-- > 0 && !cursor.failed) {
        fob_slice_t name;
        if (!fob_cursor_str(&cursor, &name))
            break;
        if (fob_slice_eq(name, fob_slice_str("text")))
            fob_cursor_str(&cursor, &out.text);
        else if (fob_slice_eq(name, fob_slice_str("retry_after")))
            fob_cursor_uint(&cursor, &out.retry_ms);
        else
            fob_cursor_skip(&cursor, NULL);
    }
    if (out.retry_ms > 60000)
        out.retry_ms = 60000;
    return out;
}

static void on_stored(fob_session_t *self, uint64_t number, uint64_t offset, uint32_t groups) {
    const fob_slot_t *slot = fob_slot(self, number);
    self->gaps = 0;
    if (slot->wire > self->stored)
        self->stored = slot->wire;
    if (self->holds.count && !slot->is_void)
        fob_holds_stored(&self->holds, fob_slot_topic(slot));
    fob_slot_finish(self, number, FOB_OK, (fob_slice_t){0}, offset, groups);
}

/* Refused for now: so it is not stored, whatever was in doubt before. */
static void held(fob_session_t *self, fob_slot_t *slot) {
    fob_slot_stage(self, slot, FOB_STAGE_HELD);
    slot->doubt = false;
}

static void on_busy(fob_session_t *self, fob_now_t now, fob_slot_t *slot, const detail_t *detail) {
    held(self, slot);
    if (slot->is_void) {
        /* It waits for no topic; it goes with the next that is offered again. */
        fob_holds_close(&self->holds, now, NULL, FOB_GAP, detail->text, 0);
        return;
    }
    fob_slice_t topic = fob_slot_topic(slot);
    fob_holds_close(&self->holds, now, &topic, FOB_BUSY, detail->text,
                    (int64_t)detail->retry_ms * FOB_MS);
}

/* The bus wants numbers that it never got: all up to `wire` that have no answer are lost too. */
static void on_gap(fob_session_t *self, fob_now_t now, uint64_t wire) {
    bool any = false;
    for (uint64_t below = self->low; below <= wire; below++) {
        uint64_t number;
        fob_slot_t *slot = fob_slot_by_wire(self, below, &number);
        if (!slot || slot->stage != FOB_STAGE_SENT)
            continue;
        fob_slot_stage(self, slot, FOB_STAGE_HELD);
        any = true;
    }
    if (any && !self->holds.all.closed)
        self->gaps++;
    if (any)
        fob_holds_close(&self->holds, now, NULL, FOB_GAP, (fob_slice_t){0}, ANSWERS_GAP_WAIT);
    if (self->gaps > ANSWERS_GAPS)
        fob_session_renew(self);
}

/* A later version's code is final. The receipt's text tells it, as the status has no name. */
static void on_unknown(fob_session_t *self, uint64_t number, uint64_t code, fob_slice_t why) {
    char text[FOB_RECEIPT_TEXT];
    int size =
        snprintf(text, sizeof text,
                 "the bus refused it with code %" PRIu64 ", which this version does not know%s%.*s",
                 code, why.size ? ": " : "", (int)(why.size < 200 ? why.size : 200),
                 why.size ? (const char *)why.data : "");
    fob_slice_t whole = fob_slice(text, (size_t)size);
    fob_slot_finish(self, number, fob_wire_status(code), whole, 0, 0);
}

static void on_answer(fob_session_t *self, fob_now_t now, uint64_t number, const fob_run_t *run,
                      const detail_t *detail) {
    fob_slot_t *slot = fob_slot(self, number);
    fob_status_t status = fob_wire_status(run->at[0]);
    switch (status) {
    case FOB_OK:
        on_stored(self, number, run->at[3] + (slot->wire - run->at[1]), (uint32_t)run->at[4]);
        break;
    case FOB_BUSY:
        on_busy(self, now, slot, detail);
        break;
    case FOB_DISK_FULL:
    case FOB_STOPPING:
        held(self, slot);
        fob_holds_close(&self->holds, now, NULL, status, detail->text,
                        (int64_t)detail->retry_ms * FOB_MS);
        break;
    case FOB_FORGOTTEN:
        fob_session_renew(self);
        break;
    default:
        if (!fob_wire_status_known(status))
            on_unknown(self, number, run->at[0], detail->text);
        else
            fob_slot_finish(self, number, status, detail->text, 0, 0);
        break;
    }
}

static void on_run(fob_session_t *self, fob_now_t now, const fob_run_t *run) {
    detail_t detail = detail_read(run->detail);
    uint64_t first = run->at[1], count = run->at[2];
    if (first >= self->next_wire)
        return;
    if (count > self->next_wire - first)
        count = self->next_wire - first;
    if (first < self->low) {
        uint64_t known = self->low - first;
        count = count > known ? count - known : 0;
        first = self->low;
    }
    if (count && run->at[0] == FOB_GAP) {
        on_gap(self, now, first + count - 1);
        return;
    }
    for (uint64_t wire = first; wire < first + count && !self->renew; wire++) {
        uint64_t number;
        const fob_slot_t *slot = fob_slot_by_wire(self, wire, &number);
        if (slot && slot->stage == FOB_STAGE_SENT)
            on_answer(self, now, number, run, &detail);
    }
}

void fob_session_input(fob_session_t *self, fob_now_t now, const fob_wire_t *msg) {
    fob_runs_t runs;
    fob_run_t run;
    if (msg->verb != FOB_VERB_RECEIPT || !self->up || self->renew || !fob_runs(msg->runs, &runs))
        return;
    while (fob_runs_next(&runs, &run) && !self->renew)
        on_run(self, now, &run);
    fob_session_stop_if_failing(self);
}
