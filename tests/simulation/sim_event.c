#include "sim_event.h"

#include "random.h"

#include <stdio.h>
#include <string.h>

#define MAGIC UINT32_C(0x626f665e)
#define HEAD  16 /* magic, publisher, serial */

const char *const sim_topics[SIM_TOPICS] = {"orders.eu",    "orders.us", "mail",
                                            "audit.eu.log", "pay.card",  "pay.iban"};

static sim_random_t random_of(uint64_t seed, uint32_t publisher, uint64_t serial) {
    return sim_random_new(seed ^ ((uint64_t)publisher << 40) ^
                          serial * UINT64_C(0x9e3779b97f4a7c15));
}

typedef struct {
    uint64_t of; /* 0: it is no duplicate */
    bool exact;
} twin_t;

static twin_t twin_of(uint64_t seed, uint32_t publisher, uint64_t serial) {
    sim_random_t random = random_of(seed + 1, publisher, serial);
    if (serial % SIM_DUPLICATE != SIM_DUPLICATE - 1)
        return (twin_t){0, false};
    uint64_t of = serial - 1 - sim_random_below(&random, SIM_DUPLICATE - 2);
    return (twin_t){of, !sim_random_once(&random, 3)};
}

static bool has_id(uint64_t seed, uint32_t publisher, uint64_t serial) {
    sim_random_t random = random_of(seed + 2, publisher, serial);
    return sim_random_below(&random, 3) != 0;
}

static unsigned topic_of(uint64_t seed, uint32_t publisher, uint64_t serial) {
    sim_random_t random = random_of(seed + 3, publisher, serial);
    unsigned width = 1 + publisher % 3; /* a publisher has a few topics */
    return (publisher + (unsigned)sim_random_below(&random, width)) % SIM_TOPICS;
}

unsigned sim_event_topics(uint32_t publisher) {
    unsigned topics = 0;
    for (unsigned i = 0; i < 1 + publisher % 3; i++)
        topics |= 1u << (publisher + i) % SIM_TOPICS;
    return topics;
}

static void fill(uint64_t seed, sim_event_t *out) {
    sim_random_t random = random_of(seed + 4, out->publisher, out->serial);
    uint32_t magic = MAGIC;
    out->size =
        HEAD + (size_t)sim_random_skewed(&random, sim_random_once(&random, 64) ? 8000 : 200);
    memcpy(out->data, &magic, 4);
    memcpy(out->data + 4, &out->publisher, 4);
    memcpy(out->data + 8, &out->serial, 8);
    sim_random_fill(&random, out->data + HEAD, out->size - HEAD);
}

void sim_event_make(uint64_t seed, uint32_t publisher, uint64_t serial, sim_event_t *out) {
    twin_t twin = twin_of(seed, publisher, serial);
    bool again = twin.of && has_id(seed, publisher, twin.of);
    sim_random_t random = random_of(seed + 5, publisher, serial);
    out->publisher = publisher;
    out->serial = serial;
    out->id_of = again ? twin.of : has_id(seed, publisher, serial) ? serial : 0;
    out->topic = topic_of(seed, publisher, again ? twin.of : serial);
    out->priority = sim_random_below(&random, 4) ? 0 : (uint8_t)sim_random_below(&random, 10);
    out->id[0] = out->key[0] = 0;
    if (out->id_of)
        snprintf(out->id, sizeof out->id, "p%u-%llu", publisher, (unsigned long long)out->id_of);
    if (sim_random_once(&random, 2))
        snprintf(out->key, sizeof out->key, "k%u", (unsigned)sim_random_below(&random, 20));
    fill(seed, out);
}

void sim_event_offer(uint64_t seed, uint32_t publisher, uint64_t serial, sim_event_t *out) {
    twin_t twin = twin_of(seed, publisher, serial);
    bool exact = twin.of && twin.exact && has_id(seed, publisher, twin.of);
    sim_event_make(seed, publisher, exact ? twin.of : serial, out);
}

bool sim_event_repeated(uint64_t seed, uint32_t publisher, uint64_t serial) {
    uint64_t later = serial - serial % SIM_DUPLICATE + SIM_DUPLICATE - 1;
    if (later <= serial)
        return false;
    twin_t twin = twin_of(seed, publisher, later);
    return twin.of == serial && twin.exact && has_id(seed, publisher, serial);
}

bool sim_event_whose(fob_slice_t data, uint32_t *publisher, uint64_t *serial) {
    uint32_t magic;
    if (data.size < HEAD)
        return false;
    memcpy(&magic, data.data, 4);
    memcpy(publisher, data.data + 4, 4);
    memcpy(serial, data.data + 8, 8);
    return magic == MAGIC;
}

fob_envelope_t sim_event_envelope(const sim_event_t *event) {
    return (fob_envelope_t){.topic = fob_slice_str(sim_topics[event->topic]),
                            .id = fob_slice_str(event->id),
                            .key = fob_slice_str(event->key),
                            .priority = event->priority,
                            .data = fob_slice(event->data, event->size)};
}

bool sim_event_whole(uint64_t seed, const fob_envelope_t *met, sim_event_t *out) {
    uint32_t publisher;
    uint64_t serial;
    if (!sim_event_whose(met->data, &publisher, &serial))
        return false;
    sim_event_make(seed, publisher, serial, out);
    fob_envelope_t made = sim_event_envelope(out);
    return fob_slice_eq(made.topic, met->topic) && fob_slice_eq(made.id, met->id) &&
           fob_slice_eq(made.key, met->key) && fob_slice_eq(made.data, met->data) &&
           made.priority == met->priority;
}
