/* buf: growth in one place; the msgpack values go through msgpack-c's packer. */
#include "proto/buf.h"

#include <msgpack/pack.h>
#include <stdlib.h>

#define BUF_FIRST 256 /* bytes of the first allocation */

void fob_buf_clear(fob_buf_t *self) {
    self->size = 0;
    self->failed = false;
}

void fob_buf_free(fob_buf_t *self) {
    free(self->data);
    *self = (fob_buf_t){0};
}

bool fob_buf_grow(fob_buf_t *self, size_t more) {
    if (self->failed)
        return false;
    if (more > SIZE_MAX / 2 - self->size) {
        self->failed = true;
        return false;
    }
    size_t need = self->size + more;
    size_t capacity = self->capacity > 0 ? self->capacity : BUF_FIRST;
    while (capacity < need)
        capacity *= 2;
    uint8_t *data = realloc(self->data, capacity);
    if (!data) {
        self->failed = true;
        return false;
    }
    self->data = data;
    self->capacity = capacity;
    return true;
}

void fob_buf_put(fob_buf_t *self, const void *data, size_t size) {
    if (size == 0 || !fob_buf_room(self, size))
        return;
    memcpy(self->data + self->size, data, size);
    self->size += size;
}

fob_slice_t fob_buf_slice(const fob_buf_t *self) {
    return fob_slice(self->data, self->size);
}

/* msgpack-c's way to hand over bytes. A failure is kept in the buffer, so it always goes on. */
static int packer_write(void *data, const char *bytes, size_t size) {
    fob_buf_put(data, bytes, size);
    return 0;
}

static msgpack_packer packer(fob_buf_t *self) {
    return (msgpack_packer){.data = self, .callback = packer_write};
}

/* msgpack's lengths have 32 bits; msgpack-c would cut longer ones in silence. */
static bool length_fits(fob_buf_t *self, size_t length) {
    if (length > UINT32_MAX)
        self->failed = true;
    return !self->failed;
}

void fob_pack_nil(fob_buf_t *self) {
    msgpack_packer to = packer(self);
    msgpack_pack_nil(&to);
}

void fob_pack_bool(fob_buf_t *self, bool value) {
    msgpack_packer to = packer(self);
    if (value)
        msgpack_pack_true(&to);
    else
        msgpack_pack_false(&to);
}

/* The heads that are short stand here, as they are most: msgpack-c takes a call for each head and
 * one for each body. Room for one of up to two bytes and `body` behind it; NULL: no memory. */
static inline uint8_t *short_at(fob_buf_t *self, size_t body) {
    return fob_buf_room(self, 2 + body) ? self->data + self->size : NULL;
}

static inline void byte_put(fob_buf_t *self, uint8_t byte) {
    uint8_t *at = short_at(self, 0);
    if (!at)
        return;
    *at = byte;
    self->size++;
}

/* A head of one byte, or of two where `wide`; then the body. */
static inline void short_put(fob_buf_t *self, uint8_t head, bool wide, fob_slice_t body) {
    uint8_t *at = short_at(self, body.size);
    if (!at)
        return;
    *at++ = head;
    if (wide)
        *at++ = (uint8_t)body.size;
    if (body.size)
        memcpy(at, body.data, body.size);
    self->size += 1 + (size_t)wide + body.size;
}

void fob_pack_uint(fob_buf_t *self, uint64_t value) {
    if (value < 0x80) {
        byte_put(self, (uint8_t)value);
        return;
    }
    msgpack_packer to = packer(self);
    msgpack_pack_uint64(&to, value);
}

void fob_pack_int(fob_buf_t *self, int64_t value) {
    msgpack_packer to = packer(self);
    msgpack_pack_int64(&to, value);
}

void fob_pack_double(fob_buf_t *self, double value) {
    msgpack_packer to = packer(self);
    msgpack_pack_double(&to, value);
}

void fob_pack_str(fob_buf_t *self, fob_slice_t value) {
    if (value.size < 0x100) {
        bool wide = value.size > 0x1f;
        short_put(self, wide ? 0xd9 : (uint8_t)(0xa0 | value.size), wide, value);
        return;
    }
    if (!length_fits(self, value.size))
        return;
    msgpack_packer to = packer(self);
    msgpack_pack_str(&to, value.size);
    msgpack_pack_str_body(&to, value.data, value.size);
}

void fob_pack_cstr(fob_buf_t *self, const char *value) {
    fob_pack_str(self, fob_slice_str(value));
}

void fob_pack_bin(fob_buf_t *self, fob_slice_t value) {
    if (value.size < 0x100) {
        short_put(self, 0xc4, true, value);
        return;
    }
    if (!length_fits(self, value.size))
        return;
    msgpack_packer to = packer(self);
    msgpack_pack_bin(&to, value.size);
    msgpack_pack_bin_body(&to, value.data, value.size);
}

void fob_pack_array(fob_buf_t *self, size_t count) {
    if (count < 0x10) {
        byte_put(self, (uint8_t)(0x90 | count));
        return;
    }
    if (!length_fits(self, count))
        return;
    msgpack_packer to = packer(self);
    msgpack_pack_array(&to, count);
}

void fob_pack_map(fob_buf_t *self, size_t count) {
    if (count < 0x10) {
        byte_put(self, (uint8_t)(0x80 | count));
        return;
    }
    if (!length_fits(self, count))
        return;
    msgpack_packer to = packer(self);
    msgpack_pack_map(&to, count);
}
