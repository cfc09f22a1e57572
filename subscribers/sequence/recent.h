/* recent: the newest broadcast messages, kept while the journal is read, so that the live stream is
 * joined without a seam. Bounded: the oldest makes room. Pure; one thread. */
#ifndef FOB_SEQUENCE_RECENT_H
#define FOB_SEQUENCE_RECENT_H

#include "proto/blob.h"

#define FOB_RECENT_MESSAGES 4096
#define FOB_RECENT_BYTES    ((size_t)8 << 20)

/* Stored events of one topic, as the broadcast brings them; the body was found to be `count` events
 * of it. */
typedef struct {
    fob_blob_t *body;
    fob_slice_t topic;
    uint64_t offset, count, prev;
    int64_t time_ms;
    uint32_t shard;
} fob_heard_t;

/* All zeros is empty. */
typedef struct {
    fob_heard_t *ring;
    size_t capacity, head, count; /* capacity: a power of two, or 0 */
    size_t bytes, max;            /* messages; 0: FOB_RECENT_MESSAGES */
    bool holed; /* one that came was not kept, or had to make room; set by put, cleared by others */
} fob_recent_t;

void fob_recent_free(fob_recent_t *self);
/* Keeps a message, with a hold of its own on the body; the oldest make room. */
void fob_recent_put(fob_recent_t *self, const fob_heard_t *heard);
/* The oldest; NULL: none. */
const fob_heard_t *fob_recent_first(const fob_recent_t *self);
void fob_recent_drop(fob_recent_t *self); /* the oldest, which there is */
void fob_recent_clear(fob_recent_t *self);
/* So much is kept that more is likely to come than there is room for. */
bool fob_recent_much(const fob_recent_t *self);

#endif
