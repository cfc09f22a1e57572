/* answers: what the bus says of the numbers that were sent. Each answer is for numbers that are
 * SENT; any other is of an earlier life and is passed over. */
#include "proto/planted.h"
#include "publishers/session_inside.h"

#include <inttypes.h>
#include <stdio.h>

#define ANSWERS_RETRY     1000 /* ms, where BUSY names no time */
#define ANSWERS_RETRY_MAX 60000
#define ANSWERS_GAP_WAIT  (10 * FOB_MS)
#define ANSWERS_GAPS      8 /* GAPs with nothing stored between: the session is beyond repair */

typedef struct {
    fob_slice_t text, group;
    uint64_t retry_ms, depth, limit;
    bool duplicate, differs;
} detail_t;

static void detail_field(fob_cursor_t *cursor, fob_slice_t name, detail_t *out) {
    if (fob_slice_eq(name, fob_slice_str("text")))
        fob_cursor_str(cursor, &out->text);
    else if (fob_slice_eq(name, fob_slice_str("group")))
        fob_cursor_str(cursor, &out->group);
    else if (fob_slice_eq(name, fob_slice_str("retry_after")))
        fob_cursor_uint(cursor, &out->retry_ms);
    else if (fob_slice_eq(name, fob_slice_str("depth")))
        fob_cursor_uint(cursor, &out->depth);
    else if (fob_slice_eq(name, fob_slice_str("limit")))
        fob_cursor_uint(cursor, &out->limit);
    else if (fob_slice_eq(name, fob_slice_str("duplicate")))
        fob_cursor_bool(cursor, &out->duplicate);
    else if (fob_slice_eq(name, fob_slice_str("differs")))
        fob_cursor_bool(cursor, &out->differs);
    else
        fob_cursor_skip(cursor, NULL);
}

/* The map of details, of which nothing has to be there. */
static detail_t detail_read(fob_slice_t raw) {
    detail_t out = {.retry_ms = ANSWERS_RETRY};
    fob_cursor_t cursor = fob_cursor(raw);
    fob_slice_t name;
    uint32_t count;
    if (!raw.size || !fob_cursor_map(&cursor, &count))
        return out;
    while (count-- > 0 && fob_cursor_str(&cursor, &name))
        detail_field(&cursor, name, &out);
    if (out.retry_ms > ANSWERS_RETRY_MAX)
        out.retry_ms = ANSWERS_RETRY_MAX;
    return out;
}

static void on_stored(fob_session_t *self, fob_slot_t *slot, const fob_run_t *run,
                      const detail_t *detail) {
    const fob_fate_t fate = {.status = FOB_OK,
                             .offset = run->at[3] +
                                       (FOB_PLANTED(RECEIPT_SHIFTED) ? 0 : slot->wire - run->at[1]),
                             .groups = (uint32_t)run->at[4],
                             .duplicate = detail->duplicate,
                             .differs = detail->differs};
    self->gaps = 0;
    /* A duplicate is not stored under its number: the bus may not count it as the session's last.
     */
    if (slot->wire > self->stored && !detail->duplicate)
        self->stored = slot->wire;
    if (self->holds.count)
        fob_holds_stored(&self->holds, fob_slot_topic(slot));
    fob_slot_finish(self, slot, &fate);
}

/* It never came, on this connection. On an earlier one it may have. */
static void missing(fob_session_t *self, fob_slot_t *slot) {
    if (slot->told)
        fob_slot_free(self, slot, FOB_WIRE_VOID);
    else
        fob_slot_stage(self, slot, FOB_STAGE_HELD);
}

/* Refused for now, with all others: so this session has not stored it, whatever was in doubt. */
static void held(fob_session_t *self, fob_slot_t *slot) {
    slot->doubt = false;
    missing(self, slot);
}

static void hold_all(fob_session_t *self, fob_now_t now, fob_status_t status,
                     const detail_t *detail) {
    fob_holds_close(&self->holds, now, NULL, status, detail->text,
                    (int64_t)detail->retry_ms * FOB_MS);
}

