/* pieces_mutate: how libFuzzer changes an input that is made of pieces. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"

#include <string.h>

#define PIECES 256u
#define ROOM   (1u << 20)

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
                                 size_t two_size, uint8_t *out, size_t max_size, unsigned int seed);

static uint8_t room[ROOM];
static fob_slice_t pieces[PIECES];

/* The pieces of `data`, up to the table's end. */
static size_t cut(fob_slice_t data) {
    size_t count = 0;
    while (count < PIECES && piece_next(&data, &pieces[count]))
        count++;
    return count;
}

static bool put(size_t *size, size_t max_size, fob_slice_t piece) {
    if (piece.size > PIECE_MAX || *size + PIECE_HEAD + piece.size > max_size ||
        *size + PIECE_HEAD + piece.size > ROOM)
        return false;
    room[*size] = (uint8_t)piece.size;
    room[*size + 1] = (uint8_t)(piece.size >> 8);
    if (piece.size)
        memcpy(room + *size + PIECE_HEAD, piece.data, piece.size);
    *size += PIECE_HEAD + piece.size;
    return true;
}

/* Some bytes of one piece are changed; it may grow or shrink. */
static fob_slice_t changed(fob_slice_t piece) {
    static uint8_t bytes[PIECE_MAX];
    size_t most = piece.size + 64 < PIECE_MAX ? piece.size + 64 : PIECE_MAX;
    if (piece.size)
        memcpy(bytes, piece.data, piece.size);
    return fob_slice(bytes, LLVMFuzzerMutate(bytes, piece.size, most));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    size_t count = cut(fob_slice(data, size)), used = 0;
    unsigned how = seed % 8, at = count ? seed / 8 % count : 0,
             to = count ? seed / 2048 % count : 0;
    if (count == 0 || how == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    for (size_t i = 0; i < count; i++) {
        if (how == 1 && i == at)
            continue;                                                 /* it is missing */
        if (how == 2 && i == at && !put(&used, max_size, pieces[to])) /* another one before it */
            break;
        fob_slice_t piece = how == 3 && i == at   ? pieces[to]
                            : how == 3 && i == to ? pieces[at]
                                                  : pieces[i];
        if (!put(&used, max_size, how > 3 && i == at ? changed(piece) : piece))
            break;
    }
    memcpy(data, room, used);
    return used;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
                                 size_t two_size, uint8_t *out, size_t max_size,
                                 unsigned int seed) {
    size_t used = 0, count = cut(fob_slice(one, one_size));
    size_t keep = count ? seed % (count + 1) : 0;
    for (size_t i = 0; i < keep && put(&used, max_size, pieces[i]); i++)
        ;
    count = cut(fob_slice(two, two_size));
    for (size_t i = count ? seed / 256 % count : 0; i < count && put(&used, max_size, pieces[i]);
         i++)
        ;
    memcpy(out, room, used);
    return used;
}
