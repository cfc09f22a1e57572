/* newest: of each topic the newest event so far, while it is not sure that it is the last one.
 * Bounded; in the order of offsets once it is sure. Pure; one thread. */
#ifndef FOB_SEQUENCE_NEWEST_H
#define FOB_SEQUENCE_NEWEST_H

#include "subscribers/sequence/inbox.h"
#include "subscribers/sequence/marks.h"

/* All zeros is empty. */
typedef struct {
    fob_marks_t topics; /* `upto`: where it is held */
    fob_queued_t *held; /* one event each, with a hold of its own on its bytes */
    uint32_t count, room, given;
    uint64_t bytes;
    bool sorted;
} fob_newest_t;

typedef enum { FOB_NEWEST_HELD, FOB_NEWEST_FULL, FOB_NEWEST_NO_MEMORY } fob_newest_fate_t;

/* Holds a copy of an event, in the place of an older one of its topic; FULL: so many topics, or
 * `bytes`, are held already, and none of this topic. Not once they are handed out. */
fob_newest_fate_t fob_newest_hold(fob_newest_t *self, fob_slice_t topic, const fob_queued_t *event,
                                  uint64_t bytes);
/* One of this topic is held. */
bool fob_newest_has(fob_newest_t *self, fob_slice_t topic);
static inline bool fob_newest_any(const fob_newest_t *self) {
    return self->count > self->given;
}
/* The next of them, of which there are any; its hold passes to the caller. */
fob_queued_t fob_newest_give(fob_newest_t *self);
/* The highest offset held; 0: none. */
uint64_t fob_newest_high(const fob_newest_t *self);
/* Forgets all. */
void fob_newest_clear(fob_newest_t *self);

#endif
