/* warnings: what the operator is told before something is full: a group that comes near its limits,
 * a disk that does, who needs what is on it, and when it is over. A line when 80% is passed, and
 * one below 70% again. Pure but for the figures asked of the core. */
#ifndef FOB_REPORT_WARNINGS_H
#define FOB_REPORT_WARNINGS_H

#include "bus/core/core.h"

#define FOB_WARNINGS_LINES 8 /* in a look; the rest follow in the next ones */

/* How much room there is, in bytes. */
typedef struct {
    uint64_t most;                                      /* max_disk */
    uint64_t free;                                      /* of it, or what the file system has */
    uint64_t (*pinned)(const void *arg, uint64_t from); /* held by who needs all from there on */
    const void *arg;
} fob_room_t;

typedef struct {
    fob_slice_t name; /* its own copy */
    bool seen;        /* in this look */
} fob_warned_t;

/* Begins as zeros. */
typedef struct {
    fob_warned_t *groups; /* those of which it was said, in order of their names */
    size_t count, capacity;
    bool disk;       /* it was said of the disk */
    int64_t next_ns; /* of the next look */
} fob_warnings_t;

void fob_warnings_free(fob_warnings_t *self);

/* Whether a second has passed since the last look. */
bool fob_warnings_due(const fob_warnings_t *self, fob_now_t now);
/* Looks at every group and at the disk, and tells `say` what is new. Where memory lacks a line may
 * come twice. */
void fob_warnings_look(fob_warnings_t *self, fob_now_t now, fob_core_t *core,
                       const fob_room_t *disk, void (*say)(void *arg, const char *line), void *arg);

/* One group, one disk (`holder`: who holds most of the journal, or NULL). True: `line` is to be
 * said.
 */
bool fob_warnings_group(fob_warnings_t *self, const fob_group_stats_t *group, char *line,
                        size_t size);
bool fob_warnings_disk(fob_warnings_t *self, const fob_room_t *disk,
                       const fob_group_stats_t *holder, char *line, size_t size);

#endif
