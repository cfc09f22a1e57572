/* walk: finds the next event of a group, through the sheets that are in memory.
 *
 * Events with a priority are known by their lists (prio.h) and are looked up where they lie. For
 * those of priority 0 there are two walks: over what may have been out before the start (resume),
 * and over what was never out (fresh); they pass over events with a priority, and cover none. Each
 * asks for the page it lacks; what it finds does not depend on when a page comes. */
#ifndef FOB_CORE_WALK_H
#define FOB_CORE_WALK_H

#include "bus/core/durable/runs.h"

typedef enum {
    FOB_WALK_FOUND,
    FOB_WALK_END,     /* nothing more that may go out */
    FOB_WALK_BLOCKED, /* a page must come first; the group is woken then */
    FOB_WALK_HOLE,    /* what comes next cannot be read */
    FOB_WALK_MEMORY   /* no memory: try again later */
} fob_walk_t;

/* Where an event lies. */
typedef struct {
    fob_sheet_t *sheet;
    uint32_t index;
} fob_place_t;

/* What an event's place in its sheet tells. */
static inline uint64_t fob_place_offset(const fob_place_t *place) {
    return fob_sheet_offset(place->sheet, place->index);
}
static inline uint32_t fob_place_bytes(const fob_place_t *place, uint32_t count) {
    const uint32_t *begin = place->sheet->begin + place->index;
    return begin[count] - begin[0];
}

/* The last offset that may be handed out. */
static inline uint64_t fob_walk_limit(const fob_core_t *self, const fob_group_t *group) {
    return fob_census_runs(group) ? group->census_at - 1 : self->head;
}

/* Stands a group's walks and marks at the beginning of what is not covered. With `resume`, that is
 * at the start: what may be out from before is the resume walk's. Without, a new generation begins:
 * nothing is out, and group->mark_offset says so. */
void fob_walk_begin(fob_core_t *self, fob_group_t *group, bool resume);

/* The event itself, which is known to be the group's, and has this priority. */
fob_walk_t fob_walk_to(fob_core_t *self, fob_group_t *group, uint64_t offset, unsigned priority,
                       fob_place_t *place);

/* Moves group->cursor to the next event of priority 0 for a first hand-out. What the walk covers
 * on its way, be it nobody's or unreadable, goes into `runs`, the caller's (see fob_runs_lazy).
 * FOUND, END, BLOCKED, MEMORY. */
fob_walk_t fob_walk_fresh(fob_runs_writer_t *runs, fob_place_t *place);

/* Moves group->resume_at to the next event of priority 0 that may have been out and was not
 * claimed; the same for the rest. */
fob_walk_t fob_walk_resume(fob_runs_writer_t *runs, fob_place_t *place);

/* How many events from the place on, in one sheet and one after the other, are the group's, of
 * priority 0 and not covered: at most `most`, and not beyond the offset `last`. */
uint32_t fob_walk_stretch(fob_core_t *self, const fob_group_t *group, const fob_place_t *place,
                          uint32_t most, uint64_t last);

/* What the census sees: the sheet that holds an offset. FOUND, BLOCKED, HOLE (*end: the first
 * offset behind it), MEMORY. */
fob_walk_t fob_walk_look(fob_core_t *self, fob_group_t *group, uint64_t offset, fob_place_t *place,
                         uint64_t *end);

/* The events of one sheet that are a group's. */
typedef struct {
    const fob_sheet_t *sheet;
    fob_slice_t pattern;
    uint32_t *match; /* by topic: id no, id + 1 yes, else not known yet */
    uint32_t id;
    bool all, none;
} fob_matcher_t;
/* False: no memory. Good until the next one is made. */
bool fob_matcher_init(fob_matcher_t *self, fob_core_t *core, const fob_group_t *group,
                      const fob_sheet_t *sheet);
bool fob_matcher_has(fob_matcher_t *self, uint32_t index);

#endif
