#include "bus/ledger/flights.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64

void fob_flights_free(fob_flights_t *self) {
    free(self->ring);
    *self = (fob_flights_t){0};
}

static fob_flight_t *at(const fob_flights_t *self, size_t index) {
    return &self->ring[(self->first + index) % self->room];
}

static bool grow(fob_flights_t *self) {
    size_t room = self->room ? 2 * self->room : FIRST_ROOM;
    fob_flight_t *ring = malloc(room * sizeof *ring);
    if (!ring)
        return false;
    for (size_t i = 0; i < self->count; i++)
        ring[i] = *at(self, i);
    free(self->ring);
    self->ring = ring;
    self->room = room;
    self->first = 0;
    return true;
}

void fob_flights_add(fob_flights_t *self, const uint8_t *session, uint64_t position,
                     uint64_t before) {
    if (self->count > 0) {
        const fob_flight_t *newest = at(self, self->count - 1);
        if (newest->position == position && memcmp(newest->session, session, FOB_SESSION_SIZE) == 0)
            return; /* it is about what was before the first of them */
    }
    if (self->count == self->room && !grow(self)) {
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
        self->first = (self->first + 1) % self->room;
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
