/* group: a consumer group: its books, what it has settled, what came back, who works for it. */
#ifndef FOB_CORE_GROUP_H
#define FOB_CORE_GROUP_H

#include "bus/core/back.h"
#include "bus/core/cover.h"
#include "bus/core/grant.h"
#include "bus/core/meter.h"
#include "bus/core/stamp.h"
#include "proto/slice.h"

#define FOB_MEMBER_NONE UINT32_MAX

/* An event (or `count` events whose place is not known, from `offset` on) that the group gave up.
 */
typedef struct {
    uint64_t offset;
    uint32_t count, attempts;
    int64_t time_ms;
    uint8_t reason;
} fob_dead_t;

/* How far first hand-outs may go, and the commit that says so. */
typedef struct {
    uint64_t offset, token, position;
} fob_mark_t;

typedef struct fob_group {
    /* --- durable: changed by records only --- */
    uint32_t id;
    bool temporary;
    bool damaged; /* something of unknown content was skipped: see settle_unknown in handout.c */
    fob_slice_t name, pattern; /* in `text` */
    char *text;
    uint64_t generation;
    int64_t since_ms;
    uint64_t start;
    uint64_t accepted, acked, dead, expired, shed, removed;
    uint64_t mark_offset, mark_token; /* what may have gone out; tokens above are new ones */
    fob_cover_t cover;
    fob_back_t back;
    fob_dead_t *dead_letters; /* [dead_begin...], in the order they died */
    size_t dead_begin, dead_count, dead_capacity;
    uint64_t dead_first; /* volatile: how many were removed from the front */
    fob_lows_t dead_lows;

    /* --- volatile --- */
    fob_stamp_t loaded; /* records before it are in what was loaded */
    uint64_t born;      /* position of the commit that made it; 0: before the start */
    uint64_t cursor;    /* the next first hand-out is at or above it; 0 while caught_up */
    bool caught_up;     /* nothing up to the head is left for a first hand-out */
    uint64_t gap_from;  /* from here up to the cursor nothing matches */
    uint64_t next_token;
    fob_mark_t marks[2]; /* the last two, the newer first */
    bool resuming; /* resume_at..resume_to may be out; nobody else gets it before the window ends */
    uint64_t resume_at, resume_to, resume_gap;
    uint64_t resume_token; /* the highest that may be out from before the start */
    fob_grants_t grants;
    uint32_t *members; /* indexes */
    uint32_t member_count, member_capacity;
    uint32_t ring, ring_count; /* the next in turn of those with credit left */
    uint32_t round_left;       /* of the ring, until shares are reckoned anew */
    uint64_t share;
    bool dirty;   /* in the list of groups to look at in the next take */
    bool blocked; /* waits for a page at `blocked_at` */
    uint64_t blocked_at;
    int64_t due_ns;       /* nothing that waits for a time is due before */
    uint32_t due_at;      /* its place in the heap of those due, + 1; 0: not in it */
    int64_t no_member_ns; /* since when nobody works for it */
    uint64_t redelivered;
    fob_meter_t in, out;
} fob_group_t;

/* A new group with copies of name and pattern; NULL: no memory. */
fob_group_t *fob_group_new(uint32_t id, fob_slice_t name, fob_slice_t pattern, uint64_t start,
                           int64_t since_ms);
void fob_group_free(fob_group_t *self);

/* Accepted and not done, not come back: waiting for, or out on, a first hand-out. */
uint64_t fob_group_pristine(const fob_group_t *self);
uint64_t fob_group_ready(const fob_group_t *self);
uint64_t fob_group_leased(const fob_group_t *self);
uint64_t fob_group_delayed(const fob_group_t *self);
/* The lowest offset it needs, as far as records tell. */
uint64_t fob_group_floor(fob_group_t *self);
/* Room for `more` dead letters; false: no memory. */
bool fob_group_reserve_dead(fob_group_t *self, size_t more);
/* Adds one; there must be room. The books are the caller's. */
void fob_group_bury(fob_group_t *self, const fob_dead_t *dead);
/* Removes the oldest, so that it keeps its event no more, and counts it as removed. */
void fob_group_unbury(fob_group_t *self);
/* The index-th, the oldest first. */
const fob_dead_t *fob_group_dead_at(const fob_group_t *self, size_t index);
/* The lowest offset of a dead letter; UINT64_MAX: none. */
uint64_t fob_group_dead_lowest(fob_group_t *self);
/* Hash of the durable part. */
uint64_t fob_group_hash(const fob_group_t *self);

/* All groups, by name and by id. All zeros: none. */
typedef struct {
    fob_group_t **by_name, **by_id;
    size_t count, capacity;
} fob_groups_t;

void fob_groups_free(fob_groups_t *self); /* and the groups */
bool fob_groups_reserve(fob_groups_t *self);
fob_group_t *fob_groups_find(const fob_groups_t *self, fob_slice_t name);
fob_group_t *fob_groups_by_id(const fob_groups_t *self, uint32_t id);
/* The one with the lowest id that is not below; NULL: none. */
fob_group_t *fob_groups_from_id(const fob_groups_t *self, uint32_t id);
/* Takes it; there must be room; its id is higher than any before. */
void fob_groups_add(fob_groups_t *self, fob_group_t *group);
/* Takes it out; the caller owns it. */
void fob_groups_remove(fob_groups_t *self, fob_group_t *group);

#endif
