/* topics: what the core remembers of a topic: which groups match it, and its last stored event.
 *
 * A bounded table; the topic unused for longest makes room. So publishing to a known topic matches
 * no pattern, and a group that does not match costs nothing. A topic that is known anew begins its
 * numbering anew, and its `prev` is the highest that ever fell out. Volatile. */
#ifndef FOB_CORE_TOPICS_H
#define FOB_CORE_TOPICS_H

#include "bus/core/group/group.h"

#define FOB_TOPICS_MAX 16384

typedef struct fob_known_topic fob_known_topic_t;

struct fob_known_topic {
    fob_known_topic_t *chain;         /* of the bucket */
    fob_known_topic_t *newer, *older; /* by use */
    uint64_t hash;
    uint64_t version; /* of the groups that the list is true for; 0: none yet */
    fob_group_t **groups;
    uint32_t group_count, group_capacity;
    uint64_t last; /* offset of its last event, or the floor when it became known */
    uint64_t count, born;
    uint8_t size;
    uint8_t bytes[255];
};

typedef struct {
    fob_known_topic_t **buckets;
    fob_known_topic_t *newest, *oldest;
    uint32_t count, max;
    uint64_t version;
    uint64_t floor; /* no unknown topic has an event above it */
} fob_topics_t;

/* Makes an empty table; false: no memory. */
bool fob_topics_init(fob_topics_t *self, uint32_t max);
void fob_topics_free(fob_topics_t *self);
/* The groups were changed: lists are made anew when next asked for. */
void fob_topics_flush(fob_topics_t *self);
/* Everything up to `head` was stored before the table began. */
void fob_topics_start(fob_topics_t *self, uint64_t head);

/* The topic with its groups, by id; good until the next call. NULL: no memory. */
const fob_known_topic_t *fob_topics_route(fob_topics_t *self, const fob_groups_t *groups,
                                          fob_slice_t name);

typedef struct {
    uint64_t prev, nth, born;
} fob_link_t;

/* Links `count` events, the first at `offset`, the last at `last`, to the topic's chain. Cannot
 * fail: with no memory the topic stays unknown, and the floor says so. */
fob_link_t fob_topics_link(fob_topics_t *self, fob_slice_t name, uint64_t offset, uint32_t count);

#endif
