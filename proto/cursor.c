/* cursor: a value's head is decoded by one function; all readers stand on it. */
#include "proto/cursor.h"

/* The first bytes of a value: its type, and the number there: an integer's or a float's bits, the
 * bytes of a str, bin or ext, the elements of an array, the pairs of a map. */
typedef struct {
    fob_mp_type_t type;
    uint8_t size; /* bytes of the head, from 1 */
    uint64_t number;
} head_t;

/* What the first bytes 0xc0-0xdf mean: the type, and how many bytes of number follow. */
typedef struct {
    uint8_t type;
    uint8_t width;
} code_t;

static const code_t codes[32] = {
    {FOB_MP_NIL, 0},   {FOB_MP_NONE, 0},  {FOB_MP_BOOL, 0},  {FOB_MP_BOOL, 0},  /* c0-c3 */
    {FOB_MP_BIN, 1},   {FOB_MP_BIN, 2},   {FOB_MP_BIN, 4},   {FOB_MP_EXT, 1},   /* c4-c7 */
    {FOB_MP_EXT, 2},   {FOB_MP_EXT, 4},   {FOB_MP_FLOAT, 4}, {FOB_MP_FLOAT, 8}, /* c8-cb */
    {FOB_MP_UINT, 1},  {FOB_MP_UINT, 2},  {FOB_MP_UINT, 4},  {FOB_MP_UINT, 8},  /* cc-cf */
    {FOB_MP_INT, 1},   {FOB_MP_INT, 2},   {FOB_MP_INT, 4},   {FOB_MP_INT, 8},   /* d0-d3 */
    {FOB_MP_EXT, 0},   {FOB_MP_EXT, 0},   {FOB_MP_EXT, 0},   {FOB_MP_EXT, 0},   /* d4-d7 */
    {FOB_MP_EXT, 0},   {FOB_MP_STR, 1},   {FOB_MP_STR, 2},   {FOB_MP_STR, 4},   /* d8-db */
    {FOB_MP_ARRAY, 2}, {FOB_MP_ARRAY, 4}, {FOB_MP_MAP, 2},   {FOB_MP_MAP, 4},   /* dc-df */
};

static bool fail(fob_cursor_t *self) {
    self->failed = true;
    return false;
}

static size_t bytes_left(const fob_cursor_t *self) {
    return (size_t)(self->end - self->at);
}

/* A string of up to 31 bytes: nearly all names, and most values. */
static inline bool is_fixstr(uint8_t byte) {
    return (byte & 0xe0) == 0xa0;
}

/* Of the whole value, its first byte included. */
static inline size_t fixstr_size(uint8_t byte) {
    return 1 + (size_t)(byte & 0x1f);
}

/* Fixed widths, so that the compiler makes one load of each. */
static inline uint64_t load16(const uint8_t *at) {
    return (uint64_t)at[0] << 8 | at[1];
}

static inline uint64_t load32(const uint8_t *at) {
    return load16(at) << 16 | load16(at + 2);
}

static inline uint64_t big_endian(const uint8_t *at, unsigned width) {
    switch (width) {
    case 1:
        return at[0];
    case 2:
        return load16(at);
    case 4:
        return load32(at);
    default:
        return load32(at) << 32 | load32(at + 4);
    }
}

/* The values whose one byte holds type and number. */
static head_t head_of_fix(uint8_t byte) {
    if (byte < 0x80)
        return (head_t){FOB_MP_UINT, 1, byte};
    if (byte < 0x90)
        return (head_t){FOB_MP_MAP, 1, byte & 0x0f};
    if (byte < 0xa0)
        return (head_t){FOB_MP_ARRAY, 1, byte & 0x0f};
    if (byte < 0xc0)
        return (head_t){FOB_MP_STR, 1, byte & 0x1f};
    return (head_t){FOB_MP_INT, 1, (uint64_t)(int64_t)(int8_t)byte};
}

/* A signed number of `width` bytes, its sign carried to 64 bits. */
static uint64_t sign_extend(uint64_t number, unsigned width) {
    uint64_t sign = (uint64_t)1 << (width * 8 - 1);
    return (number ^ sign) - sign;
}

