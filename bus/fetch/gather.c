#include "bus/fetch/gather.h"

#include "proto/topic.h"
#include "proto/wire.h"

#include <assert.h>

/* --- what is gone --- */

bool fob_gone_add(fob_gone_t *self, uint64_t first, uint64_t last, bool damaged) {
    size_t n = self->count;
    assert(first <= last && (n == 0 || first > self->last[n - 1]));
    if (n > 0 && self->last[n - 1] + 1 == first && self->damaged[n - 1] == damaged) {
        self->last[n - 1] = last;
        return true;
    }
    if (n == FOB_GATHER_GONE)
        return false;
    self->first[n] = first;
    self->last[n] = last;
    self->damaged[n] = damaged;
    self->count++;
    return true;
}

void fob_gone_write(const fob_gone_t *self, fob_buf_t *out) {
    fob_pack_array(out, self->count);
    for (size_t i = 0; i < self->count; i++)
        fob_run_write(out, (const uint64_t[]){self->first[i], self->last[i], 1},
                      self->damaged[i] ? 3 : 2);
}

/* --- events --- */

void fob_gather_free(fob_gather_t *self) {
    fob_buf_free(&self->body);
}

void fob_gather_begin(fob_gather_t *self) {
    self->run_count = 0;
    self->events = self->looked = 0;
    fob_buf_clear(&self->body);
}

bool fob_gather_add(fob_gather_t *self, uint64_t offset, int64_t time_ms, fob_slice_t event,
                    const fob_wanted_t *wanted) {
    size_t n = self->run_count;
    bool joins = n > 0 && self->runs[n - 1].offset + self->runs[n - 1].count == offset &&
                 self->runs[n - 1].time_ms == time_ms;
    if (self->events >= wanted->limit || (!joins && n == FOB_GATHER_RUNS) ||
        (!wanted->dry && self->events > 0 && self->body.size + event.size > wanted->bytes))
        return false;
    if (joins) {
        self->runs[n - 1].count++;
    } else {
        self->runs[n].offset = offset;
        self->runs[n].count = 1;
        self->runs[n].time_ms = time_ms;
        self->run_count++;
    }
    if (!wanted->dry)
        fob_buf_put(&self->body, event.data, event.size);
    self->events++;
    return true;
}

/* Of one record; *next..end - 1 are its own. True: full. */
static bool look_at_events(fob_gather_t *self, const fob_past_t *past, const fob_piece_t *piece,
                           const fob_wanted_t *wanted, uint64_t *next, uint64_t end) {
    fob_slice_t judged = {0}; /* the topic that was matched last */
    bool match = false;
    for (; *next < end; (*next)++, self->looked++) {
        fob_slice_t topic, event = fob_past_event(past, piece, *next, &topic);
        if (topic.data != judged.data) {
            judged = topic;
            match = fob_pattern_match(wanted->pattern, topic);
        }
        if (match && !fob_gather_add(self, *next, piece->time_ms, event, wanted))
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
    bool damaged = piece->kind == FOB_PIECE_DAMAGED;
    if ((damaged || piece->kind == FOB_PIECE_GONE) && !fob_gone_add(gone, *next, end - 1, damaged))
        return true;
    *next = end;
    return false;
}

bool fob_gather_from(fob_gather_t *self, const fob_past_t *past, const fob_wanted_t *wanted,
                     uint64_t *next, fob_gone_t *gone) {
    assert(*next <= wanted->last);
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
