/* writer: a publisher's session as the bus remembers it: which of its numbers are used, and what
 * was answered.
 *
 * Durable: changed and forgotten only by records, each of which names its sessions, so that replay
 * comes to the same table also from a checkpoint whose parts are of different ages. Answers are
 * kept from the publisher's `low` on, so that a resend gets its first receipt again. A number below
 * `next` that has no answer is a hole: it was refused, for a time or for good, and may come again.
 */
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
    fob_writer_t *newer, *older; /* by when last seen; in replay in no order */
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
};

typedef struct {
    fob_writer_t **buckets;
    uint32_t bucket_mask;
    fob_writer_t *newest, *oldest;
    fob_writer_t *spare; /* for the next one, so that a record cannot fail */
    uint32_t count, max;
    int64_t keep_ms;
    uint64_t uses;
} fob_writers_t;

bool fob_writers_init(fob_writers_t *self, uint32_t max, int64_t keep_ms);
void fob_writers_free(fob_writers_t *self);
fob_writer_t *fob_writers_find(const fob_writers_t *self, const uint8_t *session);
/* Makes sure that a record of this session with `answers` answers can be applied; false: no memory.
 */
bool fob_writers_reserve(fob_writers_t *self, const uint8_t *session, uint32_t answers);
/* The session, new if need be (its next number is then 1), seen at `time_ms`. There must be room.
 */
fob_writer_t *fob_writers_see(fob_writers_t *self, const uint8_t *session, int64_t time_ms);
/* Those to forget when `session` is seen: unseen for too long, or too many. At most `most`; gives
 * how many. */
uint32_t fob_writers_due(const fob_writers_t *self, const uint8_t *session, int64_t time_ms,
                         const uint8_t **out, uint32_t most);
void fob_writers_forget(fob_writers_t *self, fob_writer_t *writer);
/* Puts all in the order of use again, after a replay. */
void fob_writers_sort(fob_writers_t *self);
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
