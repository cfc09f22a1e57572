/* blob: a counted holder of bytes, its own or wrapped. */
#include "proto/blob.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct fob_blob {
    atomic_size_t holders;
    uint8_t *data; /* `own`, or what was wrapped */
    size_t size;
    size_t made;               /* bytes of `own` */
    fob_blob_free_fn *free_fn; /* NULL: the bytes are `own` */
    void *hint;
    uint8_t own[];
};

static fob_blob_t *blob_alloc(size_t own) {
    if (own > SIZE_MAX - sizeof(fob_blob_t))
        return NULL;
    fob_blob_t *self = malloc(sizeof *self + own);
    if (!self)
        return NULL;
    atomic_init(&self->holders, 1);
    self->data = self->own;
    self->size = self->made = own;
    self->free_fn = NULL;
    self->hint = NULL;
    return self;
}

fob_blob_t *fob_blob_new(size_t size) {
    return blob_alloc(size);
}

fob_blob_t *fob_blob_copy(fob_slice_t bytes) {
    fob_blob_t *self = blob_alloc(bytes.size);
    if (self && bytes.size > 0)
        memcpy(self->own, bytes.data, bytes.size);
    return self;
}

fob_blob_t *fob_blob_wrap(void *data, size_t size, fob_blob_free_fn *free_fn, void *hint) {
    fob_blob_t *self = blob_alloc(0);
    if (!self)
        return NULL;
    self->data = data;
    self->size = size;
    self->free_fn = free_fn;
    self->hint = hint;
    return self;
}

fob_blob_t *fob_blob_ref(fob_blob_t *self) {
    /* The caller holds one, so nothing needs to be ordered: only the count must not tear. */
    size_t before = atomic_fetch_add_explicit(&self->holders, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return self;
}

void fob_blob_unref(fob_blob_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_blob_t *self = *self_p;
    *self_p = NULL;
    /* Release: our reads are done before the bytes go. Acquire: the last one sees that of all
     * others. One operation rather than a fence, as TSan does not see fences. */
    size_t before = atomic_fetch_sub_explicit(&self->holders, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    if (self->free_fn)
        self->free_fn(self->data, self->hint);
    free(self);
}

bool fob_blob_alone(fob_blob_t *self) {
    return atomic_load_explicit(&self->holders, memory_order_acquire) == 1;
}

uint8_t *fob_blob_writable(fob_blob_t *self) {
    assert(fob_blob_alone(self));
    return self->data;
}

void fob_blob_trim(fob_blob_t *self, size_t size) {
    assert(fob_blob_alone(self));
    assert(size <= self->size);
    if (size < self->size)
        self->size = size;
}

void fob_blob_renew(fob_blob_t *self) {
    assert(fob_blob_alone(self) && !self->free_fn);
    self->size = self->made;
}

fob_slice_t fob_blob_slice(const fob_blob_t *self) {
    return fob_slice(self->data, self->size);
}
