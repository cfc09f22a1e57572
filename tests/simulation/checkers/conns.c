#include "conns.h"

#include "../sim_network.h"

void *sim_conns_at(sim_conns_t *self, uint32_t conn, size_t size) {
    size_t index = conn / SIM_CONNECTIONS; /* grows by one with each connection */
    while (index >= self->room)
        self->rows = sim_grow(self->rows, self->room, &self->room, size);
    if (index >= self->count)
        self->count = index + 1;
    return self->rows + index * size;
}

void *sim_conns_next(const sim_conns_t *self, size_t *at, size_t size) {
    return *at < self->count ? self->rows + size * (*at)++ : NULL;
}

void sim_conns_clear(sim_conns_t *self) {
    free(self->rows);
    *self = (sim_conns_t){0};
}
