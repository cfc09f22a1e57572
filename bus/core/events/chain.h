/* chain: of each topic its last stored event, so that a broadcast frame names the event before it,
 * and a subscriber can ask whether it has all.
 *
 * A bounded table in the order of these events; the topic whose last event is the oldest makes
 * room. By their hash topics fall into parts, each of them in the same order: a question about one
 * of them looks at no other. `floor` says what is not known: no topic that is not in the table has
 * an event above it. A topic that is known anew begins its numbering anew. Not in the state's hash:
 * it is advice, which a checkpoint keeps and the replay goes on with. */
#ifndef FOB_CORE_CHAIN_H
#define FOB_CORE_CHAIN_H

#include "proto/slice.h"
#include "proto/wire.h"

#define FOB_CHAIN_TOPICS 131072u
#define FOB_CHAIN_BYTES  (16u << 20) /* of them, without what the allocator adds */
#define FOB_CHAIN_PARTS  FOB_PARTS_MAX

typedef struct fob_tail fob_tail_t;

/* A topic's. */
struct fob_tail {
    fob_tail_t *chain;                 /* of the bucket */
    fob_tail_t *newer, *older;         /* by `last` */
    fob_tail_t *kin_newer, *kin_older; /* the same, of its part */
    uint64_t last;                     /* offset of its last event */
    uint64_t count, born;              /* of this run: how many, and the first one's offset */
    uint32_t hash;
    uint8_t size;
    uint8_t bytes[];
};

static inline fob_slice_t fob_tail_topic(const fob_tail_t *self) {
    return fob_slice(self->bytes, self->size);
}

typedef struct {
    fob_tail_t **buckets;
    fob_tail_t *newest, *oldest;      /* by `last`, which ascends */
    fob_tail_t *kin[FOB_CHAIN_PARTS]; /* the newest of each part */
    fob_tail_t *cursor;               /* see fob_chain_walk */
    fob_tail_t *sought;               /* see fob_chain_seek */
    uint32_t count, max;
    size_t bytes, max_bytes;
    uint64_t floor;
    uint64_t
        told; /* the floor that a checkpoint told of: not above the head, once all is replayed */
} fob_chain_t;

/* Makes an empty table; false: no memory. */
bool fob_chain_init(fob_chain_t *self, uint32_t max, size_t max_bytes);
void fob_chain_free(fob_chain_t *self);

/* Forgets all: what is stored up to `head` is not known. */
void fob_chain_begin(fob_chain_t *self, uint64_t head);
/* Recovery, in this order: no topic that is not put in has an event above the floor; a topic's last
 * event, above all before. */
void fob_chain_vouch(fob_chain_t *self, uint64_t floor);
void fob_chain_put(fob_chain_t *self, fob_slice_t topic, uint64_t last);
/* The numbering of each topic begins anew. */
void fob_chain_start(fob_chain_t *self);

typedef struct {
    uint64_t prev, nth, born;
} fob_linked_t;

/* Links `count` events, the first at `offset`, above all that are linked, to the topic's chain.
 * Cannot fail: with no memory the topic stays unknown, and the floor says so. */
fob_linked_t fob_chain_link(fob_chain_t *self, fob_slice_t topic, uint64_t offset, uint32_t count);

/* The part that a topic belongs to. */
uint32_t fob_chain_part(fob_slice_t topic);

/* NULL: it is not in the table. */
const fob_tail_t *fob_chain_find(const fob_chain_t *self, fob_slice_t topic);

/* Walks from the oldest to the newest, a part at a time, while events are linked: begin, then each
 * next. A topic that is linked meanwhile may come later, and one that falls out does not come. */
void fob_chain_walk(fob_chain_t *self);
const fob_tail_t *fob_chain_next(fob_chain_t *self);

/* A second walk, of who looks for last events from an offset on: it begins at the oldest, or, where
 * it stands at one that is not above `from`, there. The topic that it stands at, NULL: behind the
 * newest; and on to the next. */
void fob_chain_seek(fob_chain_t *self, uint64_t from);
const fob_tail_t *fob_chain_sought(const fob_chain_t *self);
void fob_chain_pass(fob_chain_t *self);

#endif
