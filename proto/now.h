/* now: the time a step function is told. Two clocks, because each lies about something else. */
#ifndef FOB_NOW_H
#define FOB_NOW_H

#include <stdint.h>

typedef struct {
    int64_t mono_ns; /* never goes back; for leases, beats, back-off; meaningless across starts */
    int64_t wall_ms; /* Unix time; jumps both ways; for stamps, ttl, delay, the dedup window */
} fob_now_t;

#define FOB_NEVER INT64_MAX             /* a deadline (mono_ns) that does not come */
#define FOB_MS    ((int64_t)1000000)    /* in nanoseconds */
#define FOB_SEC   ((int64_t)1000000000) /* in nanoseconds */

#endif