/* Decodes the head at the cursor without moving; type FOB_MP_NONE: none there, or cut short. */
static inline head_t head_at(const fob_cursor_t *self) {
    const head_t none = {FOB_MP_NONE, 0, 0};
    if (self->failed || self->at >= self->end)
        return none;
    uint8_t byte = *self->at;
    if (byte < 0xc0 || byte >= 0xe0)
        return head_of_fix(byte);
    code_t code = codes[byte - 0xc0];
    head_t head = {(fob_mp_type_t)code.type, (uint8_t)(1 + code.width), 0};
    if (bytes_left(self) < head.size)
        return none;
    if (code.width > 0)
        head.number = big_endian(self->at + 1, code.width);
    if (head.type == FOB_MP_INT && code.width > 0) /* every INT of the table has a width */
        head.number = sign_extend(head.number, code.width);
    else if (head.type == FOB_MP_BOOL)
        head.number = byte & 1;
    else if (head.type == FOB_MP_EXT && code.width == 0)
        head.number = (uint64_t)1 << (byte - 0xd4); /* fixext 1, 2, 4, 8, 16 */
    return head;
}

/* Steps over the head if it is of the type. */
static bool take_head(fob_cursor_t *self, fob_mp_type_t type, head_t *out) {
    *out = head_at(self);
    if (out->type != type)
        return fail(self);
    self->at += out->size;
    return true;
}

static bool take_bytes(fob_cursor_t *self, fob_mp_type_t type, fob_slice_t *out) {
    head_t head = head_at(self);
    if (head.type != type || head.number > bytes_left(self) - head.size)
        return fail(self);
    *out = fob_slice(self->at + head.size, (size_t)head.number);
    self->at += head.size + head.number;
    return true;
}

fob_mp_type_t fob_cursor_peek(const fob_cursor_t *self) {
    if (self->failed || self->at >= self->end)
        return FOB_MP_NONE;
    uint8_t byte = *self->at;
    if (byte < 0xc0 || byte >= 0xe0)
        return head_of_fix(byte).type;
    return (fob_mp_type_t)codes[byte - 0xc0].type;
}

bool fob_cursor_nil(fob_cursor_t *self) {
    head_t head;
    return take_head(self, FOB_MP_NIL, &head);
}

bool fob_cursor_bool(fob_cursor_t *self, bool *out) {
    head_t head;
    if (!take_head(self, FOB_MP_BOOL, &head))
        return false;
    *out = head.number != 0;
    return true;
}

bool fob_cursor_uint_any(fob_cursor_t *self, uint64_t *out) {
    head_t head = head_at(self);
    bool good = head.type == FOB_MP_UINT || (head.type == FOB_MP_INT && head.number <= INT64_MAX);
    if (!good)
        return fail(self);
    self->at += head.size;
    *out = head.number;
    return true;
}

bool fob_cursor_int(fob_cursor_t *self, int64_t *out) {
    head_t head = head_at(self);
    bool good = head.type == FOB_MP_INT || (head.type == FOB_MP_UINT && head.number <= INT64_MAX);
    if (!good)
        return fail(self);
    self->at += head.size;
    *out = (int64_t)head.number;
    return true;
}

bool fob_cursor_double(fob_cursor_t *self, double *out) {
    head_t head;
    if (!take_head(self, FOB_MP_FLOAT, &head))
        return false;
    if (head.size == 1 + sizeof(float)) {
        uint32_t bits = (uint32_t)head.number;
        float narrow;
        memcpy(&narrow, &bits, sizeof narrow);
        *out = (double)narrow;
    } else {
        memcpy(out, &head.number, sizeof *out);
    }
    return true;
}

bool fob_cursor_str_any(fob_cursor_t *self, fob_slice_t *out) {
    return take_bytes(self, FOB_MP_STR, out);
}

bool fob_cursor_bin_any(fob_cursor_t *self, fob_slice_t *out) {
    return take_bytes(self, FOB_MP_BIN, out);
}

/* Each element takes a byte at least, so a count beyond that is a lie: nobody loops over it. */
static bool take_count(fob_cursor_t *self, fob_mp_type_t type, unsigned bytes_each, uint32_t *out) {
    head_t head = head_at(self);
    if (head.type != type || head.number * bytes_each > bytes_left(self) - head.size)
        return fail(self);
    self->at += head.size;
    *out = (uint32_t)head.number;
    return true;
}

