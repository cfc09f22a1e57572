/* latency: the works of fob_latency, each against a bus of its own and against a bare loop. */
#ifndef FOB_BENCH_LATENCY_H
#define FOB_BENCH_LATENCY_H

#include "tests/bench/rig.h"

#define LAB_PUBLISHERS 256

typedef struct {
    uint64_t events, size, rate, publishers;
    const char *sync;
} lab_options_t;

/* What a work gives: events a second, then microseconds. 0: it has none. */
enum {
    LAB_RATE,
    LAB_CONFIRM_P50,
    LAB_CONFIRM_P99,
    LAB_CONFIRM_MAX,
    LAB_HANDLER_P50,
    LAB_HANDLER_P99,
    LAB_HANDLER_MAX,
    LAB_FIGURES
};

/* Runs one round. False: what it counted is wrong. */
typedef bool(lab_fn)(const lab_options_t *options, double out[LAB_FIGURES]);
lab_fn fob_one, fob_cast, fob_queue, bare_one, bare_cast, bare_queue;

/* What the processes of a round share. */
typedef struct {
    const lab_options_t *options;
    const char *in, *out; /* endpoints */
    sem_t ready;
    double began, ended;
    uint64_t confirmed, handled; /* how many samples there are */
    uint32_t *confirm, *handle;  /* ns */
} lab_t;

lab_t *lab_new(const lab_options_t *options, const char *in, const char *out);
/* Percentiles of the samples, and the rate. False: not every event has its sample. Frees. */
bool lab_result(lab_t **self_p, bool handler, double out[LAB_FIGURES]);

uint64_t lab_now(void); /* ns, monotonic */
/* Waits until event `i` of this rate is due, of a stream that began then. */
void lab_pace(const lab_t *self, uint64_t began, uint64_t i);
/* A sample of an event that was sent at this time. */
void lab_sample(uint32_t *samples, uint64_t *count, const lab_t *self, uint64_t sent);
/* Runs `body` on so many threads, each with its index, and waits for them. */
void lab_threads(lab_t *self, void (*body)(lab_t *lab, uint64_t index));

#endif
