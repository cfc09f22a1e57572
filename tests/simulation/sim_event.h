/* The events of the simulated publishers. What an event is follows from the world's seed, who
 * published it and its number there: so whoever finds one somewhere can tell whether it is whole.
 */
#ifndef FOB_TESTS_SIMULATION_EVENT_H
#define FOB_TESTS_SIMULATION_EVENT_H

#include "proto/envelope.h"

#define SIM_TOPICS    6
#define SIM_DATA_MAX  8192
#define SIM_DUPLICATE 8 /* every so many-th event is one more of an earlier one's id */

typedef struct {
    uint32_t publisher;
    uint64_t serial; /* what its data says: for an exact duplicate that of the first */
    uint64_t id_of;  /* serial of the first with this id; 0: it has none */
    unsigned topic;
    uint8_t priority;
    char id[32], key[8];
    size_t size;
    uint8_t data[SIM_DATA_MAX];
} sim_event_t;

extern const char *const sim_topics[SIM_TOPICS];

/* The topics of a publisher, by bit. */
unsigned sim_event_topics(uint32_t publisher);
/* The event that `publisher` offers as its serial-th, from 1. */
void sim_event_offer(uint64_t seed, uint32_t publisher, uint64_t serial, sim_event_t *out);
/* The event whose data says so. */
void sim_event_make(uint64_t seed, uint32_t publisher, uint64_t serial, sim_event_t *out);
/* Whether some later one is offered with the very same bytes. */
bool sim_event_repeated(uint64_t seed, uint32_t publisher, uint64_t serial);
/* Reads back who published an event. False: it is none of ours. */
bool sim_event_whose(fob_slice_t data, uint32_t *publisher, uint64_t *serial);
/* As an envelope that points into it. */
fob_envelope_t sim_event_envelope(const sim_event_t *event);
/* Whether an event that was met is, byte for byte, one that was published. */
bool sim_event_whole(uint64_t seed, const fob_envelope_t *met, sim_event_t *out);

#endif
