/* faults: the N-th call fails, once or from then on: of malloc (tests/unit/scarce.h), or of what
 * the journal asks of a disk. A test tells its story for N = 1, 2, ... until there is no N-th call.
 */
#ifndef FOB_TESTS_FAULTS_H
#define FOB_TESTS_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* All zeros: nothing fails. Calls may come from several threads. */
typedef struct {
    bool watching; /* else calls are neither counted nor fail */
    bool lasting;  /* all behind that call fail too */
    uint64_t calls;
    uint64_t fail_at; /* the number of the call that fails; 0: none */
    uint64_t failed;  /* how many did */
} faults_t;

/* A call is made: whether it fails. */
static inline bool faults_strike(faults_t *self) {
    if (!self->watching)
        return false;
    uint64_t call = __atomic_add_fetch(&self->calls, 1, __ATOMIC_RELAXED);
    bool strikes =
        self->fail_at != 0 && (self->lasting ? call >= self->fail_at : call == self->fail_at);
    if (strikes)
        __atomic_add_fetch(&self->failed, 1, __ATOMIC_RELAXED);
    return strikes;
}

/* Tells the story for each N, first with one call that fails, then with all from it on, until none
 * fails; the last time it is told without a fault. The story sets `watching`, and finds it unset.
 * Gives how many N there were. */
uint64_t faults_each(faults_t *self, void (*story)(void *arg), void *arg);

#endif
