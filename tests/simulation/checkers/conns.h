/* What a checker keeps of each connection. No two have the same number, and what is said of one
 * that is over may come behind what is said of a newer one. */
#ifndef FOB_TESTS_SIMULATION_CONNS_H
#define FOB_TESTS_SIMULATION_CONNS_H

#include "checker.h"

typedef struct {
    uint8_t *rows;
    size_t count, room;
} sim_conns_t;

/* What is kept of that connection: `size` bytes, zero at first. Good until the next call. */
void *sim_conns_at(sim_conns_t *self, uint32_t conn, size_t size);
/* The next that was asked for, from *at on (0 first); NULL: there are no more. */
void *sim_conns_next(const sim_conns_t *self, size_t *at, size_t size);
/* All are over. */
void sim_conns_clear(sim_conns_t *self);

#endif
