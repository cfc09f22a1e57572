/* receipt: the answer to an offer: rows of numbers, in as many messages as it takes. */
#include "bus/core/publish/offer.h"

#include <assert.h>
#include <stdio.h>

#define ROWS_MAX  1500  /* in one RECEIPT */
#define BYTES_MAX 62000 /* of its rows: so that the header stays below its limit */
#define DETAILS   720   /* bytes of the details of a refusal, at most */

#define CROWDED_RETRY 1000 /* ms */

size_t fob_receipt_details(const fob_group_t *group) {
    return group ? 2 * group->name.size + DETAILS - 2 * FOB_NAME_MAX : 0;
}

size_t fob_receipt_effects(size_t rows, size_t bytes) {
    return rows / ROWS_MAX + bytes / (BYTES_MAX - DETAILS - FOB_RECEIPT_ROW) + 1;
}

bool fob_receipt_reserve(fob_receipt_t *self, fob_core_t *core, uint64_t conn, size_t rows,
                         size_t bytes) {
    *self = (fob_receipt_t){.core = core, .conn = conn};
    fob_open_turn_t *turn = fob_core_open(core);
    fob_buf_clear(&core->rows);
    fob_buf_clear(&core->row_heads);
    self->effects_left = (uint32_t)fob_receipt_effects(rows, bytes);
    if (!turn || !fob_turn_reserve(turn, 0, self->effects_left, 0, 0) ||
        !fob_buf_room(&core->rows, BYTES_MAX) || !fob_buf_room(&core->row_heads, 16))
        return false;
    self->area = fob_turn_bytes(turn, bytes + (size_t)self->effects_left * 8);
    return self->area != NULL;
}

static void send(fob_receipt_t *self) {
    fob_core_t *core = self->core;
    assert(self->rows > 0 && self->effects_left > 0 && !core->rows.failed);
    self->effects_left--;
    fob_buf_clear(&core->row_heads);
    fob_pack_array(&core->row_heads, self->rows);
    size_t head = core->row_heads.size, size = head + core->rows.size;
    memcpy(self->area, core->row_heads.data, head);
    memcpy(self->area + head, core->rows.data, core->rows.size);
    fob_effect_t *effect = fob_turn_effect(core->open, FOB_EFF_RECEIPT);
    effect->conn = self->conn;
    effect->after = self->after;
    effect->runs = fob_slice(self->area, size);
    self->area += size;
    fob_buf_clear(&core->rows);
    self->rows = 0;
}

/* --- details --- */

static void put_busy(fob_receipt_t *self, fob_buf_t *out) {
    fob_busy_t busy;
    fob_limits_tell(self->core, self->group, self->row[2], self->flags & FOB_BUSY_BEHIND, &busy);
    fob_pack_map(out, 5);
    fob_pack_cstr(out, "group");
    fob_pack_str(out, self->group->name);
    fob_pack_cstr(out, "text");
    fob_pack_cstr(out, busy.text);
    fob_pack_cstr(out, "retry_after");
    fob_pack_uint(out, busy.retry_ms);
    fob_pack_cstr(out, "depth");
    fob_pack_uint(out, busy.depth);
    fob_pack_cstr(out, "limit");
    fob_pack_uint(out, busy.limit);
}

static void put_full_disk(fob_receipt_t *self, fob_buf_t *out) {
    char text[FOB_BUSY_TEXT];
    fob_limits_tell_holder(self->core, self->group, text);
    fob_pack_map(out, 2);
    fob_pack_cstr(out, "group");
    fob_pack_str(out, self->group->name);
    fob_pack_cstr(out, "text");
    fob_pack_cstr(out, text);
}

