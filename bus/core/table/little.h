/* little: numbers as little-endian bytes, wherever they lie. */
#ifndef FOB_CORE_LITTLE_H
#define FOB_CORE_LITTLE_H

#include <stdint.h>

static inline void fob_put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}
static inline void fob_put64(uint8_t *at, uint64_t value) {
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}
static inline uint32_t fob_get32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}
static inline uint64_t fob_get64(const uint8_t *at) {
    return (uint64_t)fob_get32(at) | (uint64_t)fob_get32(at + 4) << 32;
}

#endif
