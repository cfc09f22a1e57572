/* How large the events are that publishers offer, by connection and number: as far as the window
 * goes. */
#ifndef FOB_TESTS_SIMULATION_OFFERS_H
#define FOB_TESTS_SIMULATION_OFFERS_H

#include "proto/slice.h"
#include "sim_network.h"

#define SIM_OFFERS_KEPT 4096

typedef struct {
    uint32_t conn[SIM_CONNECTIONS];
    uint32_t sizes[SIM_CONNECTIONS][SIM_OFFERS_KEPT];
} sim_offers_t;

/* A PUBLISH is read: `body` holds the events from number `first` on. Gives how many. */
uint64_t sim_offers_read(sim_offers_t *self, uint32_t conn, uint64_t first, fob_slice_t body);
/* Bytes of that event, as groups count them; 0: it was not offered on that connection. */
uint64_t sim_offers_size(const sim_offers_t *self, uint32_t conn, uint64_t number);

#endif
