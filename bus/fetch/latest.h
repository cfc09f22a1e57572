/* latest: the one FETCH under way that wants of each topic its last event only.
 *
 * Where these lie is asked first, a few topics at a time, and then only they are read; so it is
 * served for one at a time, over many pages. Below the floor, where nobody knows, all is looked
 * through, and a topic's last event comes last, but may not come alone. Pure. Not thread-safe. */
#ifndef FOB_FETCH_LATEST_H
#define FOB_FETCH_LATEST_H

#include "bus/fetch/seeker.h"

#define FOB_LATEST_LISTED 1024 /* offsets asked for at once */

/* What is known of topics. */
typedef struct {
    /* Begins to list last events from an offset on; gives the highest offset that is given, durable
     * or not. One is listed at a time. */
    uint64_t (*list)(void *arg, uint64_t from);
    /* Goes on a step: adds to `offsets` those of the last events of topics that match, ascending.
     * *floor: up to it there may be others. *looked: the topics looked at. True: those were all,
     * or `room` is full. */
    bool (*list_on)(void *arg, fob_slice_t pattern, uint64_t *offsets, size_t room, size_t *count,
                    uint64_t *floor, size_t *looked);
    /* Whether a topic's last event is known. */
    bool (*known)(void *arg, fob_slice_t topic);
    void *arg;
} fob_topics_ops_t;

/* Begins as zeros. */
typedef struct {
    fob_seeker_t *owner; /* NULL: nobody's */
    uint64_t offsets[FOB_LATEST_LISTED];
    size_t count, index;
    bool listed;          /* the list is whole */
    uint64_t end;         /* all below is told then */
    uint64_t head, floor; /* as of the list */
    bool full;
    fob_gather_t gather;
} fob_latest_t;

void fob_latest_free(fob_latest_t *self);

/* Begins to serve one. */
void fob_latest_begin(fob_latest_t *self, fob_seeker_t *owner, const fob_topics_ops_t *topics);
/* Its owner has its answer, or is gone. */
void fob_latest_end(fob_latest_t *self);

/* A step of the list, until it is whole; gives how many topics were looked at. */
size_t fob_latest_list(fob_latest_t *self, const fob_topics_ops_t *topics);

/* The offset that is to be read now; 0: none, it is to be listed, or can be answered; UINT64_MAX:
 * nothing can be done before more is durable. */
uint64_t fob_latest_wants(const fob_latest_t *self, uint64_t head);
/* How far it is, in offsets, from what is read now to the last that one read may bring as well:
 * such as lie close together. */
uint64_t fob_latest_span(const fob_latest_t *self, uint64_t close);
/* Looks at the past, which holds what it wants, for so many bytes at the most. True: it is to be
 * answered. */
bool fob_latest_look(fob_latest_t *self, const fob_past_t *past, size_t bytes,
                     const fob_topics_ops_t *topics);
/* The head that the answer tells: where it has all there was, that which it had then. */
uint64_t fob_latest_head(const fob_latest_t *self, uint64_t head);

#endif
