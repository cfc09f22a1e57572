/* grant: a lease, as the bus keeps it: which worker holds which event of a group, found by the
 * token, in the order handed out.
 *
 * A slab with a free list, a map from the token, and a list for each worker: a hand-out and a
 * settle touch two cache lines each and allocate nothing once warm. Volatile: never in the hash or
 * a checkpoint. */
#ifndef FOB_CORE_GRANT_H
#define FOB_CORE_GRANT_H

#include "bus/core/table/map64.h"

#define FOB_GRANT_NONE UINT32_MAX
#define FOB_GRANT_SIZE ((UINT32_C(1) << 29) - 1) /* the most that `size` can say */

typedef struct {
    uint64_t token, offset;
    uint64_t gap_from; /* from here up to `offset` nothing else matches the group */
    uint32_t member;   /* index of the worker */
    uint32_t prev, next;
    uint32_t size : 29; /* of the event's encoding; 0: not known (it was claimed) */
    uint32_t prio : 1;  /* a first hand-out of an event with a priority */
    uint32_t back : 1;  /* the event is in the table of what came back */
    uint32_t begun : 1; /* its time runs, see lease.h */
    int64_t begun_ns;   /* since when; 0: it never ran */
    int64_t time_ms;    /* when the event was stored; 0: not known (it was claimed) */
} fob_grant_t;

typedef struct {
    uint32_t first, last; /* oldest hand-out first */
    uint32_t count;
    uint32_t begun, begun_last; /* the first so many are begun; the last of them */
} fob_grant_list_t;
#define FOB_GRANT_LIST                                                                             \
    { FOB_GRANT_NONE, FOB_GRANT_NONE, 0, 0, FOB_GRANT_NONE }

/* All zeros: none. */
typedef struct {
    fob_grant_t *slab;
    uint32_t capacity, used; /* entries ever used; the free ones among them are chained by `next` */
    uint32_t free;           /* index + 1; 0: none. Chained by `next`, a plain index */
    uint32_t count, back;    /* held now; of these, of events that came back */
    uint32_t prio;           /* ... first hand-outs of events with a priority */
    fob_map64_t map;
} fob_grants_t;

void fob_grants_free(fob_grants_t *self);
/* Room for `more` leases; false: no memory, nothing changed. */
bool fob_grants_reserve(fob_grants_t *self, size_t more);
/* Adds at the end of the list; there must be room. */
void fob_grants_add(fob_grants_t *self, fob_grant_list_t *list, const fob_grant_t *lease);
/* The same for `count` events that follow one another, with tokens that do, of which `first` is the
 * first: event i lies from begin[i] up to begin[i + 1]. Between them nothing else matches the
 * group. */
void fob_grants_add_run(fob_grants_t *self, fob_grant_list_t *list, const fob_grant_t *first,
                        const uint32_t *begin, uint32_t count);
/* Its event is in the table of what came back from now on. */
void fob_grants_set_back(fob_grants_t *self, fob_grant_t *lease);
/* The lease of a token, or NULL. */
fob_grant_t *fob_grants_find(fob_grants_t *self, uint64_t token);
void fob_grants_remove(fob_grants_t *self, fob_grant_list_t *list, fob_grant_t *lease);
/* Removes so many that stand one behind the other in the list, from `first` on. */
void fob_grants_remove_run(fob_grants_t *self, fob_grant_list_t *list, fob_grant_t *first,
                           uint32_t count);
/* Moves a lease from one worker's list to the end of another's; it is not begun there. */
void fob_grants_move(fob_grants_t *self, fob_grant_list_t *from, fob_grant_list_t *to,
                     fob_grant_t *lease, uint32_t member);

#endif
