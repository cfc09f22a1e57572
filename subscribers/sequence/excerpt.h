/* excerpt: what a FETCHED tells, checked as a whole and then read in the order of offsets: events,
 * and ranges that cannot be had any more. Pure. */
#ifndef FOB_SEQUENCE_EXCERPT_H
#define FOB_SEQUENCE_EXCERPT_H

#include "proto/wire.h"

typedef struct {
    uint64_t first, last;     /* offsets; of an event these are one */
    int64_t time_ms;          /* when it was stored */
    fob_slice_t topic, bytes; /* of an event with a body */
    bool gone, damaged;       /* it cannot be had; and that is so because of damage */
} fob_passage_t;

typedef struct {
    fob_cursor_t body;
    bool bodied;         /* each event is there; else only their ranges are */
    uint64_t from, next; /* all in it is told */
    fob_runs_t runs, gone;
    fob_run_t run, hole; /* the rows that come next; a count of 0 and a last of 0: no more */
} fob_excerpt_t;

/* Opens the answer of a FETCH for this pattern and from this offset on (0: it was asked by time).
 * Slices point into message and body. False: it is not what an answer has to be. */
bool fob_excerpt_open(fob_excerpt_t *self, const fob_wire_t *msg, fob_slice_t body,
                      fob_slice_t pattern, uint64_t from, bool bodied);
/* The next of it; false at the end. */
bool fob_excerpt_next(fob_excerpt_t *self, fob_passage_t *out);

#endif
