#include "bus/core/work/refused.h"

#include <string.h>

void fob_refused_begin(fob_refused_t *self, fob_buf_t *out) {
    fob_buf_clear(out);
    *self = (fob_refused_t){.out = out};
}

bool fob_refused_joins(const fob_refused_t *self, fob_status_t status, uint64_t offset,
                       uint64_t token) {
    const uint64_t *last = self->row;
    return last[2] && last[0] == (uint64_t)status && last[1] + last[2] == offset &&
           last[3] + last[2] == token;
}

static void flush(fob_refused_t *self) {
    if (self->row[2])
        fob_run_write(self->out, self->row, 4);
    self->row[2] = 0;
}

void fob_refused_add(fob_refused_t *self, fob_status_t status, uint64_t offset, uint64_t count,
                     uint64_t token) {
    if (count == 0)
        return;
    if (fob_refused_joins(self, status, offset, token)) {
        self->row[2] += count;
        return;
    }
    flush(self);
    uint64_t row[4] = {(uint64_t)status, offset, count, token};
    memcpy(self->row, row, sizeof row);
    self->rows++;
}

size_t fob_refused_bytes(const fob_refused_t *self) {
    return self->out->size + (self->row[2] ? FOB_REFUSED_ROW : 0);
}

bool fob_refused_end(fob_refused_t *self, fob_buf_t *whole) {
    flush(self);
    fob_buf_clear(whole);
    fob_pack_array(whole, self->rows);
    if (self->out->size)
        fob_buf_put(whole, self->out->data, self->out->size);
    return !whole->failed && !self->out->failed;
}
