#include "sim_offers.h"

#include "proto/envelope.h"

uint64_t sim_offers_read(sim_offers_t *self, uint32_t conn, uint64_t first, fob_slice_t body) {
    uint32_t place = conn % SIM_CONNECTIONS;
    fob_cursor_t cursor = fob_cursor(body);
    if (self->conn[place] != conn)
        memset(self->sizes[place], 0, sizeof self->sizes[place]);
    self->conn[place] = conn;
    uint64_t number = first;
    for (; !fob_cursor_end(&cursor); number++) {
        fob_cursor_t from = cursor;
        if (!fob_cursor_skip(&cursor, NULL))
            break;
        self->sizes[place][number % SIM_OFFERS_KEPT] = (uint32_t)(cursor.at - from.at);
    }
    return number - first;
}

uint64_t sim_offers_size(const sim_offers_t *self, uint32_t conn, uint64_t number) {
    uint32_t place = conn % SIM_CONNECTIONS;
    return self->conn[place] == conn ? self->sizes[place][number % SIM_OFFERS_KEPT] : 0;
}
