#include "bus/fetch/gather.h"

#include "proto/topic.h"
#include "proto/wire.h"

#include <assert.h>

/* --- what is gone --- */

bool fob_gone_add(fob_gone_t *self, uint64_t first, uint64_t last) {
    size_t n = self->count;
    assert(first <= last && (n == 0 || first > self->last[n - 1]));
    if (n > 0 && self->last[n - 1] + 1 == first) {
        self->last[n - 1] = last;
        return true;
    }
    if (n == FOB_GATHER_GONE)
        return false;
    self->first[n] = first;
    self->last[n] = last;
    self->count++;
    return true;
}

void fob_gone_write(const fob_gone_t *self, fob_buf_t *out) {
    fob_pack_array(out, self->count);
    for (size_t i = 0; i < self->count; i++)
        fob_run_write(out, (const uint64_t[]){self->first[i], self->last[i]}, 2);
}

/* --- events --- */

void fob_gather_begin(fob_gather_t *self) {
    self->run_count = 0;
    self->events = self->looked = self->bytes = 0;
}

/* One event of a piece. False: there is no place for it. */
static bool add(fob_gather_t *self, const fob_piece_t *piece, uint64_t offset, fob_slice_t event,
                const fob_wanted_t *wanted) {
    size_t n = self->run_count;
    bool joins = n > 0 && self->runs[n - 1].offset + self->runs[n - 1].count == offset &&
                 self->runs[n - 1].bytes.data + self->runs[n - 1].bytes.size == event.data;
    if (self->events >= wanted->limit || (!joins && n == FOB_GATHER_RUNS) ||
        (!wanted->dry && self->events > 0 && self->bytes + event.size > FOB_GATHER_BYTES))
        return false;
    if (joins) {
        self->runs[n - 1].count++;
        self->runs[n - 1].bytes.size += event.size;
    } else {
        self->runs[n].offset = offset;
        self->runs[n].count = 1;
        self->runs[n].time_ms = piece->time_ms;
        self->runs[n].bytes = event;
        self->run_count++;
    }
    self->events++;
    self->bytes += wanted->dry ? 0 : event.size;
    return true;
}

/* Of one record; *next..end - 1 are its own. True: full. */
static bool look_at_events(fob_gather_t *self, const fob_past_t *past, const fob_piece_t *piece,
                           const fob_wanted_t *wanted, uint64_t *next, uint64_t end) {
    uint32_t judged = UINT32_MAX; /* the topic that was matched last */
    bool match = false;
    for (; *next < end; (*next)++, self->looked++) {
        size_t at = piece->index + (size_t)(*next - piece->first);
        if (past->topic[at] != judged) {
            judged = past->topic[at];
            match = fob_pattern_match(wanted->pattern, past->topics[judged]);
        }
        fob_slice_t event =
            fob_slice(piece->bytes + past->begin[at], past->begin[at + 1] - past->begin[at]);
        if (match && !add(self, piece, *next, event, wanted))
            return true;
    }
    return false;
}

/* True: full. */
static bool look_at(fob_gather_t *self, const fob_past_t *past, const fob_piece_t *piece,
                    const fob_wanted_t *wanted, uint64_t *next, fob_gone_t *gone) {
    uint64_t end = piece->first + piece->count;
    if (end > wanted->last + 1)
        end = wanted->last + 1;
    if (piece->kind == FOB_PIECE_EVENTS)
        return look_at_events(self, past, piece, wanted, next, end);
    if (piece->kind == FOB_PIECE_GONE && !fob_gone_add(gone, *next, end - 1))
        return true;
    *next = end;
    return false;
}

bool fob_gather_from(fob_gather_t *self, const fob_past_t *past, const fob_wanted_t *wanted,
                     uint64_t *next, fob_gone_t *gone) {
    if (*next > wanted->last)
        return false;
    for (size_t i = fob_past_find(past, *next);
         i < past->piece_count && past->pieces[i].first <= wanted->last; i++)
        if (look_at(self, past, &past->pieces[i], wanted, next, gone))
            return true;
    return false;
}

void fob_gather_write(const fob_gather_t *self, fob_buf_t *out) {
    fob_pack_array(out, self->run_count);
    for (size_t i = 0; i < self->run_count; i++) {
        uint64_t row[] = {self->runs[i].offset, self->runs[i].count,
                          (uint64_t)self->runs[i].time_ms};
        fob_run_write(out, row, 3);
    }
}

fob_blob_t *fob_gather_body(const fob_gather_t *self) {
    fob_blob_t *blob = fob_blob_new(self->bytes);
    if (!blob)
        return NULL;
    uint8_t *to = fob_blob_writable(blob);
    for (size_t i = 0; self->bytes > 0 && i < self->run_count; i++) {
        memcpy(to, self->runs[i].bytes.data, self->runs[i].bytes.size);
        to += self->runs[i].bytes.size;
    }
    return blob;
}
