#include "subscribers/lease/settles.h"

#include "proto/planted.h"
#include "proto/ring.h"
#include "subscribers/lease/overlap.h"

#include <assert.h>
#include <stdlib.h>

#define NEIGHBOURS 8 /* rows looked at for one to join: jobs finish nearly in order */

static fob_settle_row_t *row_at(const fob_settles_t *self, size_t index) {
    return &self->ring[(self->head + index) & (self->capacity - 1)];
}

static fob_settle_batch_t *batch_at(const fob_settles_t *self, size_t index) {
    return &self->batches[(self->batch_head + index) & (self->batch_capacity - 1)];
}

/* Forgets all rows but the first so many. */
static void rows_forget(fob_settles_t *self, size_t but) {
    while (self->rows > but)
        fob_reason_drop(&row_at(self, --self->rows)->reason);
}

/* Room for one more row. */
static bool reserve(fob_settles_t *self) {
    fob_settle_row_t *ring =
        fob_ring_reserve(self->ring, sizeof *ring, &self->capacity, &self->head, self->rows, 1);
    if (!ring)
        return false;
    self->ring = ring;
    return true;
}

static bool alike(const fob_settle_row_t *row, const fob_settle_how_t *how) {
    return row->kind == how->kind && row->after == how->after && !row->again && row->count &&
           !row->ended && !how->ended && fob_reason_is(row->reason, how->reason);
}

static bool join(fob_settle_row_t *row, const fob_settle_how_t *how, uint64_t offset,
                 uint64_t token, uint64_t count) {
    bool behind = row->offset + row->count == offset &&
                  (row->token + row->count == token || FOB_PLANTED(SETTLE_OF_OTHERS));
    bool before = offset + count == row->offset && token + count == row->token;
    if ((!behind && !before) || !alike(row, how))
        return false;
    row->count += count;
    if (before) {
        row->offset = offset;
        row->token = token;
    }
    return true;
}

/* The reason of the new row: often that of the one before it. */
static fob_words_t *reason_for(const fob_settles_t *self, fob_slice_t text) {
    if (!text.size)
        return NULL;
    fob_words_t *last = self->rows ? row_at(self, self->rows - 1)->reason : NULL;
    return last && fob_reason_is(last, text) ? fob_reason_hold(last) : fob_reason_new(text);
}

bool fob_settles_add(fob_settles_t *self, const fob_settle_how_t *how, uint64_t offset,
                     uint64_t token, uint64_t count) {
    assert(count > 0);
    size_t unsent = fob_settles_unsent(self);
    bool added = false;
    for (size_t back = 1; back <= unsent && back <= NEIGHBOURS && !added; back++)
        added = join(row_at(self, self->rows - back), how, offset, token, count);
    if (!added) {
        if (!reserve(self))
            return false;
        bool other =
            FOB_PLANTED(ACK_SENT_AS_RELEASE) && how->kind == FOB_KIND_ACK && token % 64 == 0;
        fob_words_t *reason = reason_for(self, how->reason);
        *row_at(self, self->rows++) =
            (fob_settle_row_t){.offset = offset,
                               .token = token,
                               .count = count,
                               .after = how->after,
                               .reason = reason,
                               .kind = other ? FOB_KIND_RELEASE : (uint8_t)how->kind,
                               .ended = how->ended};
    }
    self->unsent_events += count;
    return true;
}

static bool reserve_batch(fob_settles_t *self) {
    fob_settle_batch_t *batches =
        fob_ring_reserve(self->batches, sizeof *batches, &self->batch_capacity, &self->batch_head,
                         self->batch_count, 1);
    if (!batches)
        return false;
    self->batches = batches;
    return true;
}

/* Bytes of a row's encoding at the most: the head and the kind, and integers. */
static size_t row_bytes(const fob_settle_row_t *row) {
    return 2 + 9 * (row->after ? 4 : 3);
}

/* How many rows from the first unsent one on go into one SETTLE; *of gets the one that has its
 * reason, or NULL. */
static size_t rows_together(const fob_settles_t *self, const fob_settle_row_t **of) {
    size_t unsent = fob_settles_unsent(self), count = 0, bytes = 0;
    *of = NULL;
    for (; count < unsent && count < FOB_SETTLES_ROWS; count++) {
        const fob_settle_row_t *row = row_at(self, self->sent + count);
        if ((bytes += row_bytes(row)) > FOB_SETTLES_BYTES)
            break;
        if (!row->count || row->kind == FOB_KIND_ACK)
            continue;
        if (*of && !fob_reason_is(row->reason, fob_reason_text((*of)->reason)))
            break;
        *of = row;
    }
    return count;
}

static void row_pack(fob_buf_t *runs, const fob_settle_row_t *row) {
    const uint64_t at[] = {row->kind, row->offset, row->count, row->token, row->after};
    fob_run_write(runs, at, row->after ? 5 : 4);
}

uint64_t fob_settles_send(fob_settles_t *self, fob_buf_t *runs, fob_slice_t *reason) {
    const fob_settle_row_t *of;
    size_t rows = rows_together(self, &of), packed = 0;
    if (!reserve_batch(self))
        return 0;
    fob_settle_batch_t batch = {.rows = rows};
    for (size_t i = 0; i < rows; i++)
        packed += row_at(self, self->sent + i)->count > 0;
    fob_pack_array(runs, packed);
    for (size_t i = 0; i < rows; i++) {
        const fob_settle_row_t *row = row_at(self, self->sent + i);
        batch.events += row->count;
        batch.ended += row->ended ? row->count : 0;
        if (row->count)
            row_pack(runs, row);
    }
    if (runs->failed)
        return 0;
    *reason = of ? fob_reason_text(of->reason) : (fob_slice_t){0};
    self->sent += rows;
    self->unsent_events -= batch.events;
    self->sent_events += batch.events;
    *batch_at(self, self->batch_count++) = batch;
    return ++self->seq;
}

