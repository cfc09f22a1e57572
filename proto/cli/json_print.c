/* msgpack to JSON text, straight from the bytes: no tree, no allocation but the buffer's. */
#include "proto/cli/json.h"
#include "proto/cli/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void fob_text(fob_buf_t *out, const char *text) {
    fob_buf_put(out, text, strlen(text));
}

void fob_textf(fob_buf_t *out, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size > 0)
        fob_buf_put(out, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

static void escape(fob_buf_t *out, unsigned code) {
    switch (code) {
    case '"':
        fob_text(out, "\\\"");
        break;
    case '\\':
        fob_text(out, "\\\\");
        break;
    case '\n':
        fob_text(out, "\\n");
        break;
    case '\r':
        fob_text(out, "\\r");
        break;
    case '\t':
        fob_text(out, "\\t");
        break;
    default:
        fob_textf(out, "\\u%04x", code);
    }
}

/* The code of a character that must be escaped, or 0x100: it may stand as it is. U+0080 to U+009F
 * are control characters, too: some terminals obey them. */
static unsigned must_escape(const uint8_t *at, size_t step) {
    if (step == 1 && (at[0] < 0x20 || at[0] == '"' || at[0] == '\\' || at[0] == 0x7f))
        return at[0];
    if (step == 2 && at[0] == 0xc2 && at[1] < 0xa0)
        return at[1];
    return 0x100;
}

void fob_json_string(fob_buf_t *out, fob_slice_t text) {
    size_t plain = 0, at = 0; /* from `plain` to `at` nothing needs escaping */
    fob_text(out, "\"");
    while (at < text.size) {
        size_t step = fob_utf8_step(text.data + at, text.size - at);
        unsigned code = step ? must_escape(text.data + at, step) : 0xfffd;
        if (code == 0x100) {
            at += step;
            continue;
        }
        fob_buf_put(out, text.data + plain, at - plain);
        escape(out, code);
        at += step ? step : 1;
        plain = at;
    }
    if (at > plain)
        fob_buf_put(out, text.data + plain, at - plain);
    fob_text(out, "\"");
}

void fob_json_base64(fob_buf_t *out, fob_slice_t bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    fob_text(out, "\"");
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t bits = (uint32_t)bytes.data[i] << 16;
        bits |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)bytes.data[i + 2] : 0;
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        left > 1 ? digits[bits >> 6 & 63] : '=',
                        left > 2 ? digits[bits & 63] : '='};
        fob_buf_put(out, four, 4);
    }
    fob_text(out, "\"");
}

/* 17 digits bring every double back. A number without point or exponent would be read back as an
 * integer. */
static bool print_double(fob_buf_t *out, double value) {
    char text[40];
    if (!isfinite(value))
        return false;
    snprintf(text, sizeof text, "%.17g", value);
    fob_text(out, text);
    if (!strpbrk(text, ".e"))
        fob_text(out, ".0");
    return true;
}

static bool print(fob_cursor_t *cursor, fob_buf_t *out, int depth);

static bool print_string(fob_cursor_t *cursor, fob_buf_t *out) {
    fob_slice_t text;
    if (!fob_cursor_str(cursor, &text) || !fob_utf8_valid(text))
        return false;
    fob_json_string(out, text);
    return true;
}

static bool print_array(fob_cursor_t *cursor, fob_buf_t *out, int depth) {
    uint32_t count;
    if (!fob_cursor_array(cursor, &count))
        return false;
    fob_text(out, "[");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            fob_text(out, ",");
        if (!print(cursor, out, depth + 1))
            return false;
    }
    fob_text(out, "]");
    return true;
}

static bool print_map(fob_cursor_t *cursor, fob_buf_t *out, int depth) {
    uint32_t count;
    if (!fob_cursor_map(cursor, &count))
        return false;
    fob_text(out, "{");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            fob_text(out, ",");
        if (!print_string(cursor, out))
            return false;
        fob_text(out, ":");
        if (!print(cursor, out, depth + 1))
            return false;
    }
    fob_text(out, "}");
    return true;
}

static bool print_number(fob_cursor_t *cursor, fob_buf_t *out, fob_mp_type_t type) {
    uint64_t above;
    int64_t below;
    double real;
    fob_cursor_t again = *cursor;
    if (type == FOB_MP_FLOAT)
        return fob_cursor_double(cursor, &real) && print_double(out, real);
    if (fob_cursor_uint(cursor, &above)) {
        fob_textf(out, "%" PRIu64, above);
        return true;
    }
    *cursor = again;
    if (!fob_cursor_int(cursor, &below))
        return false;
    fob_textf(out, "%" PRId64, below);
    return true;
}

static bool print(fob_cursor_t *cursor, fob_buf_t *out, int depth) {
    bool truth;
    if (depth > FOB_JSON_DEPTH || out->failed)
        return false;
    fob_mp_type_t type = fob_cursor_peek(cursor);
    switch (type) {
    case FOB_MP_NIL:
        fob_text(out, "null");
        return fob_cursor_nil(cursor);
    case FOB_MP_BOOL:
        if (!fob_cursor_bool(cursor, &truth))
            return false;
        fob_text(out, truth ? "true" : "false");
        return true;
    case FOB_MP_UINT:
    case FOB_MP_INT:
    case FOB_MP_FLOAT:
        return print_number(cursor, out, type);
    case FOB_MP_STR:
        return print_string(cursor, out);
    case FOB_MP_ARRAY:
        return print_array(cursor, out, depth);
    case FOB_MP_MAP:
        return print_map(cursor, out, depth);
    case FOB_MP_NONE:
    case FOB_MP_BIN:
    case FOB_MP_EXT:
        break;
    }
    return false;
}

bool fob_json_print(fob_slice_t data, fob_buf_t *out) {
    size_t before = out->size;
    fob_cursor_t cursor = fob_cursor(data);
    if (print(&cursor, out, 0) && fob_cursor_end(&cursor) && !out->failed)
        return true;
    out->size = before;
    return false;
}
