/* random: numbers that a seed decides, the same on every machine (splitmix64). */
#ifndef FOB_TESTS_SIMULATION_RANDOM_H
#define FOB_TESTS_SIMULATION_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t state;
} sim_random_t;

/* Seeds that are near each other give sequences that are not. */
sim_random_t sim_random_new(uint64_t seed);
uint64_t sim_random_next(sim_random_t *self);
/* 0 .. below - 1; 0 for below 0. */
uint64_t sim_random_below(sim_random_t *self, uint64_t below);
/* low .. high, both included. */
uint64_t sim_random_between(sim_random_t *self, uint64_t low, uint64_t high);
/* True once in `in` times on average; never for 0. */
bool sim_random_once(sim_random_t *self, uint64_t in);
/* Mostly small, now and then up to `most`: each power of two is as likely as every other. */
uint64_t sim_random_skewed(sim_random_t *self, uint64_t most);
void sim_random_fill(sim_random_t *self, void *data, size_t size);
/* A generator of its own, so that what one part draws does not move what another gets. */
sim_random_t sim_random_fork(sim_random_t *self);

#endif
