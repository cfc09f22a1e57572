#include "proto/cli/bench/stamp.h"

#include <string.h>

#define BIN32  0xc6 /* msgpack: bytes, their count in four bytes, the highest first */
#define HEAD   5
#define FILLER 0xa5

/* Behind the head, as this machine has them: who reads them is on the same one. */
_Static_assert(HEAD + sizeof(fob_stamp_t) < FOB_STAMP_LEAST, "a stamp and a filler have room");
_Static_assert(sizeof(fob_stamp_t) == 24, "without holes");

void fob_stamp_begin(uint8_t *data, size_t size) {
    uint64_t bytes = size - HEAD;
    memset(data, FILLER, size);
    data[0] = BIN32;
    for (unsigned i = 0; i < 4; i++)
        data[1 + i] = (uint8_t)(bytes >> (24 - 8 * i));
}

void fob_stamp_put(uint8_t *data, const fob_stamp_t *stamp) {
    memcpy(data + HEAD, stamp, sizeof *stamp);
}

bool fob_stamp_read(const void *data, size_t found, size_t size, fob_stamp_t *out) {
    const uint8_t *bytes = data;
    if (found != size || size < FOB_STAMP_LEAST || bytes[0] != BIN32 || bytes[size - 1] != FILLER)
        return false;
    memcpy(out, bytes + HEAD, sizeof *out);
    return true;
}