/* How many events of the batch the answer refuses. */
static uint64_t refused_of(const fob_settle_batch_t *batch, fob_slice_t refused) {
    fob_runs_t runs;
    fob_run_t run;
    uint64_t left = batch->events, count = 0;
    if (!refused.size || !fob_runs(refused, &runs))
        return 0;
    while (left && fob_runs_next(&runs, &run)) {
        uint64_t of_run = run.at[2] < left ? run.at[2] : left;
        left -= of_run;
        count += of_run;
    }
    return count > batch->ended ? count - batch->ended : 0;
}

static void pop_answered(fob_settles_t *self) {
    while (self->batch_count && batch_at(self, 0)->answered) {
        size_t rows = (size_t)batch_at(self, 0)->rows;
        self->batch_head = (self->batch_head + 1) & (self->batch_capacity - 1);
        self->batch_count--;
        for (size_t i = 0; i < rows; i++)
            fob_reason_drop(&row_at(self, i)->reason);
        self->head = (self->head + rows) & (self->capacity ? self->capacity - 1 : 0);
        self->rows -= rows;
        self->sent -= rows;
    }
}

uint64_t fob_settles_answer(fob_settles_t *self, uint64_t seq, fob_slice_t refused) {
    uint64_t first = self->seq - self->batch_count + 1; /* of those under way */
    if (seq < first || seq > self->seq)
        return 0;
    fob_settle_batch_t *batch = batch_at(self, (size_t)(seq - first));
    if (batch->answered)
        return 0;
    uint64_t count = refused_of(batch, refused);
    batch->answered = true;
    self->sent_events -= batch->events;
    pop_answered(self);
    return count;
}

void fob_settles_requeue(fob_settles_t *self) {
    size_t row = 0, kept = 0;
    for (size_t i = 0; i < self->batch_count; i++) {
        const fob_settle_batch_t *batch = batch_at(self, i);
        for (uint64_t n = 0; n < batch->rows; n++, row++) {
            if (batch->answered)
                row_at(self, row)->count = 0;
            row_at(self, row)->again = true;
        }
    }
    self->unsent_events = self->sent_events = 0;
    for (row = 0; row < self->rows; row++) {
        if (!row_at(self, row)->count || row_at(self, row)->ended) {
            fob_reason_drop(&row_at(self, row)->reason);
            continue;
        }
        self->unsent_events += row_at(self, row)->count;
        *row_at(self, kept++) = *row_at(self, row);
    }
    self->rows = kept;
    self->sent = self->batch_count = self->batch_head = 0;
    self->seq = 0;
}

/* Cuts [from, from + gone) out of a row; the rest behind it becomes a row of its own. */
static bool cut(fob_settles_t *self, size_t index, uint64_t from, uint64_t gone) {
    fob_settle_row_t rest = *row_at(self, index);
    rest.offset += from + gone;
    rest.token += from + gone;
    rest.count -= from + gone;
    if (from && rest.count) {
        if (!reserve(self))
            return false;
        fob_reason_hold(rest.reason);
        *row_at(self, self->rows++) = rest;
    }
    fob_settle_row_t *row = row_at(self, index);
    if (from)
        row->count = from;
    else
        *row = rest;
    return true;
}

/* Whether the settle itself may have made the bus say so: it took effect, and its answer
 * was lost. */
static bool may_be_done(const fob_settle_row_t *row, fob_status_t code) {
    bool back = row->kind == FOB_KIND_RETRY || row->kind == FOB_KIND_RELEASE;
    return row->again && (back || code == FOB_GONE);
}

uint64_t fob_settles_drop(fob_settles_t *self, fob_status_t code, uint64_t offset, uint64_t count,
                          uint64_t token) {
    const fob_lease_range_t range = {offset, token, count};
    uint64_t dropped = 0, refused = 0;
    for (size_t i = self->sent; i < self->rows; i++) {
        const fob_settle_row_t *row = row_at(self, i);
        const fob_lease_range_t of = {row->offset, row->token, row->count};
        uint64_t from, gone;
        if (!fob_lease_overlap(&of, &range, &from, &gone))
            continue;
        bool done = may_be_done(row, code);
        if (!cut(self, i, from, gone))
            continue;
        dropped += gone;
        refused += done ? 0 : gone;
    }
    self->unsent_events -= dropped;
    if (!self->unsent_events)
        rows_forget(self, self->sent); /* what is left is empty rows */
    return refused;
}

const fob_settle_row_t *fob_settles_at(const fob_settles_t *self, size_t index) {
    return index < self->rows ? row_at(self, index) : NULL;
}

bool fob_settles_idle(const fob_settles_t *self) {
    return !self->rows && !self->batch_count;
}

uint64_t fob_settles_clear(fob_settles_t *self) {
    fob_settles_requeue(self);
    uint64_t events = self->unsent_events;
    rows_forget(self, 0);
    self->unsent_events = 0;
    return events;
}

void fob_settles_free(fob_settles_t *self) {
    rows_forget(self, 0);
    free(self->ring);
    free(self->batches);
    *self = (fob_settles_t){0};
}
