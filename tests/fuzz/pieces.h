/* pieces: an input that is a sequence of things, each behind two bytes with its size,
 * little-endian. The last one is whatever is left. libFuzzer changes one of them at a time
 * (pieces_mutate.c), so that the sizes stay what they are. */
#ifndef FOB_TESTS_FUZZ_PIECES_H
#define FOB_TESTS_FUZZ_PIECES_H

#include "proto/slice.h"

#include <stdbool.h>

#define PIECE_HEAD 2u
#define PIECE_MAX  65535u

/* The next piece of what is left; false: none. */
static inline bool piece_next(fob_slice_t *rest, fob_slice_t *piece) {
    if (rest->size < PIECE_HEAD)
        return false;
    size_t size = rest->data[0] | (size_t)rest->data[1] << 8;
    if (size > rest->size - PIECE_HEAD)
        size = rest->size - PIECE_HEAD;
    *piece = fob_slice(rest->data + PIECE_HEAD, size);
    *rest = fob_slice(rest->data + PIECE_HEAD + size, rest->size - PIECE_HEAD - size);
    return true;
}

/* The first byte of a piece, taken off it; 0: it is empty. */
static inline uint8_t piece_byte(fob_slice_t *piece) {
    if (piece->size == 0)
        return 0;
    uint8_t byte = piece->data[0];
    *piece = fob_slice(piece->data + 1, piece->size - 1);
    return byte;
}

#endif
