/* pace: a line for the operator that may come often: one a second, and how many were left out.
 * Pure.
 */
#ifndef FOB_REPORT_PACE_H
#define FOB_REPORT_PACE_H

#include "proto/now.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/* Begins as zeros. */
typedef struct {
    bool began;
    int64_t at_ns;
    uint64_t untold;
} fob_pace_t;

/* True: say `line`, which is the sentence and how often it was true since it was said last. False:
 * not now; it is counted. */
static inline bool fob_pace(fob_pace_t *self, int64_t now_ns, const char *sentence, char *line,
                            size_t size) {
    if (self->began && now_ns - self->at_ns < FOB_SEC) {
        self->untold++;
        return false;
    }
    if (self->untold)
        snprintf(line, size, "%s (and %" PRIu64 " times before)", sentence, self->untold);
    else
        snprintf(line, size, "%s", sentence);
    *self = (fob_pace_t){.began = true, .at_ns = now_ns};
    return true;
}

#endif