static void put_crowded(const fob_receipt_t *self, fob_buf_t *out) {
    char text[FOB_RECEIPT_CROWDED / 2];
    const fob_writers_t *writers = &self->core->writers;
    snprintf(
        text, sizeof text,
        "the bus keeps %u publisher sessions at the most, and cannot forget one now: use fewer "
        "publishers, and each for longer",
        writers->max);
    fob_pack_map(out, 4);
    fob_pack_cstr(out, "text");
    fob_pack_cstr(out, text);
    fob_pack_cstr(out, "retry_after");
    fob_pack_uint(out, CROWDED_RETRY);
    fob_pack_cstr(out, "depth");
    fob_pack_uint(out, writers->count);
    fob_pack_cstr(out, "limit");
    fob_pack_uint(out, writers->max);
}

static void put_duplicate(const fob_receipt_t *self, fob_buf_t *out) {
    bool differs = self->flags & FOB_ANSWER_DIFFERS;
    fob_pack_map(out, differs ? 2 : 1);
    fob_pack_cstr(out, "duplicate");
    fob_pack_bool(out, true);
    if (!differs)
        return;
    fob_pack_cstr(out, "differs");
    fob_pack_bool(out, true);
}

static void put_row(fob_receipt_t *self) {
    fob_buf_t *out = &self->core->rows;
    bool duplicate = self->row[0] == FOB_OK && self->flags & FOB_ANSWER_DUPLICATE;
    bool crowded = self->row[0] == FOB_BUSY && !self->group && self->flags & FOB_BUSY_SESSIONS;
    if (!self->group && !duplicate && !crowded) {
        fob_run_write(out, self->row, 5);
        return;
    }
    fob_pack_array(out, 6);
    for (unsigned i = 0; i < 5; i++)
        fob_pack_uint(out, self->row[i]);
    if (duplicate)
        put_duplicate(self, out);
    else if (crowded)
        put_crowded(self, out);
    else if (self->row[0] == FOB_DISK_FULL)
        put_full_disk(self, out);
    else
        put_busy(self, out);
}

/* --- rows --- */

static void flush(fob_receipt_t *self) {
    if (self->row[2] == 0)
        return;
    size_t most = FOB_RECEIPT_ROW + fob_receipt_details(self->group);
    if (self->rows == ROWS_MAX || self->core->rows.size + most > BYTES_MAX)
        send(self);
    put_row(self);
    self->rows++;
    self->row[2] = 0;
}

/* Of refusals the first one's flags tell for all. */
static bool joins(const fob_receipt_t *self, fob_status_t status, const fob_answer_t *answer,
                  const fob_group_t *group) {
    const uint64_t *last = self->row;
    if (last[2] == 0 || last[0] != (uint64_t)status || last[1] + last[2] != answer->number)
        return false;
    return status == FOB_OK ? last[3] + last[2] == answer->offset && last[4] == answer->groups &&
                                  self->flags == answer->flags
                            : self->group == group;
}

void fob_receipt_add(fob_receipt_t *self, fob_status_t status, const fob_answer_t *answer,
                     fob_group_t *group) {
    if (joins(self, status, answer, group)) {
        self->row[2] += answer->count;
        return;
    }
    flush(self);
    uint64_t row[5] = {(uint64_t)status, answer->number, answer->count, answer->offset,
                       answer->groups};
    memcpy(self->row, row, sizeof row);
    self->flags = answer->flags;
    self->group = group;
}

void fob_receipt_known(fob_receipt_t *self, const uint8_t *session, uint64_t number,
                       uint64_t count) {
    const fob_writer_t *writer = fob_writers_find(&self->core->writers, session);
    uint64_t end = number + count;
    assert(writer);
    for (uint32_t at = fob_writer_search(writer, number); number < end; at++) {
        assert(at < writer->count && fob_writer_at(writer, at)->number <= number);
        fob_answer_t part = *fob_writer_at(writer, at);
        uint64_t to = part.number + part.count < end ? part.number + part.count : end;
        part.offset += number - part.number;
        part.number = number;
        part.count = (uint32_t)(to - number);
        fob_receipt_add(self, FOB_OK, &part, NULL);
        number = to;
    }
}

void fob_receipt_end(fob_receipt_t *self) {
    flush(self);
    send(self);
}
