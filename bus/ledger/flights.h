/* flights: which publishes are not durable yet, and where each session stood before them: so that
 * nobody is told of a number that a crash could still take back. Pure. */
#ifndef FOB_LEDGER_FLIGHTS_H
#define FOB_LEDGER_FLIGHTS_H

#include "proto/wire.h"

typedef struct {
    uint8_t session[FOB_SESSION_SIZE];
    uint64_t position; /* of the commit that it is in */
    uint64_t before;   /* the session's last number until then */
} fob_flight_t;

/* Begins as zeros. */
typedef struct {
    fob_flight_t *ring;
    size_t first, count, room;
    uint64_t unsure; /* flights up to this position are not noted, as memory ran out */
} fob_flights_t;

void fob_flights_free(fob_flights_t *self);

/* The session (FOB_SESSION_SIZE bytes) goes on from number `before`, by the commit at `position`,
 * which is not lower than in any call before. Cannot fail: without memory fob_flights_last is more
 * careful. */
void fob_flights_add(fob_flights_t *self, const uint8_t *session, uint64_t position,
                     uint64_t before);

/* The session's last number that is durable, where `last` is the last one stored and `durable` the
 * position up to which all is durable (it never goes back). Where that is not known any more: 0. */
uint64_t fob_flights_last(fob_flights_t *self, const uint8_t *session, uint64_t durable,
                          uint64_t last);

/* Forgets what became durable. */
void fob_flights_durable(fob_flights_t *self, uint64_t durable);

#endif
