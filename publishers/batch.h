/* batch: the blob that events are encoded into, and that is a PUBLISH's body without a copy. It
 * lives until none of its events may have to be sent again. A pool keeps the small structs, and
 * some large blobs, which are used again when libzmq is done with them: fresh memory costs a fault
 * for each page of it. */
#ifndef FOB_BATCH_H
#define FOB_BATCH_H

#include "proto/blob.h"
#include "proto/envelope.h"

#define FOB_BATCH_FULL  65536 /* bytes: beyond it the next event begins another batch */
#define FOB_BATCH_FIRST 4096
#define FOB_BATCH_KEEP  16384 /* bytes: a blob so large is kept, to be used again, */
#define FOB_BATCH_KEPT  32    /* so many of them */

typedef struct fob_batch fob_batch_t;
struct fob_batch {
    fob_blob_t *blob;
    size_t capacity;
    size_t used;
    uint32_t live;     /* events that still need the bytes */
    bool sealed;       /* nothing is added any more */
    fob_batch_t *next; /* in the pool */
};

typedef struct {
    fob_blob_t *blob; /* a hold */
    size_t size;
} fob_batch_kept_t;

typedef struct {
    fob_batch_t *spare;
    fob_batch_kept_t kept[FOB_BATCH_KEPT]; /* a ring, the oldest at `first_kept` */
    unsigned first_kept, kept_count;
    size_t want; /* bytes that the next batch gets: grows while batches fill, shrinks while they do
                    not */
    size_t most; /* of these; 0: FOB_BATCH_FULL */
} fob_batches_t;

void fob_batches_free(fob_batches_t *self);

/* Whether as many large blobs as are kept are with libzmq still: what is sent now would wait behind
 * all of them. */
bool fob_batches_under_way(const fob_batches_t *self);

/* What is with libzmq is with a socket that was closed: it is in nobody's way. */
void fob_batches_forget(fob_batches_t *self);

/* An open batch with room for `need` bytes. NULL: no memory. */
fob_batch_t *fob_batch_new(fob_batches_t *pool, size_t need);

/* Encodes an event at the end; *size gets its bytes. As fob_envelope_write; the room was made by
 * fob_batch_bound. */
fob_status_t fob_batch_add(fob_batch_t *self, uint64_t max_data, const fob_envelope_t *event,
                           size_t *size) FOB_MUST_USE;

/* No event encodes to more bytes than this. */
size_t fob_batch_bound(const fob_envelope_t *event);

/* Ends it: cut to size, to be sent. */
void fob_batch_seal(fob_batches_t *pool, fob_batch_t *self);

/* The bytes at..at+size of a sealed batch as a body of its own (all of them: the blob itself).
 * NULL: no memory. */
fob_blob_t *fob_batch_body(const fob_batch_t *self, size_t at, size_t size);

/* Its events need it no more. */
void fob_batch_recycle(fob_batches_t *pool, fob_batch_t *self);

#endif