/* In words, where the bus gave none. */
static void on_busy(fob_session_t *self, fob_now_t now, fob_slot_t *slot, const detail_t *detail) {
    char words[FOB_HOLD_TEXT];
    fob_slice_t text = detail->text;
    if (!text.size && detail->group.size) {
        int size = snprintf(words, sizeof words, "group %.*s is full (%" PRIu64 " of %" PRIu64 ")",
                            (int)(detail->group.size < 200 ? detail->group.size : 200),
                            (const char *)detail->group.data, detail->depth, detail->limit);
        text = fob_slice(words, (size_t)size);
    }
    fob_session_hold(self, now, slot, text, (int64_t)detail->retry_ms * FOB_MS);
}

/* The bus wants numbers that it never got: all up to `wire` that have no answer are lost too. */
static void on_gap(fob_session_t *self, fob_now_t now, uint64_t wire) {
    bool any = false;
    for (uint64_t below = self->low; below <= wire; below++) {
        fob_slot_t *slot = fob_slot_by_wire(self, below);
        if (slot && slot->stage == FOB_STAGE_SENT)
            missing(self, slot);
        else if (!slot && *fob_wire_at(self, below) == FOB_WIRE_VOID_SENT)
            *fob_wire_at(self, below) = FOB_WIRE_VOID;
        else
            continue;
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
static void on_unknown(fob_session_t *self, fob_slot_t *slot, uint64_t code, fob_slice_t why) {
    char text[FOB_RECEIPT_TEXT];
    int size =
        snprintf(text, sizeof text,
                 "the bus refused it with code %" PRIu64 ", which this version does not know%s%.*s",
                 code, why.size ? ": " : "", (int)(why.size < 200 ? why.size : 200),
                 why.size ? (const char *)why.data : "");
    const fob_fate_t fate = {.status = fob_wire_status(code),
                             .text = fob_slice(text, (size_t)size)};
    fob_slot_finish(self, slot, &fate);
}

static void on_answer(fob_session_t *self, fob_now_t now, fob_slot_t *slot, const fob_run_t *run,
                      const detail_t *detail) {
    const fob_fate_t refused = {.status = fob_wire_status(run->at[0]), .text = detail->text};
    switch (refused.status) {
    case FOB_OK:
        on_stored(self, slot, run, detail);
        break;
    case FOB_BUSY:
        on_busy(self, now, slot, detail);
        break;
    case FOB_DISK_FULL:
    case FOB_STOPPING:
        held(self, slot);
        hold_all(self, now, refused.status, detail);
        break;
    case FOB_FORGOTTEN:
        fob_session_renew(self);
        break;
    default:
        if (slot->past && refused.status == FOB_TOO_LARGE)
            fob_slot_finish(self, slot, &(fob_fate_t){.status = FOB_UNKNOWN_OUTCOME});
        else if (!fob_wire_status_known(refused.status))
            on_unknown(self, slot, run->at[0], detail->text);
        else
            fob_slot_finish(self, slot, &refused);
        break;
    }
}

/* To a void: any final answer uses its number up. It is refused for good by its bytes, so another
 * refusal means that nothing is taken now. */
static void on_void(fob_session_t *self, fob_now_t now, uint64_t wire, fob_status_t status,
                    const detail_t *detail) {
    bool later = status == FOB_BUSY || status == FOB_DISK_FULL || status == FOB_STOPPING;
    if (status == FOB_FORGOTTEN) {
        fob_session_renew(self);
        return;
    }
    *fob_wire_at(self, wire) = later ? FOB_WIRE_VOID : 0;
    if (later)
        hold_all(self, now, status, detail);
    fob_session_low(self);
}

static void on_number(fob_session_t *self, fob_now_t now, uint64_t wire, const fob_run_t *run,
                      const detail_t *detail) {
    fob_slot_t *slot = fob_slot_by_wire(self, wire);
    if (slot && slot->stage == FOB_STAGE_SENT)
        on_answer(self, now, slot, run, detail);
    else if (!slot && *fob_wire_at(self, wire) == FOB_WIRE_VOID_SENT)
        on_void(self, now, wire, fob_wire_status(run->at[0]), detail);
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
    for (uint64_t wire = first; wire < first + count && !self->renew; wire++)
        on_number(self, now, wire, run, &detail);
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