bool fob_cursor_array_any(fob_cursor_t *self, uint32_t *count) {
    return take_count(self, FOB_MP_ARRAY, 1, count);
}

bool fob_cursor_map_any(fob_cursor_t *self, uint32_t *count) {
    return take_count(self, FOB_MP_MAP, 2, count);
}

/* Steps over a head and what bytes it has; `inner` is how many values are within: -1 for
 * a scalar. */
static inline bool step(fob_cursor_t *self, int64_t *inner) {
    head_t head = head_at(self);
    uint64_t body = 0;
    *inner = -1;
    switch (head.type) {
    case FOB_MP_NONE:
        return fail(self);
    case FOB_MP_STR:
    case FOB_MP_BIN:
        body = head.number;
        break;
    case FOB_MP_EXT:
        body = head.number + 1;
        break;
    case FOB_MP_ARRAY:
        *inner = (int64_t)head.number;
        break;
    case FOB_MP_MAP:
        *inner = (int64_t)head.number * 2;
        break;
    default:
        break;
    }
    uint64_t rest = bytes_left(self) - head.size;
    if (body > rest || (*inner > 0 && (uint64_t)*inner > rest))
        return fail(self);
    self->at += head.size + body;
    return true;
}

#define ROW(n) n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n
#define ROW_FROM(n)                                                                                \
    n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9, n + 10, n + 11, n + 12,      \
        n + 13, n + 14, n + 15

/* All bytes of a value whose first byte says so; 0: more must be read. */
/* clang-format off */
static const uint8_t short_sizes[256] = {
    ROW(1), ROW(1), ROW(1), ROW(1), ROW(1), ROW(1), ROW(1), ROW(1), /* 00-7f integers */
    ROW(0), ROW(0),                                                 /* 80-9f maps, arrays */
    ROW_FROM(1), ROW_FROM(17),                                      /* a0-bf strings */
    1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9,                 /* c0-cf nil, bool, float, uint */
    2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 0, 0, 0, 0,               /* d0-df int, fixext */
    ROW(1), ROW(1),                                                 /* e0-ff negative */
};
/* clang-format on */

/* The size of a short value or a str 8 at the cursor, which most attributes are; 0:
 * anything else. */
static inline size_t short_size(const fob_cursor_t *self) {
    size_t left = bytes_left(self);
    if (left == 0 || self->failed)
        return 0;
    uint8_t byte = *self->at;
    size_t size;
    if (is_fixstr(byte)) /* without the table: each step waits for the one before it */
        size = fixstr_size(byte);
    else if (byte == 0xd9 && left > 1)
        size = 2 + (size_t)self->at[1];
    else
        size = short_sizes[byte];
    return size <= left ? size : 0;
}

/* Steps over short values, as many as there are of `count`; returns how many of it are left. */
static inline int64_t skip_short(fob_cursor_t *self, int64_t count) {
    for (; count > 0; count--) {
        size_t size = short_size(self);
        if (size == 0)
            break;
        self->at += size;
    }
    return count;
}

bool fob_cursor_skip_within(fob_cursor_t *self, unsigned levels, fob_slice_t *out) {
    const uint8_t *start = self->at;
    int64_t left[FOB_CURSOR_DEPTH + 1]; /* values still to step over, per level */
    unsigned level = 0;
    left[0] = 1;
    if (levels > FOB_CURSOR_DEPTH)
        levels = FOB_CURSOR_DEPTH;
    for (;;) {
        left[level] = skip_short(self, left[level]);
        if (left[level] == 0) {
            if (level == 0)
                break;
            level--;
            continue;
        }
        left[level]--;
        int64_t inner;
        if (!step(self, &inner))
            return false;
        if (inner < 0)
            continue;
        if (level == levels)
            return fail(self);
        left[++level] = inner;
    }
    if (out)
        *out = fob_slice(start, (size_t)(self->at - start));
    return true;
}

bool fob_cursor_skip(fob_cursor_t *self, fob_slice_t *out) {
    return fob_cursor_skip_within(self, FOB_CURSOR_DEPTH, out);
}
