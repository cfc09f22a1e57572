/* group: a consumer group: its books, what it has settled, what came back, who works for it. */
#ifndef FOB_CORE_GROUP_H
#define FOB_CORE_GROUP_H

#include "bus/core/durable/record.h"
#include "bus/core/durable/stamp.h"
#include "bus/core/group/back.h"
#include "bus/core/group/cover.h"
#include "bus/core/group/dead.h"
#include "bus/core/group/meter.h"
#include "bus/core/group/policy.h"
#include "bus/core/work/grant.h"
#include "bus/core/work/history.h"
#include "bus/core/work/prio.h"
#include "proto/slice.h"

#define FOB_MEMBER_NONE UINT32_MAX

/* How far first hand-outs may go, and the commit that says so. */
typedef struct {
    uint64_t offset, token, position;
} fob_mark_t;

/* What the group would have, were the events of an offer stored that were looked at so far. */
typedef struct {
    uint64_t offer; /* number of the offer; of another one, it says nothing */
    uint64_t depth, bytes;
    uint32_t events; /* of the offer */
    bool sheds;      /* seen while those that shed are counted */
} fob_load_t;

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
    uint64_t shed_by[FOB_OVERFLOW_DEAD_LETTER]; /* by fob_overflow_t; they sum up to `shed` */
    uint64_t removed_by[FOB_REMOVALS];          /* ... to `removed` */
    fob_policy_t policy;
    int64_t paused_ms; /* since when; 0: it is not */
    uint64_t bytes;    /* of what is ready, leased, delayed; where a size was not known, the mean */
    uint64_t debt;   /* of priority 0 and never out: so many, the lowest first, are shed or removed
                        and not walked over yet: no longer in the books of what is ready */
    fob_prio_t prio; /* what was never out and has a priority */
    uint64_t census_at, census_to; /* a group that begins in the past: these are still to be looked
                                      through for its events, and none of it is handed out before;
                                      at > to: done */
    uint64_t skip_to; /* a reset forward: what lies below is removed when the walk comes to it */
    uint64_t mark_offset, mark_token; /* what may have gone out; tokens above are new ones */
    uint64_t
        void_token; /* leases with tokens up to it were taken away by a reset: not to be claimed */
    fob_cover_t cover;
    fob_back_t back;
    fob_deads_t deads;

    /* --- volatile --- */
    fob_stamp_t loaded; /* records before it are in what was loaded */
    uint64_t born;      /* position of the commit that made it; 0: before the start */
    uint64_t ruled;     /* ... of the last one by which an operator changed it */
    uint64_t found;     /* ... by which its census accepted events */
    uint64_t cursor;    /* the next first hand-out is at or above it; 0 while caught_up */
    bool caught_up;     /* nothing up to the head is left for a first hand-out */
    uint64_t gap_from;  /* from here up to the cursor nothing matches */
    uint64_t prio_cursor[FOB_PRIORITIES]; /* of `prio`: what is below is out (or, while resuming,
                                             may be) */
    uint64_t next_token;
    fob_mark_t marks[2]; /* the last two, the newer first */
    bool resuming; /* resume_at..resume_to may be out; nobody else gets it before the window ends */
    uint64_t resume_at, resume_to, resume_gap;
    uint64_t resume_token; /* the highest that may be out from before the start */
    fob_grants_t grants;
    fob_grants_t overdue; /* leases that ran out and whose handlers may still run: see lease.h */
    uint32_t *members;    /* indexes */
    uint32_t member_count, member_capacity;
    uint32_t unreachable;      /* of these, those that cannot be reached and will soon be lost */
    uint32_t ring, ring_count; /* the next in turn of those with credit and a free job */
    uint32_t round_left;       /* of the ring, until shares are reckoned anew */
    uint64_t share;
    bool bounded; /* some worker's leases have a bound: see lease.h */
    bool dirty;   /* in the list of groups to look at in the next take */
    bool blocked; /* waits for a page at `blocked_at` */
    uint64_t blocked_at;
    uint8_t blocked_priority; /* for an event of this one: higher ones may go out */
    bool census_blocked;      /* its census waits for a page */
    int64_t due_ns;           /* nothing that waits for a time is due before */
    uint32_t due_at;          /* its place in the heap of those due, + 1; 0: not in it */
    int64_t no_member_ns;     /* since when nobody works for it */
    uint32_t spare_width; /* while room is scarce, see sparing.h: of what came back so many may be
                             out; 0: one */
    int64_t spare_ns, spare_pause; /* and not before; the last pause; 0: none */
    uint64_t redelivered;
    struct fob_copy *copy; /* it is being copied into a checkpoint: see durable/copy.h; NULL */
    fob_load_t load;
    fob_meter_t in, out;
} fob_group_t;

/* A new group with copies of name and pattern; NULL: no memory. */
fob_group_t *fob_group_new(uint32_t id, fob_slice_t name, fob_slice_t pattern, uint64_t start,
                           int64_t since_ms);
void fob_group_free(fob_group_t *self);

/* Done, or come back. */
uint64_t fob_group_gone(const fob_group_t *self);
/* Accepted and not that: waiting for, or out on, a first hand-out. */
uint64_t fob_group_pristine(const fob_group_t *self);
uint64_t fob_group_ready(const fob_group_t *self);
/* Of these, those that were never out and have priority 0: they lie at or above the cursor. */
uint64_t fob_group_ready_plain(const fob_group_t *self);
uint64_t fob_group_leased(const fob_group_t *self);
uint64_t fob_group_delayed(const fob_group_t *self);
/* The lowest offset it needs, as far as records tell. */
uint64_t fob_group_floor(fob_group_t *self);
/* Whether it began in the past and is still looked through for its events. */
static inline bool fob_census_runs(const fob_group_t *self) {
    return self->census_at > 0 && self->census_at <= self->census_to;
}
/* Its workers that can be reached. */
static inline uint32_t fob_group_workers(const fob_group_t *self) {
    return self->member_count - self->unreachable;
}
/* Unsettled: ready, leased, delayed. What max_depth counts. */
uint64_t fob_group_depth(const fob_group_t *self);
/* `count` of the `depth` events that it had leave it, of so many bytes in all; 0: not known, the
 * mean is taken. */
void fob_group_lighten(fob_group_t *self, uint64_t count, uint64_t bytes, uint64_t depth);
/* Hash of the durable part. */
uint64_t fob_group_hash(const fob_group_t *self, const fob_history_t *history);

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
