/* past: a stretch of the journal as it was read, indexed for those who fetch what they missed:
 * where each event begins and which topic it has, and which offsets cannot be had any more. Indexed
 * once, looked through by many. Pure. Not thread-safe. */
#ifndef FOB_FETCH_PAST_H
#define FOB_FETCH_PAST_H

#include "bus/journal/journal.h"
#include "proto/slice.h"

typedef enum {
    FOB_PIECE_EVENTS, /* one record's */
    FOB_PIECE_OTHER,  /* an offset that is no event: a copy of an older one stands there */
    FOB_PIECE_GONE,   /* trimmed */
    FOB_PIECE_DAMAGED /* cannot be read */
} fob_piece_kind_t;

/* Offsets first..first + count - 1. */
typedef struct {
    fob_piece_kind_t kind;
    uint64_t first, count;
    int64_t time_ms;      /* when stored; of EVENTS and OTHER */
    const uint8_t *bytes; /* EVENTS: the events, one behind the other */
    size_t index;         /* EVENTS: of its first event in `begin` and `topic` */
} fob_piece_t;

/* Begins as zeros. */
typedef struct {
    uint64_t first, end; /* holds all offsets first..end - 1, in pieces without a hole */
    fob_piece_t *pieces;
    size_t piece_count, piece_room;
    uint32_t *begin; /* of each event, from its piece's bytes; behind a piece's last: its end */
    uint32_t *topic; /* of each: an index into `topics`, where a topic may stand twice */
    size_t event_count, event_room;
    fob_slice_t *topics;
    size_t topic_count, topic_room;
    void *memory;   /* what was read */
    size_t bytes;   /* of it, */
    size_t records; /* and of the records in it */
} fob_past_t;

void fob_past_free(fob_past_t *self);

/* Takes an answer of the journal to a read from `offset` on, with its memory, in place of what it
 * held; `head` is the highest durable offset. The page's code is OK, ABSENT or DAMAGED. False: no
 * memory; it holds nothing then. */
bool fob_past_take(fob_past_t *self, const fob_page_t *page, uint64_t offset, uint64_t head);

static inline bool fob_past_holds(const fob_past_t *self, uint64_t offset) {
    return offset >= self->first && offset < self->end;
}
/* The index of the piece that holds an offset, which must be held. */
size_t fob_past_find(const fob_past_t *self, uint64_t offset);
/* The bytes of an event of such a piece, and its topic. */
static inline fob_slice_t fob_past_event(const fob_past_t *self, const fob_piece_t *piece,
                                         uint64_t offset, fob_slice_t *topic) {
    size_t at = piece->index + (size_t)(offset - piece->first);
    *topic = self->topics[self->topic[at]];
    return fob_slice(piece->bytes + self->begin[at], self->begin[at + 1] - self->begin[at]);
}

#endif
