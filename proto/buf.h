/* buf: a byte buffer that grows, and the msgpack writer upon it (msgpack-c does the packing).
 *
 * A failed allocation makes the buffer `failed`: later writes are no-ops, so that callers check
 * once, at the end. */
#ifndef FOB_BUF_H
#define FOB_BUF_H

#include "proto/slice.h"

typedef struct {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed;
} fob_buf_t;

/* An empty buffer is all zeros: fob_buf_t b = {0}. */
void fob_buf_clear(fob_buf_t *self); /* keeps the memory, clears `failed` */
void fob_buf_free(fob_buf_t *self);  /* gives the memory back; usable again */
/* Room for so many bytes more than there is room for. False (and failed): no memory. */
bool fob_buf_grow(fob_buf_t *self, size_t more);
/* The same where there may be room already. */
static inline bool fob_buf_room(fob_buf_t *self, size_t more) {
    return (!self->failed && more <= self->capacity - self->size) || fob_buf_grow(self, more);
}
void fob_buf_put(fob_buf_t *self, const void *data, size_t size);
fob_slice_t fob_buf_slice(const fob_buf_t *self);

/* msgpack values, appended. */
void fob_pack_nil(fob_buf_t *self);
void fob_pack_bool(fob_buf_t *self, bool value);
void fob_pack_uint(fob_buf_t *self, uint64_t value);
void fob_pack_int(fob_buf_t *self, int64_t value);
void fob_pack_double(fob_buf_t *self, double value);
void fob_pack_str(fob_buf_t *self, fob_slice_t value);
void fob_pack_cstr(fob_buf_t *self, const char *value);
void fob_pack_bin(fob_buf_t *self, fob_slice_t value);
void fob_pack_array(fob_buf_t *self, size_t count);
void fob_pack_map(fob_buf_t *self, size_t count);

#endif
