#include "subscribers/sequence/gaps.h"

#include <stdlib.h>

/* A source and topic, and the number that comes next. */
typedef struct {
    uint64_t source, next, used; /* used: 0: free */
    uint64_t lost;
    uint8_t *topic;
    uint32_t size;
} entry_t;

/* A hash picks a set of a few; in it the longest unused goes first. */
struct fob_gaps {
    entry_t entries[FOB_GAPS_SETS][FOB_GAPS_WAYS];
    uint64_t clock;
    entry_t *last; /* the one seen last: runs of one topic are the rule */
};

fob_gaps_t *fob_gaps_new(void) {
    return calloc(1, sizeof(fob_gaps_t));
}

void fob_gaps_destroy(fob_gaps_t **self_p) {
    if (!self_p || !*self_p)
        return;
    for (size_t set = 0; set < FOB_GAPS_SETS; set++)
        for (size_t way = 0; way < FOB_GAPS_WAYS; way++)
            free((*self_p)->entries[set][way].topic);
    free(*self_p);
    *self_p = NULL;
}

/* FNV-1a. */
static size_t set_of(uint64_t source, fob_slice_t topic) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (source * UINT64_C(0x9e3779b97f4a7c15));
    for (size_t i = 0; i < topic.size; i++)
        hash = (hash ^ topic.data[i]) * UINT64_C(0x100000001b3);
    return (size_t)((hash ^ (hash >> 29)) % FOB_GAPS_SETS);
}

static bool is(const entry_t *entry, uint64_t source, fob_slice_t topic) {
    return entry->used && entry->source == source &&
           fob_slice_eq(fob_slice(entry->topic, entry->size), topic);
}

/* The pair's entry; *found false: its place, which may be taken by another. */
static entry_t *find(fob_gaps_t *self, uint64_t source, fob_slice_t topic, bool *found) {
    *found = true;
    if (self->last && is(self->last, source, topic))
        return self->last;
    entry_t *set = self->entries[set_of(source, topic)], *oldest = set;
    for (size_t way = 0; way < FOB_GAPS_WAYS; way++) {
        if (is(&set[way], source, topic))
            return &set[way];
        if (set[way].used < oldest->used)
            oldest = &set[way];
    }
    *found = false;
    return oldest;
}

static bool take(entry_t *entry, uint64_t source, fob_slice_t topic) {
    uint8_t *copy = malloc(topic.size ? topic.size : 1);
    if (!copy)
        return false;
    memcpy(copy, topic.data, topic.size);
    free(entry->topic);
    *entry = (entry_t){.source = source, .topic = copy, .size = (uint32_t)topic.size};
    return true;
}

bool fob_gaps_see(fob_gaps_t *self, uint64_t source, fob_slice_t topic, uint64_t seq,
                  uint64_t count, uint64_t most, uint64_t *missing) {
    bool found;
    entry_t *entry = find(self, source, topic, &found);
    *missing = 0;
    if (count > UINT64_MAX - seq) {
        if (found)
            entry->used = 0;
        return false;
    }
    if (!found && !take(entry, source, topic))
        return true;
    uint64_t hole = found && seq > entry->next ? seq - entry->next : 0;
    entry->next = seq + count;
    entry->used = ++self->clock;
    self->last = entry;
    if (hole > most)
        return false;
    *missing = hole;
    entry->lost = hole > UINT64_MAX - entry->lost ? UINT64_MAX : entry->lost + hole;
    return true;
}

void fob_gaps_lose(fob_gaps_t *self, uint64_t source, fob_slice_t topic, uint64_t count) {
    bool found;
    entry_t *entry = find(self, source, topic, &found);
    if (found)
        entry->lost = count > UINT64_MAX - entry->lost ? UINT64_MAX : entry->lost + count;
}

bool fob_gaps_next(const fob_gaps_t *self, size_t *at, fob_gap_loss_t *out) {
    while (*at < FOB_GAPS_SETS * FOB_GAPS_WAYS) {
        const entry_t *entry = &self->entries[*at / FOB_GAPS_WAYS][*at % FOB_GAPS_WAYS];
        ++*at;
        if (!entry->used || !entry->lost)
            continue;
        *out = (fob_gap_loss_t){entry->source, entry->lost, fob_slice(entry->topic, entry->size)};
        return true;
    }
    return false;
}
