/* slice: bytes that somebody else owns. Never terminated, may be empty (data may then be NULL). */
#ifndef FOB_SLICE_H
#define FOB_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *data;
    size_t size;
} fob_slice_t;

static inline fob_slice_t fob_slice(const void *data, size_t size) {
    return (fob_slice_t){(const uint8_t *)data, size};
}

/* Of a C string; NULL gives the empty slice. */
static inline fob_slice_t fob_slice_str(const char *text) {
    return (fob_slice_t){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool fob_slice_eq(fob_slice_t a, fob_slice_t b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
