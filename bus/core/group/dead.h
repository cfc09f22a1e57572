/* dead: a group's dead letters: the events it gave up, until they are redriven or removed.
 *
 * Found by offset, stepped through in the order of offsets (which is the order within a key), and
 * known in the order they died, so that the oldest goes first where there are too many. Each
 * letter keeps its event in the journal. Durable: changes by records only. One thread. */
#ifndef FOB_CORE_DEAD_H
#define FOB_CORE_DEAD_H

#include "bus/core/admin/moved.h"
#include "bus/core/table/lows.h"
#include "bus/core/table/map64.h"

/* One event; or, with offset 0, `count` events that could not be read and whose place is not known.
 */
typedef struct {
    uint64_t offset;
    uint64_t serial; /* of this group's letters, from 1, in the order they died */
    int64_t time_ms; /* when it died: journal time */
    uint32_t count;  /* 1, but for offset 0 */
    uint32_t attempts;
    uint32_t history; /* chain in the core's history */
    uint32_t size;    /* of the event's encoding, in bytes; 0: not known */
    uint8_t reason;   /* fob_reason_t */
    uint8_t priority;
} fob_dead_t;

/* All zeros: none. */
typedef struct {
    fob_dead_t *slab;
    size_t *places; /* by index: its place in `order`; of a free one: the next free one */
    uint32_t capacity, used, free; /* free: index + 1 */
    uint32_t count;                /* letters */
    uint64_t last_serial;
    fob_map64_t by_offset;
    uint32_t *order; /* indexes in the order they died; UINT32_MAX: gone */
    size_t order_begin, order_end, order_capacity;
    uint64_t *sorted; /* offsets ascending, then those that came since; some may be gone */
    size_t sorted_count, tail_count, sorted_capacity;
    uint32_t *unknown; /* indexes of those of unknown place, in the order they died */
    uint32_t unknown_count, unknown_capacity;
    fob_lows_t lows;
    const fob_moved_t *moved; /* volatile: which events lie somewhere else; NULL: none */
    size_t copy_at;           /* volatile: place in `order` up to which a checkpoint has them */
} fob_deads_t;

void fob_deads_free(fob_deads_t *self);
/* Room for `more`; false: no memory, nothing changed. */
bool fob_deads_reserve(fob_deads_t *self, size_t more);
/* Adds one and gives it the next serial (where it has none: a checkpoint's has). There must be
 * room, and no letter of that offset. */
void fob_deads_add(fob_deads_t *self, const fob_dead_t *dead);
/* NULL: none. Good until the next change. */
const fob_dead_t *fob_deads_find(const fob_deads_t *self, uint64_t offset);
/* Steps through all in the order they died; *at begins with 0. NULL: the end. */
const fob_dead_t *fob_deads_next(const fob_deads_t *self, size_t *at);
/* The next at *at or behind, which moves to it, or to the end. NULL: the end. */
const fob_dead_t *fob_deads_peek(const fob_deads_t *self, size_t *at);
/* The one that died first; NULL: none. */
const fob_dead_t *fob_deads_oldest(fob_deads_t *self);
/* The one with the lowest offset above `offset`; NULL: none. Those of unknown place are not met.
 * Costs no walk over all but for the first call after some were added. */
const fob_dead_t *fob_deads_above(fob_deads_t *self, uint64_t offset);
/* Where a letter stands among all: those of known place by their offset, and behind these the
 * others by their serial. */
#define FOB_DEAD_UNKNOWN_PLACE ((uint64_t)1 << 62)
static inline uint64_t fob_dead_place(const fob_dead_t *dead) {
    return dead->offset ? dead->offset : FOB_DEAD_UNKNOWN_PLACE + dead->serial;
}
/* The one with the lowest place above `place`, 0: the first; NULL: none. Costs as fob_deads_above.
 */
const fob_dead_t *fob_deads_step(fob_deads_t *self, uint64_t place);
/* The one of unknown place with this serial; NULL: none. */
const fob_dead_t *fob_deads_unknown(const fob_deads_t *self, uint64_t serial);
void fob_deads_remove(fob_deads_t *self, const fob_dead_t *dead);
/* The lowest offset at which the journal is needed: moved ones do not count. UINT64_MAX: none. */
uint64_t fob_deads_lowest(fob_deads_t *self);

#endif
