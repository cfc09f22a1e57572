/* gather: what an answer to a FETCH is made of: the events that match, in runs, and the offsets
 * that cannot be had. Filled from the past, stretch by stretch. Pure. Not thread-safe. */
#ifndef FOB_FETCH_GATHER_H
#define FOB_FETCH_GATHER_H

#include "bus/fetch/past.h"
#include "proto/buf.h"

#define FOB_GATHER_BYTES (256u << 10) /* of events at the most */
#define FOB_GATHER_RUNS  2000         /* so that they fit into a header, */
#define FOB_GATHER_GONE  16           /* with these */

/* Offsets that cannot be had: first..last, in rows that ascend and do not touch. */
typedef struct {
    uint64_t first[FOB_GATHER_GONE], last[FOB_GATHER_GONE];
    bool damaged[FOB_GATHER_GONE]; /* else retention took it */
    size_t count;
} fob_gone_t;

/* Adds a range above all that are there, perhaps to the last. False: there is no place. */
bool fob_gone_add(fob_gone_t *self, uint64_t first, uint64_t last, bool damaged);
/* Appends them as FETCHED's `gone`. */
void fob_gone_write(const fob_gone_t *self, fob_buf_t *out);

/* Which events are wanted. */
typedef struct {
    fob_slice_t pattern;
    uint64_t last;  /* offset: none above */
    uint64_t limit; /* so many at the most, */
    size_t bytes;   /* with so many bytes, but for one that is larger */
    bool dry;       /* their bytes are not kept */
} fob_wanted_t;

/* Begins as zeros. */
typedef struct {
    struct {
        uint64_t offset, count;
        int64_t time_ms;
    } runs[FOB_GATHER_RUNS];
    size_t run_count;
    uint64_t events, looked; /* gathered, and looked at */
    fob_buf_t body;          /* of the events, in order; failed: no memory */
} fob_gather_t;

void fob_gather_free(fob_gather_t *self);
/* Empties it. */
void fob_gather_begin(fob_gather_t *self);
/* Adds an event above all that are there. False: there is no place for it. */
bool fob_gather_add(fob_gather_t *self, uint64_t offset, int64_t time_ms, fob_slice_t event,
                    const fob_wanted_t *wanted);
/* Goes through the past from *next on, which it holds, to its end or to the last that is wanted;
 * *next is then the first offset that was not looked at. True: it stopped before, as it is full, or
 * `gone` is. */
bool fob_gather_from(fob_gather_t *self, const fob_past_t *past, const fob_wanted_t *wanted,
                     uint64_t *next, fob_gone_t *gone);
/* Appends the runs as FETCHED's `runs`. */
void fob_gather_write(const fob_gather_t *self, fob_buf_t *out);

#endif
