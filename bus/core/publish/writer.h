/* writer: a publisher's session as the bus remembers it: which of its numbers are used, and what
 * was answered.
 *
 * Durable: changed and forgotten only by records, each of which names its sessions, so that replay
 * comes to the same table also from a checkpoint whose parts are of different ages. Answers are
 * kept from the publisher's `low` on, so that a resend gets its first receipt again. A number below
 * `next` that has no answer is a hole: it was refused, for a time or for good, and may come again.
 *
 * Who is forgotten is decided once, where the record is made, and by what is volatile: never one
 * that is there (a connection of it is). Of the others who has been away longest goes first. One of
 * which no number is known to be answered may come back with its first numbers in doubt, and could
 * not be told from a new one: such a one stays for a grace. Who is done will not come back: it is
 * forgotten at once, so that however many come and go take no room from others. */
#ifndef FOB_CORE_WRITER_H
#define FOB_CORE_WRITER_H

#include "bus/core/durable/stamp.h"
#include "proto/slice.h"
#include "proto/wire.h"

/* Consecutive numbers that were stored at consecutive offsets. */
typedef struct {
    uint64_t number, offset;
    uint32_t count, groups; /* groups: how many each of them entered */
    uint32_t flags;         /* FOB_ANSWER_... of record.h: duplicates of what is at these offsets */
} fob_answer_t;

typedef struct fob_writer fob_writer_t;
struct fob_writer {
    fob_writer_t *chain;
    fob_writer_t *newer, *older; /* in its list; in replay in no order */
    uint64_t use;                /* grows with each record of any session: the order of use */
    uint8_t session[FOB_SESSION_SIZE];
    uint64_t next; /* the number that may come next */
    uint64_t low;
    int64_t seen_ms;
    fob_answer_t *answers; /* a ring, ascending; neighbours that could be one are one */
    uint32_t begin, count, capacity;
    uint64_t position;  /* volatile: of the last commit that concerns it */
    fob_stamp_t loaded; /* volatile: records before it are in what was loaded */
    uint64_t conn;      /* volatile: the newest connection that it published on */
    int64_t left_ns;    /* volatile, mono_ns: away since then */
    uint8_t list;       /* volatile: which list it is in */
};

enum {
    FOB_WRITERS_HERE,  /* by when last seen; in replay all are */
    FOB_WRITERS_AWAY,  /* by when they left; may be forgotten */
    FOB_WRITERS_DOUBT, /* the same; may be forgotten once the grace is over */
    FOB_WRITERS_DONE,  /* will not come back; forgotten with the next record of another */
    FOB_WRITERS_LISTS
};

typedef struct {
    fob_writer_t *newest, *oldest;
} fob_writer_list_t;

typedef struct {
    fob_writer_t **buckets;
    uint32_t bucket_mask;
    fob_writer_list_t lists[FOB_WRITERS_LISTS];
    fob_writer_t *spare; /* for the next one, so that a record cannot fail */
    uint32_t count, max;
    int64_t keep_ms, grace_ns;
    uint64_t uses;
    uint64_t forgot; /* volatile: position of the last commit that forgot any */
} fob_writers_t;

bool fob_writers_init(fob_writers_t *self, uint32_t max, int64_t keep_ms, int64_t grace_ns);
void fob_writers_free(fob_writers_t *self);
fob_writer_t *fob_writers_find(const fob_writers_t *self, const uint8_t *session);
/* Makes sure that a record of this session with `answers` answers can be applied; false: no memory.
 */
bool fob_writers_reserve(fob_writers_t *self, const uint8_t *session, uint32_t answers);
/* The session, new if need be (its next number is then 1), seen at `time_ms`: it is there. There
 * must be room. */
fob_writer_t *fob_writers_see(fob_writers_t *self, const uint8_t *session, int64_t time_ms);
/* A session is there again, or away (`done`: it will not come back). */
void fob_writers_return(fob_writers_t *self, fob_writer_t *writer);
void fob_writers_leave(fob_writers_t *self, fob_writer_t *writer, int64_t mono_ns, bool done);
/* Those to forget when `session` is seen: done, or unseen for too long, or too many. At most
 * `most`; gives how many. `mono_ns` and `time_ms` are now, by the two clocks. */
uint32_t fob_writers_due(const fob_writers_t *self, const uint8_t *session, int64_t mono_ns,
                         int64_t time_ms, const uint8_t **out, uint32_t most);
/* Whether there is no room for a new session, as none of those there are may be forgotten. */
bool fob_writers_full(const fob_writers_t *self, int64_t mono_ns);
void fob_writers_forget(fob_writers_t *self, fob_writer_t *writer);
/* Ends a replay: all are away from now on, in the order of use. */
void fob_writers_start(fob_writers_t *self, int64_t mono_ns);
/* Adds an answer, joined to its neighbours where it continues them. There must be room, and none of
 * its numbers has an answer. */
void fob_writer_answer(fob_writer_t *self, fob_answer_t answer);
/* Whether none of `count` numbers has an answer. */
bool fob_writer_free_of(const fob_writer_t *self, uint64_t number, uint64_t count);
/* Moves the session on to `next`, and the publisher's low, dropping answers wholly below it: no
 * more than FOB_WINDOW_MAX numbers are kept. Neither goes back. */
void fob_writer_move(fob_writer_t *self, uint64_t next, uint64_t low);
static inline fob_answer_t *fob_writer_at(const fob_writer_t *self, uint32_t index) {
    return &self->answers[(self->begin + index) & (self->capacity - 1)];
}
/* Index of the first answer that ends behind `number`; count where there is none. */
uint32_t fob_writer_search(const fob_writer_t *self, uint64_t number);
uint64_t fob_writers_hash(const fob_writers_t *self);

#endif
