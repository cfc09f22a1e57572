/* client: what every client of `fob bench` does: tells that it is ready, follows the phase, says
 * why it cannot go on, and notices that the bus has gone. Main thread of the client's process. */
#ifndef FOB_BENCH_CLIENT_H
#define FOB_BENCH_CLIENT_H

#include "proto/cli/bench/board.h"

typedef struct {
    fob_board_t *board;
    const fob_bench_plan_t *plan;
    fob_bench_slot_t *slot;
    uint32_t index;    /* among those of its kind */
    int64_t looked_ns; /* when fob_client_lives last looked */
    int64_t away_ns;   /* since when the bus is away; 0: it is there */
} fob_client_t;

/* What a client does from its first phase to its last. */
typedef void(fob_client_fn)(fob_client_t *self);

/* The parts that `fob bench` is made of: main joins them. */
typedef struct {
    fob_client_fn *load;  /* publishes */
    fob_client_fn *gauge; /* subscribes */
    fob_client_fn *take;  /* works */
} fob_bench_parts_t;

/* Waits until the phase is this one, or a later one. False: the run has ended meanwhile. */
bool fob_client_await(const fob_client_t *self, fob_bench_phase_t phase);

void fob_client_ready(fob_client_t *self);
void fob_client_done(fob_client_t *self);

/* Why it cannot go on; the first reason stays. `trouble` is the library's, "" or NULL: none. */
void fob_client_fail(fob_client_t *self, fob_status_t status, const char *trouble);
bool fob_client_failed(const fob_client_t *self);

/* Whether it is time to look after the bus again, some times a second. */
bool fob_client_looks(fob_client_t *self, int64_t now_ns);
/* What was seen: the library's trouble, "" where all is well. False: the bus has been away for as
 * long as anybody tries to reach it at first; the client has failed. */
bool fob_client_lives(fob_client_t *self, int64_t now_ns, const char *trouble);

/* Counts on the slot; the client is the only one that writes there. */
static inline void fob_client_count(_Atomic uint64_t *figure, uint64_t more) {
    atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

#endif
