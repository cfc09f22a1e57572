/* tally: what one consumer of a round has seen, in memory that it shares with the harness: each
 * event once, in order of its publisher, and how long it took. One process writes; the counters may
 * be read meanwhile. */
#ifndef FOB_BENCH_CONSUMER_TALLY_H
#define FOB_BENCH_CONSUMER_TALLY_H

#include "proto/cli/bench/histogram.h"
#include "tests/bench/works.h"

#include <stdatomic.h>

/* The first bytes of an event. */
typedef struct {
    uint64_t number; /* from 0, of its publisher; TALLY_PROBE: no event */
    uint64_t sent;   /* ns */
    uint32_t publisher;
    uint32_t mark; /* TALLY_MARK: this is one of ours */
} tally_body_t;
#define TALLY_PROBE UINT64_MAX
#define TALLY_MARK  0x666f6221u

typedef struct {
    atomic_uint_fast64_t distinct; /* events that this one has seen */
    atomic_uint_fast64_t arrived;  /* and how many came, with those that came twice */
    uint64_t disordered, strange;  /* strange: nothing that was sent in this round */
    uint64_t first, last;          /* ns, when they came */
    uint64_t next[WORK_PUBLISHERS];
    fob_histogram_t delay;
    uint64_t seen[]; /* a bit an event, publisher after publisher */
} tally_t;

/* Bytes of a tally of `events` events, a multiple of 64. */
size_t tally_size(uint64_t events);
/* Takes an event that came `now` (0: the clock was not read, no time is told by it), in a round of
 * `each` events of each of `publishers`. */
void tally_take(tally_t *self, const tally_body_t *body, uint64_t each, uint32_t publishers,
                uint64_t now);
/* How many events several have seen together. */
uint64_t tally_together(const tally_t *const *tallies, unsigned count, uint64_t events);

#endif
