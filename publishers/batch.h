/* batch: the blob that events are encoded into, and that is a PUBLISH's body without a copy. It
 * lives until none of its events may have to be sent again. A pool keeps the small structs; the
 * bytes are one allocation a batch. */
#ifndef FOB_BATCH_H
#define FOB_BATCH_H

#include "proto/blob.h"
#include "proto/envelope.h"

#define FOB_BATCH_FULL  65536 /* bytes: beyond it the next event begins another batch */
#define FOB_BATCH_FIRST 4096

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
    fob_batch_t *spare;
    size_t want; /* bytes that the next batch gets: grows while batches fill, shrinks while they do
                    not */
    size_t most; /* of these; 0: FOB_BATCH_FULL */
} fob_batches_t;

void fob_batches_free(fob_batches_t *self);

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
