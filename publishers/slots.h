/* slots: the events that a session has not done with, in the order offered: a pool of places and a
 * list through those in use. What one event waits for keeps no other's place. Pure. */
#ifndef FOB_SLOTS_H
#define FOB_SLOTS_H

#include "publishers/batch.h"

typedef enum {
    FOB_STAGE_READY, /* to be sent: for the first time (wire 0), or again */
    FOB_STAGE_SENT,  /* on this connection, unanswered */
    FOB_STAGE_HELD   /* refused for now on this connection */
} fob_stage_t;

typedef struct fob_slot fob_slot_t;
struct fob_slot {
    fob_slot_t *before, *behind; /* in the list; `behind` also among the spare ones */
    uint64_t number;             /* the event's own, grows along the list */
    uint64_t wire;               /* its number on the wire; 0: none */
    int64_t deadline;            /* mono_ns */
    int64_t sent_ns;             /* mono_ns: first sent in this session, of what is in doubt */
    void *tag;
    fob_batch_t *batch; /* its bytes: at .. at + size */
    uint32_t at, size;
    uint8_t stage;
    uint8_t parked; /* 1 + the index of the hold that it waits under, or waited; 0: none */
    bool told;      /* the application has its receipt; SENT, and the answer still ends it */
    bool doubt;     /* sent on an earlier connection, and not refused since: it may be stored */
    bool past;      /* in doubt from a session that was forgotten: only a final answer tells */
    bool refused;   /* BUSY was answered once */
    bool has_id;
};

/* All zeros holds nothing, until fob_slots_init. */
typedef struct {
    fob_slot_t *all, *spare;
    uint32_t capacity;
    uint32_t made;  /* of `all`: used once at least */
    uint32_t count; /* in use */
    fob_slot_t *first, *last;
} fob_slots_t;

bool fob_slots_init(fob_slots_t *self, uint32_t capacity) FOB_MUST_USE; /* false: no memory */
void fob_slots_free(fob_slots_t *self);

/* An empty one at the end of the list. NULL: all are in use. */
fob_slot_t *fob_slots_append(fob_slots_t *self);
/* Takes one out of the list; it may be the next that append gives. */
void fob_slots_remove(fob_slots_t *self, fob_slot_t *slot);

/* For a table of slots: its index, and back. */
static inline uint32_t fob_slots_index(const fob_slots_t *self, const fob_slot_t *slot) {
    return (uint32_t)(slot - self->all);
}

#endif
