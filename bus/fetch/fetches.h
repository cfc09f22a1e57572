/* fetches: who reads the past of the journal, and who is served next, at the lowest class of
 * service.
 *
 * One FETCH of a client at a time waits in line, and one WHOLE. There is one read of the
 * journal under way in all, for the first in line; what it brings serves all whose next offset lies
 * in it, so a hundred that lag at the same place cost one read. An answer is made only when it is
 * to be sent, of one stretch of the journal (or, where only the last event of each topic is wanted,
 * for one at a time). What is read, looked at and sent is paid from one bucket, which fills more
 * slowly while much is published; WHOLEs, which are quick, go first, but not twice where that
 * leaves FETCHes nothing. So all of them together cost the bus a bounded share of its time, a page
 * and an answer of memory, a few hundred bytes for each that waits, and what clients do not take of
 * their answers, which is bounded too. How many wait costs nothing. Pure. Not thread-safe. */
#ifndef FOB_FETCHES_H
#define FOB_FETCHES_H

#include "bus/fetch/latest.h"
#include "proto/blob.h"
#include "proto/now.h"
#include <fob/fob_status.h>

#define FOB_FETCH_PAGE  (256u << 10)         /* bytes read at once at the most, about */
#define FOB_FETCH_RATE  (INT64_C(128) << 20) /* bytes a second, read and sent */
#define FOB_FETCH_BURST (INT64_C(2) << 20)
/* Bytes of answers that clients did not take: from the first on answers are small, */
#define FOB_FETCH_CROWDED (64u << 20)
#define FOB_FETCH_SMALL   (16u << 10)
#define FOB_FETCH_HELD    (256u << 20) /* from here on none is made until some are taken */

typedef struct fob_fetches fob_fetches_t;

/* What a FETCH is answered. `runs` and `gone` are good until the next call. */
typedef struct {
    uint64_t conn, req;
    uint64_t next, head;
    uint64_t floor; /* each topic's last: up to it those of some topics may come with older ones */
    fob_slice_t runs, gone; /* encoded; `gone` may be empty */
    fob_blob_t *body;       /* one hold, of the receiver's */
} fob_fetched_t;

/* A WHOLE. */
typedef struct {
    uint64_t conn, req;
    uint32_t route;      /* the number of its routing id */
    fob_slice_t pattern; /* a valid one; it is copied */
    uint64_t from, upto;
    uint32_t part, parts; /* parts: a power of two, 1 to FOB_PARTS_MAX */
} fob_whole_t;

typedef struct {
    uint64_t waiting;               /* FETCHes now */
    uint64_t unsent;                /* bytes of answers that clients did not take, now */
    uint64_t served, events, bytes; /* in all: answers, what was in them */
    uint64_t reads, read_bytes;
} fob_fetches_stats_t;

/* `rate`: bytes a second; 0: FOB_FETCH_RATE. NULL: no memory. */
fob_fetches_t *fob_fetches_new(int64_t rate, const fob_topics_ops_t *topics);
void fob_fetches_destroy(fob_fetches_t **self_p);

/* Puts one in line. FOB_OK; FOB_LIMIT: one of its connection waits, or an answer to that client is
 * still held, as it takes nothing; FOB_NO_MEMORY. */
fob_status_t fob_fetches_add(fob_fetches_t *self, const fob_fetch_t *fetch) FOB_MUST_USE;
fob_status_t fob_fetches_add_whole(fob_fetches_t *self, const fob_whole_t *whole) FOB_MUST_USE;
/* A connection is over. */
void fob_fetches_forget(fob_fetches_t *self, uint64_t conn);

/* Begins a round, of which not more than one page is served. `head` is the highest durable offset.
 */
void fob_fetches_round(fob_fetches_t *self, fob_now_t now, uint64_t head);
/* The next WHOLE to be answered, good until the next call of it. False: none now. */
bool fob_fetches_whole(fob_fetches_t *self, fob_whole_t *out);
/* And the body of its answer: the rows, for which so many topics were looked at. One hold, of the
 * receiver's. NULL: no memory. */
fob_blob_t *fob_fetches_answer(fob_fetches_t *self, const fob_whole_t *whole, fob_slice_t rows,
                               size_t looked) FOB_MUST_USE;
/* The next answer; false: none now. */
bool fob_fetches_next(fob_fetches_t *self, fob_fetched_t *out);
/* Where to read the journal now, and about how many bytes; 0: nowhere. */
uint64_t fob_fetches_wants(fob_fetches_t *self, uint32_t *bytes);
/* Whether the journal is reading there now; if not, it is wanted again a little later. */
void fob_fetches_asked(fob_fetches_t *self, bool under_way);
/* What was read, with its memory. Where the system refused, it is wanted again a little later. */
void fob_fetches_page(fob_fetches_t *self, const fob_page_t *page);

/* When the next round is wanted (mono_ns). */
int64_t fob_fetches_deadline(fob_fetches_t *self);
void fob_fetches_stats(const fob_fetches_t *self, fob_fetches_stats_t *out);

#endif
