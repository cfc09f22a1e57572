/* cursor: reads msgpack in place, trusting no length.
 *
 * Allocates nothing, never reads past the end, bounds nesting by FOB_CURSOR_DEPTH. Each reader
 * returns false and leaves the cursor `failed` where the bytes are short or of another type; a
 * failed cursor stays failed. Format: https://github.com/msgpack/msgpack/blob/master/spec.md */
#ifndef FOB_CURSOR_H
#define FOB_CURSOR_H

#include "proto/slice.h"

#define FOB_CURSOR_DEPTH 32

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} fob_cursor_t;

typedef enum {
    FOB_MP_NONE, /* at the end, failed, or the byte 0xc1 that msgpack never uses */
    FOB_MP_NIL,
    FOB_MP_BOOL,
    FOB_MP_UINT, /* non-negative integer */
    FOB_MP_INT,  /* negative integer, or a signed encoding */
    FOB_MP_FLOAT,
    FOB_MP_STR,
    FOB_MP_BIN,
    FOB_MP_ARRAY,
    FOB_MP_MAP,
    FOB_MP_EXT
} fob_mp_type_t;

static inline fob_cursor_t fob_cursor(fob_slice_t bytes) {
    return (fob_cursor_t){bytes.data, bytes.data ? bytes.data + bytes.size : bytes.data, false};
}
static inline bool fob_cursor_end(const fob_cursor_t *self) {
    return self->at >= self->end;
}

fob_mp_type_t fob_cursor_peek(const fob_cursor_t *self);
bool fob_cursor_nil(fob_cursor_t *self);
bool fob_cursor_bool(fob_cursor_t *self, bool *out);
bool fob_cursor_int(fob_cursor_t *self, int64_t *out);   /* any encoding that fits int64 */
bool fob_cursor_double(fob_cursor_t *self, double *out); /* float32 or float64 */
/* The next five take a short form here, as most values have one, and any other form in cursor.c. */
bool fob_cursor_uint_any(fob_cursor_t *self, uint64_t *out);
bool fob_cursor_str_any(fob_cursor_t *self, fob_slice_t *out);
bool fob_cursor_bin_any(fob_cursor_t *self, fob_slice_t *out);
bool fob_cursor_array_any(fob_cursor_t *self, uint32_t *count);
bool fob_cursor_map_any(fob_cursor_t *self, uint32_t *count);

/* The bytes from the cursor on; 0: none, or it failed. */
static inline size_t fob_cursor_left(const fob_cursor_t *self) {
    return self->failed ? 0 : (size_t)(self->end - self->at);
}

/* Any encoding of a value >= 0; up to 127. */
static inline bool fob_cursor_uint(fob_cursor_t *self, uint64_t *out) {
    if (fob_cursor_left(self) == 0 || *self->at > 0x7f)
        return fob_cursor_uint_any(self, out);
    *out = *self->at++;
    return true;
}

/* Up to 31 bytes: nearly all names and topics. */
static inline bool fob_cursor_str(fob_cursor_t *self, fob_slice_t *out) {
    size_t left = fob_cursor_left(self);
    if (left == 0 || (*self->at & 0xe0) != 0xa0 || (size_t)(*self->at & 0x1f) >= left)
        return fob_cursor_str_any(self, out);
    *out = fob_slice(self->at + 1, *self->at & 0x1f);
    self->at += 1 + out->size;
    return true;
}

/* Up to 65,535 bytes. */
static inline bool fob_cursor_bin(fob_cursor_t *self, fob_slice_t *out) {
    size_t left = fob_cursor_left(self), head = 3, size = 0;
    if (left >= 3 && self->at[0] == 0xc5) {
        size = (size_t)self->at[1] << 8 | self->at[2];
    } else if (left >= 2 && self->at[0] == 0xc4) {
        head = 2;
        size = self->at[1];
    } else {
        return fob_cursor_bin_any(self, out);
    }
    if (size > left - head)
        return fob_cursor_bin_any(self, out);
    *out = fob_slice(self->at + head, size);
    self->at += head + size;
    return true;
}

/* Up to 15 elements. count <= bytes left, or it fails. */
static inline bool fob_cursor_array(fob_cursor_t *self, uint32_t *count) {
    size_t left = fob_cursor_left(self);
    if (left == 0 || (*self->at & 0xf0) != 0x90 || (size_t)(*self->at & 0x0f) >= left)
        return fob_cursor_array_any(self, count);
    *count = *self->at++ & 0x0f;
    return true;
}

/* Up to 15 pairs. 2 * count <= bytes left, or it fails. */
static inline bool fob_cursor_map(fob_cursor_t *self, uint32_t *count) {
    size_t left = fob_cursor_left(self);
    if (left == 0 || (*self->at & 0xf0) != 0x80 || 2 * (size_t)(*self->at & 0x0f) >= left)
        return fob_cursor_map_any(self, count);
    *count = *self->at++ & 0x0f;
    return true;
}

/* Steps over one whole value, however nested (<= FOB_CURSOR_DEPTH); `out` may be NULL, else gets
 * its bytes. */
bool fob_cursor_skip(fob_cursor_t *self, fob_slice_t *out);
/* The same for a value that lies within others already: it may nest `levels` deep (0: a scalar). */
bool fob_cursor_skip_within(fob_cursor_t *self, unsigned levels, fob_slice_t *out);

#endif
