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

#endif
