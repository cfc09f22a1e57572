/* prio: which of a group's events that were never out and are not done have a priority above 0:
 * for each priority from 1 to 9 the offsets, as ascending intervals. All others have priority 0.
 *
 * Durable: an event enters when it is accepted and leaves when it is covered. Costs nothing for a
 * group without such events. One thread. */
#ifndef FOB_CORE_PRIO_H
#define FOB_CORE_PRIO_H

#include "bus/core/table/intervals.h"

#define FOB_PRIORITIES 10

typedef struct {
    fob_intervals_t stretches;
    uint64_t events;
} fob_prio_list_t;

/* All zeros: none. */
typedef struct {
    fob_prio_list_t lists[FOB_PRIORITIES]; /* [0] is not used */
    uint64_t events;                       /* of all lists */
} fob_prio_t;

void fob_prio_free(fob_prio_t *self);
/* Room for `more` adds of one priority; for `more` removes of what is there now (costs nothing
 * where there is none); false: no memory. */
bool fob_prio_reserve_adds(fob_prio_t *self, unsigned priority, size_t more);
bool fob_prio_reserve_removes(fob_prio_t *self, size_t more);
/* Adds one, above or between those that are there; it is not there yet. There must be room. */
void fob_prio_add(fob_prio_t *self, unsigned priority, uint64_t offset);
/* The same for from..to, which takes the room of one. */
void fob_prio_add_run(fob_prio_t *self, unsigned priority, uint64_t from, uint64_t to);
/* Takes out all in from..to, whatever their priority. There must be room. */
void fob_prio_remove(fob_prio_t *self, uint64_t from, uint64_t to);
/* The priority of an event; 0 where it is in no list. */
unsigned fob_prio_of(const fob_prio_t *self, uint64_t offset);
/* The lowest of that priority at or above `offset`; 0: none. */
uint64_t fob_prio_next(const fob_prio_t *self, unsigned priority, uint64_t offset);
/* The last of those that follow one another from `offset` on; 0: it is not there. */
uint64_t fob_prio_stretch(const fob_prio_t *self, unsigned priority, uint64_t offset);
/* The lowest of all at or above `offset`; 0: none. */
uint64_t fob_prio_first(const fob_prio_t *self, uint64_t offset);
uint64_t fob_prio_hash(const fob_prio_t *self);

#endif
