#include "bus/commands/value.h"

#include "proto/buf.h"
#include "proto/cli/utf8.h"
#include "proto/cursor.h"

#include <string.h>

static json_t *tree(fob_cursor_t *cursor, unsigned depth);

/* The text with every byte that is none replaced. */
static void mend(fob_buf_t *out, fob_slice_t text) {
    for (size_t at = 0; at < text.size;) {
        size_t step = fob_utf8_step(text.data + at, text.size - at);
        if (step)
            fob_buf_put(out, text.data + at, step);
        else
            fob_buf_put(out, "\xef\xbf\xbd", 3);
        at += step ? step : 1;
    }
}

static json_t *string(fob_slice_t text) {
    fob_buf_t good = {0};
    if (fob_utf8_valid(text))
        return json_stringn(text.size ? (const char *)text.data : "", text.size);
    mend(&good, text);
    json_t *out = good.failed ? NULL : json_stringn((const char *)good.data, good.size);
    fob_buf_free(&good);
    return out;
}

static json_t *number(fob_cursor_t *cursor) {
    uint64_t value;
    int64_t signed_value;
    if (fob_cursor_peek(cursor) == FOB_MP_INT)
        return fob_cursor_int(cursor, &signed_value) ? json_integer(signed_value) : NULL;
    if (!fob_cursor_uint(cursor, &value))
        return NULL;
    return value <= INT64_MAX ? json_integer((json_int_t)value) : json_real((double)value);
}

static json_t *array(fob_cursor_t *cursor, unsigned depth) {
    uint32_t count;
    json_t *out = fob_cursor_array(cursor, &count) ? json_array() : NULL;
    for (uint32_t i = 0; out && i < count; i++) {
        json_t *item = tree(cursor, depth);
        if (!item || json_array_append_new(out, item) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static bool add_field(fob_cursor_t *cursor, json_t *out, unsigned depth) {
    fob_slice_t name;
    fob_buf_t key = {0};
    if (!fob_cursor_str(cursor, &name))
        return false;
    mend(&key, name);
    fob_buf_put(&key, "", 1);
    json_t *item = key.failed ? NULL : tree(cursor, depth);
    bool added = item && json_object_set_new(out, (const char *)key.data, item) == 0;
    fob_buf_free(&key);
    return added;
}

static json_t *object(fob_cursor_t *cursor, unsigned depth) {
    uint32_t count;
    json_t *out = fob_cursor_map(cursor, &count) ? json_object() : NULL;
    for (uint32_t i = 0; out && i < count; i++) {
        if (!add_field(cursor, out, depth)) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *tree(fob_cursor_t *cursor, unsigned depth) {
    fob_slice_t bytes;
    double real;
    bool flag;
    if (depth == 0)
        return NULL;
    switch (fob_cursor_peek(cursor)) {
    case FOB_MP_NIL:
        return fob_cursor_nil(cursor) ? json_null() : NULL;
    case FOB_MP_BOOL:
        return fob_cursor_bool(cursor, &flag) ? json_boolean(flag) : NULL;
    case FOB_MP_UINT:
    case FOB_MP_INT:
        return number(cursor);
    case FOB_MP_FLOAT:
        return fob_cursor_double(cursor, &real) ? json_real(real) : NULL;
    case FOB_MP_STR:
        return fob_cursor_str(cursor, &bytes) ? string(bytes) : NULL;
    case FOB_MP_BIN:
        return fob_cursor_bin(cursor, &bytes) ? json_null() : NULL;
    case FOB_MP_ARRAY:
        return array(cursor, depth - 1);
    case FOB_MP_MAP:
        return object(cursor, depth - 1);
    default:
        return NULL;
    }
}

json_t *fob_value_tree(fob_slice_t bytes) {
    fob_cursor_t cursor = fob_cursor(bytes);
    json_t *root = tree(&cursor, FOB_CURSOR_DEPTH);
    if (root && fob_cursor_end(&cursor))
        return root;
    json_decref(root);
    return NULL;
}

fob_slice_t fob_value_field(fob_slice_t map, const char *name) {
    fob_cursor_t cursor = fob_cursor(map);
    fob_slice_t key, value;
    uint32_t count;
    if (!fob_cursor_map(&cursor, &count))
        return (fob_slice_t){0};
    while (count-- > 0 && fob_cursor_str(&cursor, &key) && fob_cursor_skip(&cursor, &value)) {
        if (fob_slice_eq(key, fob_slice_str(name)))
            return value;
    }
    return (fob_slice_t){0};
}
