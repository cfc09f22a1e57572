/* lab: what the works of fob_latency have in common. */
#include "tests/bench/latency.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

static size_t samples_size(const lab_options_t *options) {
    return options->events * sizeof(uint32_t);
}

lab_t *lab_new(const lab_options_t *options, const char *in, const char *out) {
    lab_t *self = rig_shared(sizeof *self);
    *self = (lab_t){.options = options, .in = in, .out = out};
    self->confirm = rig_shared(samples_size(options));
    self->handle = rig_shared(samples_size(options));
    sem_init(&self->ready, 1, 0);
    return self;
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void percentiles(uint32_t *samples, uint64_t count, double *out) {
    if (!count)
        return;
    qsort(samples, count, sizeof *samples, ascending);
    out[0] = samples[count / 2] / 1e3;
    out[1] = samples[count * 99 / 100] / 1e3;
    out[2] = samples[count - 1] / 1e3;
}

bool lab_result(lab_t **self_p, bool handler, double out[LAB_FIGURES]) {
    lab_t *self = *self_p;
    uint64_t events = self->options->events;
    bool good = (handler ? self->handled : self->confirmed) == events;
    if (!good)
        printf("  WRONG: of %llu events %llu were confirmed and %llu handled\n",
               (unsigned long long)events, (unsigned long long)self->confirmed,
               (unsigned long long)self->handled);
    out[LAB_RATE] = self->ended > self->began ? (double)events / (self->ended - self->began) : 0;
    percentiles(self->confirm, self->confirmed, out + LAB_CONFIRM_P50);
    percentiles(self->handle, self->handled, out + LAB_HANDLER_P50);
    munmap(self->confirm, samples_size(self->options));
    munmap(self->handle, samples_size(self->options));
    munmap(self, sizeof *self);
    *self_p = NULL;
    return good;
}

uint64_t lab_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void lab_pace(const lab_t *self, uint64_t began, uint64_t i) {
    uint64_t due = began + i * 1000000000 / self->options->rate;
    struct timespec at = {(time_t)(due / 1000000000), (long)(due % 1000000000)};
    if (i == 0)
        prctl(PR_SET_TIMERSLACK, 1UL);
    while (lab_now() < due)
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

void lab_sample(uint32_t *samples, uint64_t *count, const lab_t *self, uint64_t sent) {
    uint64_t took = lab_now() - sent;
    uint64_t at = __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
    if (at < self->options->events)
        samples[at] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
}

typedef struct {
    lab_t *lab;
    void (*body)(lab_t *lab, uint64_t index);
    uint64_t index;
    pthread_t thread;
} hand_t;

static void *hand_run(void *arg) {
    hand_t *hand = arg;
    hand->body(hand->lab, hand->index);
    return NULL;
}

void lab_threads(lab_t *self, void (*body)(lab_t *lab, uint64_t index)) {
    static hand_t hands[LAB_PUBLISHERS];
    for (uint64_t i = 0; i < self->options->publishers; i++) {
        hands[i] = (hand_t){.lab = self, .body = body, .index = i};
        if (pthread_create(&hands[i].thread, NULL, hand_run, &hands[i]) != 0)
            rig_die("no thread can be started");
    }
    for (uint64_t i = 0; i < self->options->publishers; i++)
        pthread_join(hands[i].thread, NULL);
}
