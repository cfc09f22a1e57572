/* batch: see batch.h. */
#include "publishers/batch.h"

#include <assert.h>
#include <stdlib.h>

#define BATCH_OVERHEAD 512 /* more than all names, heads and integers of an event's encoding */

/* --- blobs that are kept --- */

static fob_batch_kept_t *oldest(fob_batches_t *pool) {
    return &pool->kept[pool->first_kept];
}

static fob_blob_t *kept_take(fob_batches_t *pool) {
    fob_blob_t *blob = oldest(pool)->blob;
    pool->first_kept = (pool->first_kept + 1) % FOB_BATCH_KEPT;
    pool->kept_count--;
    return blob;
}

static void kept_drop(fob_batches_t *pool) {
    fob_blob_t *blob = kept_take(pool);
    fob_blob_unref(&blob);
}

/* Takes the hold over. */
static void keep(fob_batches_t *pool, fob_blob_t *blob, size_t size) {
    if (pool->kept_count == FOB_BATCH_KEPT && fob_blob_alone(oldest(pool)->blob))
        kept_drop(pool); /* so that what is under way is counted */
    if (size < FOB_BATCH_KEEP || pool->kept_count == FOB_BATCH_KEPT) {
        fob_blob_unref(&blob);
        return;
    }
    unsigned at = (pool->first_kept + pool->kept_count++) % FOB_BATCH_KEPT;
    pool->kept[at] = (fob_batch_kept_t){blob, size};
}

bool fob_batches_under_way(const fob_batches_t *self) {
    return self->kept_count == FOB_BATCH_KEPT && !fob_blob_alone(self->kept[self->first_kept].blob);
}

/* A blob of at least *size bytes, which becomes its size: the oldest that is kept, if nobody else
 * holds it any more. One that does not fit is given up, so that after a flood all of them are. */
static fob_blob_t *blob_of(fob_batches_t *pool, size_t *size) {
    if (pool->kept_count && fob_blob_alone(oldest(pool)->blob)) {
        size_t kept = oldest(pool)->size;
        fob_blob_t *blob = kept_take(pool);
        if (kept >= *size && kept / 4 <= *size) {
            fob_blob_renew(blob);
            *size = kept;
            return blob;
        }
        fob_blob_unref(&blob);
    }
    return fob_blob_new(*size);
}

void fob_batches_forget(fob_batches_t *self) {
    while (self->kept_count)
        kept_drop(self);
}

/* --- batches --- */

void fob_batches_free(fob_batches_t *self) {
    while (self->spare) {
        fob_batch_t *next = self->spare->next;
        free(self->spare);
        self->spare = next;
    }
    fob_batches_forget(self);
}

size_t fob_batch_bound(const fob_envelope_t *event) {
    return BATCH_OVERHEAD + event->topic.size + event->id.size + event->key.size +
           event->source.size + event->datacontenttype.size + event->traceparent.size +
           event->headers.size + event->data.size;
}

fob_batch_t *fob_batch_new(fob_batches_t *pool, size_t need) {
    size_t size = pool->want ? pool->want : FOB_BATCH_FIRST;
    size = size < need ? need : size;
    fob_batch_t *self = pool->spare;
    if (self)
        pool->spare = self->next;
    else
        self = malloc(sizeof *self);
    if (!self)
        return NULL;
    fob_blob_t *blob = blob_of(pool, &size);
    *self = (fob_batch_t){.blob = blob, .capacity = size};
    if (self->blob)
        return self;
    self->next = pool->spare;
    pool->spare = self;
    return NULL;
}

fob_status_t fob_batch_add(fob_batch_t *self, uint64_t max_data, const fob_envelope_t *event,
                           size_t *size) {
    assert(!self->sealed && self->capacity - self->used >= fob_batch_bound(event));
    fob_buf_t buf = {.data = fob_blob_writable(self->blob) + self->used,
                     .capacity = self->capacity - self->used};
    fob_status_t status = fob_envelope_write(&buf, max_data, event);
    if (status != FOB_OK)
        return status;
    self->used += buf.size;
    self->live++;
    *size = buf.size;
    return FOB_OK;
}

void fob_batch_seal(fob_batches_t *pool, fob_batch_t *self) {
    size_t most = pool->most ? pool->most : FOB_BATCH_FULL;
    /* By half at the most: one that had to go before it was full says little of the next. */
    size_t want = pool->want / 2 > FOB_BATCH_FIRST ? pool->want / 2 : FOB_BATCH_FIRST;
    while (want < 2 * self->used && want < most)
        want *= 2;
    pool->want = want;
    fob_blob_trim(self->blob, self->used);
    self->sealed = true;
}

static void part_free(void *data, void *hint) {
    (void)data;
    fob_blob_t *whole = hint;
    fob_blob_unref(&whole);
}

fob_blob_t *fob_batch_body(const fob_batch_t *self, size_t at, size_t size) {
    assert(self->sealed && at + size <= self->used);
    if (size == self->used)
        return fob_blob_ref(self->blob);
    /* The bytes are only read: the blob's own rule. */
    uint8_t *data = (uint8_t *)(uintptr_t)fob_blob_slice(self->blob).data + at;
    fob_blob_t *part = fob_blob_wrap(data, size, part_free, self->blob);
    if (part)
        fob_blob_ref(self->blob);
    return part;
}

void fob_batch_recycle(fob_batches_t *pool, fob_batch_t *self) {
    keep(pool, self->blob, self->capacity);
    self->blob = NULL;
    self->next = pool->spare;
    pool->spare = self;
}
