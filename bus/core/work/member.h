/* member: a worker in a group: its connection, its credit, what it holds. Volatile. */
#ifndef FOB_CORE_MEMBER_H
#define FOB_CORE_MEMBER_H

#include "bus/core/group/group.h"
#include "proto/wire.h"

#define FOB_JOBS_MAX 65536 /* of one worker; what it says beyond is taken as so many */

typedef struct {
    fob_group_t *group; /* NULL: a free place */
    uint64_t conn;
    uint32_t conn_next; /* the next membership of the connection, or of the free list */
    uint32_t in_group;  /* its place in group->members */
    uint8_t session[FOB_SESSION_SIZE];
    uint64_t first_token;       /* what it holds under lower ones it claimed */
    int64_t over_ns;            /* mono_ns: when it counts as lost, as it cannot be reached; 0: it
                                   can be */
    uint64_t credit, delivered; /* both since it joined */
    uint64_t jobs;              /* handled at once; from 1 to FOB_JOBS_MAX */
    uint64_t lease_ms;          /* the bound of its leases that its JOIN asked for; 0: none */
    int64_t lease_ns;           /* the one that holds; 0: none */
    char worker[FOB_NOTE_MAX];  /* its name, for people */
    uint8_t worker_size;
    fob_grant_list_t held;
    int64_t since_ns; /* mono_ns: while it holds something, since when it has settled nothing */
    fob_grant_list_t overdue; /* leases that ran out, of whose handlers' end it has not told: each
                                 occupies a job; in group->overdue */
    bool in_ring;
    uint32_t ring_next, ring_prev;
    uint64_t joined;  /* position its JOINED waits for: no delivery before */
    uint64_t settled; /* position its last SETTLED waits for: answers stay in order */
} fob_member_t;

/* All zeros: none. Indexes stay, pointers do not, when members are added. */
typedef struct {
    fob_member_t *slab;
    uint32_t capacity, used, free; /* free: index + 1 */
    uint32_t count;
    fob_map64_t by_conn; /* the first membership of a connection */
    fob_map64_t by_name; /* by the hash of session and group */
} fob_members_t;

void fob_members_free(fob_members_t *self);
/* Adds one, with nothing; FOB_MEMBER_NONE: no memory. */
uint32_t fob_members_add(fob_members_t *self, uint64_t conn, fob_group_t *group);
/* Takes it out of its group and forgets it; it holds nothing any more. */
void fob_members_remove(fob_members_t *self, uint32_t index);
/* Gives it a session, by which it can be found while it is the last of that session in its group.
 */
void fob_members_name(fob_members_t *self, uint32_t index, const uint8_t *session);
uint32_t fob_members_named(const fob_members_t *self, const uint8_t *session,
                           const fob_group_t *group);
uint32_t fob_members_find(const fob_members_t *self, uint64_t conn, const fob_group_t *group);
/* Any membership of the connection, or FOB_MEMBER_NONE. */
uint32_t fob_members_of(const fob_members_t *self, uint64_t conn);
/* It cannot be reached any more, and counts as lost at `over_ns`. */
void fob_members_unreach(fob_members_t *self, uint32_t index, int64_t over_ns);
/* Puts it into the ring of those with credit and a free job left, at the end of the round, or takes
 * it out. */
void fob_members_ring(fob_members_t *self, uint32_t index);

static inline fob_slice_t fob_member_worker(const fob_member_t *self) {
    return fob_slice(self->worker, self->worker_size);
}

/* How many of its jobs may be running a handler of what it holds. */
static inline uint64_t fob_member_free_jobs(const fob_member_t *self) {
    return self->jobs > self->overdue.count ? self->jobs - self->overdue.count : 0;
}

static inline uint64_t fob_member_room(const fob_member_t *self) {
    return !self->over_ns && self->credit > self->delivered ? self->credit - self->delivered : 0;
}

#endif
