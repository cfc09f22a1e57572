#include "bus/ledger/flights.h"

#include "proto/ring.h"

#include <stdlib.h>
#include <string.h>

void fob_flights_free(fob_flights_t *self) {
    free(self->ring);
    *self = (fob_flights_t){0};
}

static fob_flight_t *at(const fob_flights_t *self, size_t index) {
    return &self->ring[(self->first + index) & (self->room - 1)];
}

static bool grow(fob_flights_t *self) {
    fob_flight_t *ring =
        fob_ring_reserve(self->ring, sizeof *ring, &self->room, &self->first, self->count, 1);
    if (!ring)
        return false;
    self->ring = ring;
    return true;
}

void fob_flights_add(fob_flights_t *self, const uint8_t *session, uint64_t position,
                     uint64_t before) {
    if (self->count > 0) {
        const fob_flight_t *newest = at(self, self->count - 1);
        if (newest->position == position && memcmp(newest->session, session, FOB_SESSION_SIZE) == 0)
            return; /* it is about what was before the first of them */
    }
    if (!grow(self)) {
        self->unsure = position;
        return;
    }
    fob_flight_t *flight = at(self, self->count++);
    memcpy(flight->session, session, FOB_SESSION_SIZE);
    flight->position = position;
    flight->before = before;
}

void fob_flights_durable(fob_flights_t *self, uint64_t durable) {
    while (self->count > 0 && at(self, 0)->position <= durable) {
        self->first = (self->first + 1) & (self->room - 1);
        self->count--;
    }
}

uint64_t fob_flights_last(fob_flights_t *self, const uint8_t *session, uint64_t durable,
                          uint64_t last) {
    fob_flights_durable(self, durable);
    if (self->unsure > durable)
        return 0;
    for (size_t i = 0; i < self->count; i++)
        if (memcmp(at(self, i)->session, session, FOB_SESSION_SIZE) == 0)
            return at(self, i)->before;
    return last;
}
