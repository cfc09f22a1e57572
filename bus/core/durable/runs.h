/* runs: builds one record of runs for a group, joining neighbours, and applies it. */
#ifndef FOB_CORE_RUNS_H
#define FOB_CORE_RUNS_H

#include "bus/core/state.h"

/* How large an event is that comes back. */
typedef struct {
    uint64_t offset;
    uint32_t size;
} fob_runs_size_t;

typedef struct {
    fob_core_t *core;
    fob_group_t *group;
    uint8_t *bytes;
    size_t room, head, size;      /* head: of the record, before its runs */
    fob_run_record_t last;        /* not written yet; verb 0: none */
    fob_runs_size_t *sizes;       /* in the turn; NULL: none yet */
    size_t size_count, size_room; /* size_room: events that may come back by it */
    bool any;                     /* there was a record before this one */
} fob_runs_writer_t;

/* Reserves all that a record of up to `runs` runs over up to `events` events can need. False: no
 * memory. */
bool fob_runs_begin(fob_runs_writer_t *self, fob_core_t *core, fob_group_t *group, size_t runs,
                    size_t events);
/* The same, with a note for every RETURN and DEAD: up to FOB_NOTE_MAX bytes each, both may be
 * empty; borrowed for this call only. */
bool fob_runs_begin_noted(fob_runs_writer_t *self, fob_core_t *core, fob_group_t *group,
                          size_t runs, size_t events, fob_slice_t worker, fob_slice_t text);
/* The same for runs after which nothing is left to wait, and nothing dead: ACK, SHED, REMOVE,
 * COVER, UNBURY, ACCEPT. */
bool fob_runs_begin_ends(fob_runs_writer_t *self, fob_core_t *core, fob_group_t *group,
                         size_t runs);
/* Room for what so many runs do to a group beside what comes back or dies; needed where two records
 * of one group are open at a time, for the runs of both. False: no memory. */
bool fob_runs_room(fob_group_t *group, size_t runs);
/* Of a RETURN, `bytes` is not in the record: the table of what came back keeps it. */
void fob_runs_put(fob_runs_writer_t *self, const fob_run_record_t *run);
/* The same where none may come: nothing is reserved before the first fob_runs_add. Nobody else
 * begins runs of this group before it is ended. */
void fob_runs_lazy(fob_runs_writer_t *self, fob_core_t *core, fob_group_t *group);
/* Puts one that needs no more than those of fob_runs_begin_ends; a record that is full is ended and
 * another begun, so that there is always room for FOB_RUNS_SPARE more. False: no memory, nothing
 * was put. */
bool fob_runs_add(fob_runs_writer_t *self, const fob_run_record_t *run);
#define FOB_RUNS_SPARE 2
/* How many may still be put. */
size_t fob_runs_left(const fob_runs_writer_t *self);
/* Adds the record to the turn and applies it; false: there were no runs, and there is no record. */
bool fob_runs_end(fob_runs_writer_t *self);

#endif
