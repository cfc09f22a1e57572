/* tally: which events of a publisher were seen: what came, came twice, came out of order, or is
 * missing.
 *
 * A tally is a set of numbers, a bit each, in memory that its owner gives and that may be shared
 * between processes: the workers of a group mark one together. An order is one reader's own. */
#ifndef FOB_BENCH_TALLY_H
#define FOB_BENCH_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of the numbers below `capacity`; any thread of any process that has the memory. */
typedef struct {
    _Atomic uint64_t *words; /* fob_tally_words of them, zero at first */
    uint64_t capacity;
} fob_tally_t;

static inline size_t fob_tally_words(uint64_t capacity) {
    return (size_t)((capacity + 63) / 64);
}

/* Marks a number below the capacity. True: it was not marked before. */
bool fob_tally_mark(const fob_tally_t *self, uint64_t number);

/* How many of the numbers below `end` (at most the capacity) are in `all` and not in `seen`. Both
 * have the same capacity. */
uint64_t fob_tally_missing(const fob_tally_t *all, const fob_tally_t *seen, uint64_t end);

/* The order in which one reader gets each publisher's events. A publisher's event `number` is of
 * topic `number % topics`, and order is promised within a topic. One thread. */
typedef struct {
    uint64_t *next; /* the lowest number that may come, by publisher and topic */
    uint32_t sources, topics;
} fob_order_t;

/* False: no memory. */
bool fob_order_begin(fob_order_t *self, uint32_t sources, uint32_t topics);
void fob_order_end(fob_order_t *self);

/* Notes an event that came for the first time. True: no later one of its publisher and topic came
 * before it. */
bool fob_order_note(fob_order_t *self, uint32_t source, uint64_t number);

#endif
