/* What the harness (round.c) and the processes of a round (role.c) share. */
#ifndef FOB_BENCH_ROUND_INSIDE_H
#define FOB_BENCH_ROUND_INSIDE_H

#include "tests/bench/peers/peer.h"
#include "tests/bench/tally.h"

#include <stdatomic.h>

#define ROUND_SENT 65536 /* send times that are kept until the confirm */

/* Of one publisher. */
typedef struct {
    atomic_uint_fast64_t heard; /* a bit for each consumer that has had a probe */
    atomic_uint_fast64_t sent, confirmed;
    uint64_t first, last, last_confirmed; /* ns */
    uint64_t sent_at[ROUND_SENT];
    fob_histogram_t delay; /* from send to confirm */
} round_sender_t;

struct round {
    const peer_t *peer;
    atomic_uint ready;       /* consumers, then publishers, that said so */
    atomic_bool began, over; /* told to publishers; to consumers */
    atomic_uint_fast64_t start;
    unsigned consumers;
    uint64_t each; /* events of a publisher */
    size_t mapped, tally_size;
    round_sender_t *senders; /* of each publisher */
    uint8_t *tallies;        /* of each consumer, tally_size apart */
};

static inline tally_t *round_tally(const round_t *self, unsigned consumer) {
    return (tally_t *)(void *)(self->tallies + consumer * self->tally_size);
}

/* Whether the clock is read for event `number`: of a flood for each 64th. */
static inline bool round_timed(const work_t *work, uint64_t number) {
    return work->rate > 0 || work->kind == WORK_ONE || number % 64 == 0;
}

#endif
