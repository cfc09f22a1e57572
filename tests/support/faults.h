/* faults: the N-th call fails, once or from then on: of malloc (tests/unit/scarce.h), or of what
 * the journal asks of a disk. A test tells its story for N = 1, 2, ... until there is no N-th call.
 */
#ifndef FOB_TESTS_FAULTS_H
#define FOB_TESTS_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* All zeros: nothing fails. Calls may come from several threads. */
typedef struct {
    _Atomic bool watching; /* else calls are neither counted nor fail */
    bool lasting;          /* all behind that call fail too */
    _Atomic uint64_t calls;
    uint64_t fail_at;        /* the number of the call that fails; 0: none */
    _Atomic uint64_t failed; /* how many did */
} faults_t;

/* Nothing is ordered by it: what races in the code races here too. */
static inline bool faults_watching(faults_t *self) {
    return atomic_load_explicit(&self->watching, memory_order_relaxed);
}

/* A call is made: whether it fails. */
static inline bool faults_strike(faults_t *self) {
    if (!faults_watching(self))
        return false;
    uint64_t call = atomic_fetch_add_explicit(&self->calls, 1, memory_order_relaxed) + 1;
    bool strikes =
        self->fail_at != 0 && (self->lasting ? call >= self->fail_at : call == self->fail_at);
    if (strikes)
        atomic_fetch_add_explicit(&self->failed, 1, memory_order_relaxed);
    return strikes;
}

/* Tells the story for each N, first with one call that fails, then with all from it on, until none
 * fails; the last time it is told without a fault. The story sets `watching`, and finds it unset.
 * Gives how many N there were. */
uint64_t faults_each(faults_t *self, void (*story)(void *arg), void *arg);

#endif
