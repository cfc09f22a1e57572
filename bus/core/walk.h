/* walk: finds the next event of a group, through the sheets that are in memory.
 *
 * There are two walks: over what may have been out before the start (resume), and over what was
 * never out (fresh). Each asks for the page it lacks; what it finds does not depend on when a page
 * comes. */
#ifndef FOB_CORE_WALK_H
#define FOB_CORE_WALK_H

#include "bus/core/runs.h"

typedef enum {
    FOB_WALK_FOUND,
    FOB_WALK_END,     /* nothing more up to the head */
    FOB_WALK_BLOCKED, /* a page must come first; the group is woken then */
    FOB_WALK_MEMORY   /* no memory: try again later */
} fob_walk_t;

/* Where an event lies. */
typedef struct {
    fob_sheet_t *sheet;
    uint32_t index;
} fob_place_t;

/* The event itself, which is known to be the group's. HOLE as FOB_WALK_END. */
fob_walk_t fob_walk_to(fob_core_t *self, fob_group_t *group, uint64_t offset, fob_place_t *place);

/* Moves group->cursor to the next event for a first hand-out. What cannot be read is covered by a
 * record. */
fob_walk_t fob_walk_fresh(fob_core_t *self, fob_group_t *group, fob_place_t *place);

/* Moves group->resume_at to the next event that may have been out and was not claimed. What cannot
 * be read, and the rest when it ends, is put into `runs` (up to two runs more than the caller needs
 * himself). */
fob_walk_t fob_walk_resume(fob_core_t *self, fob_group_t *group, fob_runs_writer_t *runs,
                           fob_place_t *place);

/* How many events from the place on, in one sheet and one after the other, are the group's: at most
 * `most`. */
uint32_t fob_walk_stretch(fob_core_t *self, const fob_group_t *group, const fob_place_t *place,
                          uint32_t most);

#endif
