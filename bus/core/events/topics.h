/* topics: which groups match a topic.
 *
 * A bounded table; the topic unused for longest makes room. So publishing to a known topic matches
 * no pattern, and a group that does not match costs nothing. Volatile. */
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
    uint8_t size;
    uint8_t bytes[255];
};

typedef struct {
    fob_known_topic_t **buckets;
    fob_known_topic_t *newest, *oldest;
    uint32_t count, max;
    uint64_t version;
} fob_topics_t;

/* Makes an empty table; false: no memory. */
bool fob_topics_init(fob_topics_t *self, uint32_t max);
void fob_topics_free(fob_topics_t *self);
/* The groups were changed: lists are made anew when next asked for. */
void fob_topics_flush(fob_topics_t *self);

/* The topic with its groups, by id; good until the next call. NULL: no memory. */
const fob_known_topic_t *fob_topics_route(fob_topics_t *self, const fob_groups_t *groups,
                                          fob_slice_t name);

#endif
