/* RFC 6901 within a msgpack value, for --id-from and --key-from. */
#include "proto/cli/json.h"

#include <inttypes.h>

bool fob_json_pointer_valid(const char *pointer) {
    if (*pointer && *pointer != '/')
        return false;
    for (; *pointer; pointer++)
        if (*pointer == '~' && pointer[1] != '0' && pointer[1] != '1')
            return false;
    return true;
}

/* Whether `name` is the pointer's token (up to a slash or its end), in which ~1 is a slash and ~0 a
 * tilde. */
static bool token_is(const char *token, fob_slice_t name) {
    size_t i = 0;
    for (; *token && *token != '/'; token++, i++) {
        char c = *token;
        if (c == '~')
            c = *++token == '0' ? '~' : '/';
        if (i >= name.size || (char)name.data[i] != c)
            return false;
    }
    return i == name.size;
}

static bool token_index(const char *token, uint32_t *out) {
    uint64_t value = 0;
    size_t size = strcspn(token, "/");
    if (size == 0 || size > 10 || (size > 1 && *token == '0'))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (token[i] < '0' || token[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(token[i] - '0');
    }
    *out = (uint32_t)value;
    return value <= UINT32_MAX;
}

static bool step_map(fob_cursor_t *cursor, const char *token) {
    uint32_t count;
    if (!fob_cursor_map(cursor, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        fob_slice_t name;
        if (fob_cursor_peek(cursor) != FOB_MP_STR || !fob_cursor_str(cursor, &name))
            return false;
        if (token_is(token, name))
            return true;
        if (!fob_cursor_skip(cursor, NULL))
            return false;
    }
    return false;
}

static bool step_array(fob_cursor_t *cursor, const char *token) {
    uint32_t count, index;
    if (!fob_cursor_array(cursor, &count) || !token_index(token, &index) || index >= count)
        return false;
    for (uint32_t i = 0; i < index; i++)
        if (!fob_cursor_skip(cursor, NULL))
            return false;
    return true;
}

static fob_status_t put_name(fob_cursor_t *cursor, fob_buf_t *out) {
    fob_slice_t text;
    uint64_t above;
    fob_mp_type_t type = fob_cursor_peek(cursor);
    if (type == FOB_MP_STR && fob_cursor_str(cursor, &text)) {
        fob_buf_put(out, text.data, text.size);
        return FOB_OK;
    }
    if (type != FOB_MP_UINT && type != FOB_MP_INT)
        return FOB_BAD_EVENT;
    fob_cursor_t again = *cursor;
    if (fob_cursor_uint(cursor, &above)) {
        fob_textf(out, "%" PRIu64, above);
        return FOB_OK;
    }
    int64_t below;
    if (!fob_cursor_int(&again, &below))
        return FOB_BAD_EVENT;
    fob_textf(out, "%" PRId64, below);
    return FOB_OK;
}

fob_status_t fob_json_pointer(fob_slice_t data, const char *pointer, fob_buf_t *out) {
    fob_cursor_t cursor = fob_cursor(data);
    if (!fob_json_pointer_valid(pointer))
        return FOB_INVALID;
    while (*pointer) {
        const char *token = pointer + 1;
        fob_mp_type_t type = fob_cursor_peek(&cursor);
        bool found = type == FOB_MP_MAP     ? step_map(&cursor, token)
                     : type == FOB_MP_ARRAY ? step_array(&cursor, token)
                                            : false;
        if (!found)
            return FOB_BAD_EVENT;
        pointer = token + strcspn(token, "/");
    }
    return put_name(&cursor, out);
}
