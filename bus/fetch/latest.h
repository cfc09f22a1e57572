/* latest: the one FETCH under way that wants of each topic its last event only.
 *
 * Where these lie is asked once, and then only they are read; so it is served for one at a time,
 * over many pages. Below the floor, where nobody knows, all is looked through, and a topic's last
 * event comes last, but may not come alone. Pure. Not thread-safe. */
#ifndef FOB_FETCH_LATEST_H
#define FOB_FETCH_LATEST_H

#include "bus/fetch/seeker.h"

#define FOB_LATEST_LISTED 1024 /* offsets asked for at once */

/* What is known of topics. */
typedef struct {
    /* Fills `offsets` with those of the last events of topics that match, from `from` on,
     * ascending, and says how many. *head: the highest that is given, durable or not; *floor: up to
     * it there may be others. *looked: the topics looked at. */
    size_t (*lasts)(void *arg, fob_slice_t pattern, uint64_t from, uint64_t *offsets, size_t room,
                    uint64_t *head, uint64_t *floor, size_t *looked);
    /* Whether a topic's last event is known. */
    bool (*known)(void *arg, fob_slice_t topic);
    void *arg;
} fob_topics_ops_t;

/* Begins as zeros. */
typedef struct {
    fob_seeker_t *owner; /* NULL: nobody's */
    uint64_t offsets[FOB_LATEST_LISTED];
    size_t count, index;
    uint64_t end;         /* all below is told then */
    uint64_t head, floor; /* as of the list */
    bool full;
    fob_gather_t gather;
} fob_latest_t;

void fob_latest_free(fob_latest_t *self);

/* Begins to serve one; gives how many topics were looked at. */
size_t fob_latest_begin(fob_latest_t *self, fob_seeker_t *owner, const fob_topics_ops_t *topics);
/* Its owner has its answer, or is gone. */
void fob_latest_end(fob_latest_t *self);

/* The offset that is to be read now; 0: none, it can be answered; UINT64_MAX: nothing can be done
 * before more is durable. */
uint64_t fob_latest_wants(const fob_latest_t *self, uint64_t head);
/* Looks at the past, which holds what it wants. True: it is to be answered. */
bool fob_latest_look(fob_latest_t *self, const fob_past_t *past, const fob_topics_ops_t *topics);
/* The head that the answer tells: where it has all there was, that which it had then. */
uint64_t fob_latest_head(const fob_latest_t *self, uint64_t head);

#endif
