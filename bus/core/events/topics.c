#include "bus/core/events/topics.h"

#include "bus/core/durable/digest.h"
#include "proto/topic.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384u

bool fob_topics_init(fob_topics_t *self, uint32_t max) {
    *self = (fob_topics_t){.max = max, .version = 1};
    self->buckets = calloc(BUCKETS, sizeof(fob_known_topic_t *));
    return self->buckets != NULL;
}

void fob_topics_free(fob_topics_t *self) {
    while (self->newest) {
        fob_known_topic_t *topic = self->newest;
        self->newest = topic->older;
        free(topic->groups);
        free(topic);
    }
    free(self->buckets);
    *self = (fob_topics_t){0};
}

void fob_topics_flush(fob_topics_t *self) {
    self->version++;
}

static void use_unlink(fob_topics_t *self, fob_known_topic_t *topic) {
    if (topic->newer)
        topic->newer->older = topic->older;
    else
        self->newest = topic->older;
    if (topic->older)
        topic->older->newer = topic->newer;
    else
        self->oldest = topic->newer;
}

static void use_newest(fob_topics_t *self, fob_known_topic_t *topic) {
    topic->newer = NULL;
    topic->older = self->newest;
    if (self->newest)
        self->newest->newer = topic;
    else
        self->oldest = topic;
    self->newest = topic;
}

static void bucket_unlink(fob_topics_t *self, fob_known_topic_t *topic) {
    fob_known_topic_t **link = &self->buckets[topic->hash % BUCKETS];
    while (*link != topic)
        link = &(*link)->chain;
    *link = topic->chain;
}

/* Takes the oldest out of the table, for its memory. */
static fob_known_topic_t *forget_oldest(fob_topics_t *self) {
    fob_known_topic_t *topic = self->oldest;
    use_unlink(self, topic);
    bucket_unlink(self, topic);
    self->count--;
    return topic;
}

static fob_known_topic_t *add(fob_topics_t *self, fob_slice_t name, uint64_t hash) {
    fob_known_topic_t *topic;
    if (self->count >= self->max) {
        topic = forget_oldest(self);
    } else {
        topic = calloc(1, sizeof *topic);
        if (!topic)
            return NULL;
    }
    topic->hash = hash;
    topic->version = 0;
    topic->size = (uint8_t)name.size;
    memcpy(topic->bytes, name.data, name.size);
    topic->chain = self->buckets[hash % BUCKETS];
    self->buckets[hash % BUCKETS] = topic;
    use_newest(self, topic);
    self->count++;
    return topic;
}

static fob_known_topic_t *find_or_add(fob_topics_t *self, fob_slice_t name) {
    uint64_t hash = fob_digest(name.data, name.size);
    fob_known_topic_t *topic = self->buckets[hash % BUCKETS];
    while (topic && !(topic->hash == hash && topic->size == name.size &&
                      memcmp(topic->bytes, name.data, name.size) == 0))
        topic = topic->chain;
    if (!topic)
        return add(self, name, hash);
    if (topic != self->newest) {
        use_unlink(self, topic);
        use_newest(self, topic);
    }
    return topic;
}

static bool push_group(fob_known_topic_t *topic, fob_group_t *group) {
    if (topic->group_count == topic->group_capacity) {
        uint32_t capacity = topic->group_capacity ? topic->group_capacity * 2 : 4;
        fob_group_t **grown = realloc(topic->groups, capacity * sizeof *grown);
        if (!grown)
            return false;
        topic->groups = grown;
        topic->group_capacity = capacity;
    }
    topic->groups[topic->group_count++] = group;
    return true;
}

const fob_known_topic_t *fob_topics_route(fob_topics_t *self, const fob_groups_t *groups,
                                          fob_slice_t name) {
    fob_known_topic_t *topic = find_or_add(self, name);
    if (!topic || topic->version == self->version)
        return topic;
    topic->version = 0;
    topic->group_count = 0;
    for (size_t i = 0; i < groups->count; i++) {
        fob_group_t *group = groups->by_id[i];
        if (fob_pattern_match(group->pattern, name) && !push_group(topic, group))
            return NULL;
    }
    topic->version = self->version;
    return topic;
}
