/* round: one work, done once by one peer. */
#ifndef FOB_BENCH_ROUND_H
#define FOB_BENCH_ROUND_H

#include "tests/bench/peers/peer.h"

typedef struct {
    bool good;    /* it ran to its end; what it lost or had twice is in the figures */
    char why[96]; /* not good: one sentence */
    double figures[FIGURES];
} round_result_t;

/* Runs it with `events` events. */
void round_run(const peer_t *peer, const work_t *work, uint64_t events, round_result_t *result);

#endif
