/* clock: the two clocks, read once a round by the shells and told to the step functions. */
#ifndef FOB_HOST_CLOCK_H
#define FOB_HOST_CLOCK_H

#include "proto/now.h"

#include <time.h>

static inline fob_now_t fob_clock_now(void) {
    struct timespec mono, wall;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (fob_now_t){mono.tv_sec * FOB_SEC + mono.tv_nsec,
                       wall.tv_sec * 1000 + wall.tv_nsec / 1000000};
}

/* How long to sleep until a deadline, in ms as zmq_poll wants it; FOB_NEVER: -1. */
static inline long fob_patience(int64_t deadline_ns) {
    if (deadline_ns == FOB_NEVER)
        return -1;
    int64_t left = deadline_ns - fob_clock_now().mono_ns;
    return left <= 0 ? 0 : (long)((left + FOB_MS - 1) / FOB_MS);
}

#endif
