#include "test_core_effect.h"

#include "proto/envelope.h"
#include "tests/support/case.h"

#include <stdlib.h>

void kit_effect_free(kit_effect_t *effect) {
    for (size_t i = 0; effect->events && i < effect->row_count; i++)
        free(effect->events[i]);
    free(effect->events);
    free(effect->sizes);
    fob_buf_free(&effect->value);
    free(effect->rows);
    free(effect->details);
}

static void text_of(char *out, size_t room, fob_slice_t slice) {
    size_t size = slice.size < room - 1 ? slice.size : room - 1;
    if (size)
        memcpy(out, slice.data, size);
    out[size] = 0;
}

static void copy_detail(kit_detail_t *out, fob_slice_t raw) {
    fob_cursor_t cursor = fob_cursor(raw);
    uint32_t count = 0;
    if (raw.size == 0)
        return;
    assert_true(fob_cursor_map(&cursor, &count));
    for (uint32_t i = 0; i < count; i++) {
        fob_slice_t name, text;
        uint64_t value;
        bool flag;
        assert_true(fob_cursor_str(&cursor, &name));
        if (fob_cursor_peek(&cursor) == FOB_MP_STR && fob_cursor_str(&cursor, &text)) {
            if (fob_slice_eq(name, fob_slice_str("group")))
                text_of(out->group, sizeof out->group, text);
            else
                text_of(out->text, sizeof out->text, text);
        } else if (fob_cursor_peek(&cursor) == FOB_MP_BOOL && fob_cursor_bool(&cursor, &flag)) {
            *(fob_slice_eq(name, fob_slice_str("differs")) ? &out->differs : &out->duplicate) =
                flag;
        } else {
            assert_true(fob_cursor_uint(&cursor, &value));
            *(fob_slice_eq(name, fob_slice_str("depth"))   ? &out->depth
              : fob_slice_eq(name, fob_slice_str("limit")) ? &out->limit
                                                           : &out->retry_after) = value;
        }
    }
    assert_true(fob_cursor_end(&cursor));
}

static void copy_rows(kit_effect_t *out, fob_slice_t raw) {
    fob_runs_t rows;
    fob_run_t row;
    if (raw.size == 0)
        return;
    assert_true(fob_runs(raw, &rows));
    out->rows = calloc(rows.left + 1, sizeof *out->rows);
    out->details = calloc(rows.left + 1, sizeof *out->details);
    out->runs_size = raw.size;
    while (fob_runs_next(&rows, &row)) {
        copy_detail(&out->details[out->row_count], row.detail);
        memcpy(out->rows[out->row_count++], row.at, sizeof row.at);
    }
    assert_false(rows.cursor.failed);
}

/* Splits a span's bytes into its events, which must be exactly as many. */
static void copy_span(kit_effect_t *out, const fob_span_t *span) {
    fob_slice_t blob = fob_blob_slice(span->blob);
    assert_true(span->at + span->size <= blob.size);
    fob_cursor_t cursor = fob_cursor(fob_slice(blob.data + span->at, span->size));
    for (uint32_t i = 0; i < span->count; i++) {
        fob_slice_t topic, bytes;
        assert_true(fob_envelope_skim(&cursor, &topic, &bytes));
        uint64_t row[5] = {span->offset + i, span->token + i, span->attempt, 1,
                           (uint64_t)span->time_ms};
        memcpy(out->rows[out->row_count], row, sizeof row);
        out->events[out->row_count] = malloc(bytes.size);
        memcpy(out->events[out->row_count], bytes.data, bytes.size);
        out->sizes[out->row_count++] = bytes.size;
    }
    assert_true(fob_cursor_end(&cursor));
}

static void copy_spans(kit_effect_t *out, const fob_effect_t *effect) {
    size_t count = 0;
    for (size_t i = 0; i < effect->span_count; i++)
        count += effect->spans[i].count;
    out->rows = calloc(count + 1, sizeof *out->rows);
    out->events = calloc(count + 1, sizeof *out->events);
    out->sizes = calloc(count + 1, sizeof *out->sizes);
    for (size_t i = 0; i < effect->span_count; i++)
        copy_span(out, &effect->spans[i]);
    out->offset = effect->spans[0].offset;
    out->count = count;
}

kit_effect_t kit_effect_copy(const fob_effect_t *effect) {
    kit_effect_t out = {.kind = effect->kind,
                        .after = effect->after,
                        .conn = effect->conn,
                        .seq = effect->seq,
                        .req = effect->req,
                        .status = effect->status,
                        .created = effect->created,
                        .lease_ms = effect->lease_ms,
                        .prev = effect->prev,
                        .nth = effect->nth,
                        .born = effect->born,
                        .need_offset = effect->need_offset};
    text_of(out.group, sizeof out.group, effect->group);
    text_of(out.text, sizeof out.text, effect->text);
    text_of(out.topic, sizeof out.topic, effect->topic);
    fob_buf_put(&out.value, effect->value.data, effect->value.size);
    if (effect->kind == FOB_EFF_RECEIPT || effect->kind == FOB_EFF_LOST)
        copy_rows(&out, effect->runs);
    else if (effect->kind == FOB_EFF_JOINED || effect->kind == FOB_EFF_SETTLED)
        copy_rows(&out, effect->refused);
    else if (effect->span_count)
        copy_spans(&out, effect);
    return out;
}
