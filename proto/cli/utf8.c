#include "proto/cli/utf8.h"

/* The ranges of Unicode's table 3-7: the second byte's is narrower after some first bytes. */
size_t fob_utf8_step(const uint8_t *at, size_t left) {
    uint8_t first = at[0], low = 0x80, high = 0xbf;
    size_t size;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        size = 2;
    else if ((first & 0xf0) == 0xe0)
        size = 3;
    else if (first >= 0xf0 && first <= 0xf4)
        size = 4;
    else
        return 0;
    if (left < size)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

bool fob_utf8_valid(fob_slice_t text) {
    for (size_t i = 0; i < text.size;) {
        size_t step = fob_utf8_step(text.data + i, text.size - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}
