/* blob: immutable bytes with a count of holders.
 *
 * A publish arrives as one message, and its bytes then serve the core's page, the journal's write,
 * every delivery and the broadcast; the last holder frees it. The count is atomic, because libzmq
 * drops its reference on its own I/O thread. The bytes are never written once a second holder
 * exists. */
#ifndef FOB_BLOB_H
#define FOB_BLOB_H

#include "proto/slice.h"

typedef struct fob_blob fob_blob_t;

/* Frees what a blob wraps; runs once, on the thread that dropped the last reference. */
typedef void(fob_blob_free_fn)(void *data, void *hint);

/* A blob of `size` uninitialised bytes of its own (one allocation), holder count 1; NULL: no
 * memory. */
fob_blob_t *fob_blob_new(size_t size);

/* A blob with a copy of the bytes, holder count 1; NULL: no memory. */
fob_blob_t *fob_blob_copy(fob_slice_t bytes);

/* Wraps `data`, which `free_fn (data, hint)` frees. On failure (NULL: no memory) nothing is freed:
 * the caller still owns it. */
fob_blob_t *fob_blob_wrap(void *data, size_t size, fob_blob_free_fn *free_fn, void *hint);

/* One more holder; returns self. Any thread that holds one. */
fob_blob_t *fob_blob_ref(fob_blob_t *self);

/* Drops the caller's hold and nulls it; null-safe. Any thread. */
void fob_blob_unref(fob_blob_t **self_p);

/* Whether the caller, who holds it, is the one holder: all others dropped theirs. */
bool fob_blob_alone(fob_blob_t *self);

/* The writable bytes: only while the caller is the one holder. */
uint8_t *fob_blob_writable(fob_blob_t *self);

/* Shortens the blob (only while the caller is the one holder, and never longer than it was). */
void fob_blob_trim(fob_blob_t *self, size_t size);

/* As long again as it was made, with whatever bytes (only while the caller is the one holder of a
 * blob of its own bytes): to be used once more. */
void fob_blob_renew(fob_blob_t *self);

/* The bytes, good while the caller holds it. */
fob_slice_t fob_blob_slice(const fob_blob_t *self);

#endif
