/* runs: the rows in RECEIPT, JOIN, DELIVER, SETTLE, LOST and `refused`; and WELCOME's map of
 * shards. */
#include "proto/wire.h"

#define ROW_LEVELS  (FOB_CURSOR_DEPTH - 4) /* left inside header, fields, runs and row */
#define PORT_LEVELS ROW_LEVELS             /* the same inside header, fields, shards and shard */

bool fob_runs(fob_slice_t raw, fob_runs_t *self) {
    self->cursor = fob_cursor(raw);
    self->left = 0;
    uint32_t count;
    if (!fob_cursor_array(&self->cursor, &count))
        return false;
    if (count > FOB_RUNS_MAX) {
        self->cursor.failed = true;
        return false;
    }
    self->left = count;
    return true;
}

static bool row_read(fob_cursor_t *cursor, fob_run_t *out) {
    uint32_t count;
    if (!fob_cursor_array(cursor, &count))
        return false;
    uint32_t i = 0;
    for (; i < count && i < FOB_RUN_WIDTH; i++)
        if (!fob_cursor_uint(cursor, &out->at[i]))
            return false;
    for (; i < count; i++)
        if (!fob_cursor_skip_within(cursor, ROW_LEVELS, i == FOB_RUN_WIDTH ? &out->detail : NULL))
            return false;
    return true;
}

bool fob_runs_next(fob_runs_t *self, fob_run_t *out) {
    memset(out, 0, sizeof *out);
    if (self->left == 0 || self->cursor.failed)
        return false;
    self->left--;
    return row_read(&self->cursor, out);
}

void fob_run_write(fob_buf_t *out, const uint64_t *at, unsigned width) {
    fob_pack_array(out, width);
    for (unsigned i = 0; i < width; i++)
        fob_pack_uint(out, at[i]);
}

static bool port_read(fob_cursor_t *cursor, uint16_t *out) {
    uint64_t value;
    if (!fob_cursor_uint(cursor, &value) || value > UINT16_MAX)
        return false;
    *out = (uint16_t)value;
    return true;
}

static bool name_is(fob_slice_t name, const char *text) {
    return fob_slice_eq(name, fob_slice_str(text));
}

static bool shard_value_read(fob_cursor_t *cursor, fob_slice_t name, fob_shard_t *out) {
    uint64_t number;
    if (name_is(name, "shard")) {
        if (!fob_cursor_uint(cursor, &number) || number > UINT32_MAX)
            return false;
        out->shard = (uint32_t)number;
        return true;
    }
    if (name_is(name, "host"))
        return fob_cursor_str(cursor, &out->host);
    if (name_is(name, "router"))
        return port_read(cursor, &out->router);
    if (name_is(name, "xsub"))
        return port_read(cursor, &out->xsub);
    if (name_is(name, "xpub"))
        return port_read(cursor, &out->xpub);
    return fob_cursor_skip_within(cursor, PORT_LEVELS, NULL);
}

static bool shard_read(fob_cursor_t *cursor, fob_shard_t *out) {
    uint32_t count;
    memset(out, 0, sizeof *out);
    if (!fob_cursor_map(cursor, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        fob_slice_t name;
        if (!fob_cursor_str(cursor, &name) || !shard_value_read(cursor, name, out))
            return false;
    }
    return true;
}

bool fob_caps_have(fob_slice_t raw, const char *name) {
    fob_cursor_t cursor = fob_cursor(raw);
    fob_slice_t one;
    uint32_t count;
    if (raw.size == 0 || !fob_cursor_array(&cursor, &count))
        return false;
    while (count-- > 0 && fob_cursor_str(&cursor, &one))
        if (fob_slice_eq(one, fob_slice_str(name)))
            return true;
    return false;
}

bool fob_shards_find(fob_slice_t raw, uint32_t shard, fob_shard_t *out) {
    fob_cursor_t cursor = fob_cursor(raw);
    uint32_t count;
    if (!fob_cursor_array(&cursor, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!shard_read(&cursor, out))
            return false;
        if (out->shard == shard)
            return true;
    }
    return false;
}

void fob_shard_write(fob_buf_t *out, const fob_shard_t *shard) {
    fob_pack_map(out, 5);
    fob_pack_cstr(out, "shard");
    fob_pack_uint(out, shard->shard);
    fob_pack_cstr(out, "host");
    fob_pack_str(out, shard->host);
    fob_pack_cstr(out, "router");
    fob_pack_uint(out, shard->router);
    fob_pack_cstr(out, "xsub");
    fob_pack_uint(out, shard->xsub);
    fob_pack_cstr(out, "xpub");
    fob_pack_uint(out, shard->xpub);
}
