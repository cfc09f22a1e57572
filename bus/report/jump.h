/* jump: notices that the wall clock was set, by comparing it with the monotonic one. Times in the
 * journal never go back; what waits for a wall time (retention, later delays and expiry) does move,
 * so the operator is told. Pure. */
#ifndef FOB_REPORT_JUMP_H
#define FOB_REPORT_JUMP_H

#include "proto/now.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define FOB_JUMP_LEAST_MS                                                                          \
    60000 /* of less, nothing is said: clocks are slewed and stepped a little */

/* Begins as zeros. */
typedef struct {
    bool began;
    int64_t offset_ms; /* wall clock less monotonic clock, as last told */
} fob_jump_t;

/* True: since it was last looked at the wall clock jumped by more than a minute; `line` says so. */
static inline bool fob_jump_look(fob_jump_t *self, fob_now_t now, char *line, size_t size) {
    int64_t offset_ms = now.wall_ms - now.mono_ns / FOB_MS, by = offset_ms - self->offset_ms;
    bool jumped = self->began && (by > FOB_JUMP_LEAST_MS || by < -FOB_JUMP_LEAST_MS);
    if (jumped)
        snprintf(line, size,
                 "the wall clock jumped %s by %" PRId64
                 " s: times of events go on from the latest that was given",
                 by > 0 ? "forward" : "back", (by > 0 ? by : -by) / 1000);
    if (jumped || !self->began)
        self->offset_ms = offset_ms;
    self->began = true;
    return jumped;
}

#endif
