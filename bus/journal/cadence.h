/* cadence: how much is appended from one checkpoint to the next. A start after a kill reads so much
 * again, and twice as much while one was under way. */
#ifndef FOB_JOURNAL_CADENCE_H
#define FOB_JOURNAL_CADENCE_H

#include <stdint.h>

#define FOB_CADENCE_LEAST (UINT64_C(16) << 20)
#define FOB_CADENCE_MOST  (UINT64_C(64) << 20)
#define FOB_CADENCE_SHARE 4

/* Bytes; `slices`: of the last checkpoint: where it is large they come more rarely, so that they
 * stay a small part of what is written. */
static inline uint64_t fob_cadence(uint64_t slices, uint64_t max_bytes) {
    uint64_t every = slices * FOB_CADENCE_SHARE;
    every = every < FOB_CADENCE_LEAST ? FOB_CADENCE_LEAST : every;
    every = every > FOB_CADENCE_MOST ? FOB_CADENCE_MOST : every;
    return every < max_bytes / 8 ? every : max_bytes / 8;
}

/* The least where there is no room, and one is wanted as soon as it is worth it. */
static inline uint64_t fob_cadence_short(uint64_t slices) {
    uint64_t least = slices / FOB_CADENCE_SHARE;
    return least < FOB_CADENCE_LEAST ? least : FOB_CADENCE_LEAST;
}

#endif
