/* unsent: whose last answer is not on its way yet. Whoever asks on and reads nothing would have the
 * bus keep an answer for each question; but nobody can read an answer before all of it was handed
 * to the system, and then libzmq has dropped it. So who has one unsent has no answer, and is owed
 * no second. Not thread-safe; an answer is dropped on any thread. */
#ifndef FOB_FETCH_UNSENT_H
#define FOB_FETCH_UNSENT_H

#include "proto/blob.h"

/* Begins as zeros. */
typedef struct {
    fob_blob_t **tickets; /* by slot of the connection (the low half of its number); NULL: none */
    size_t count;
} fob_unsent_t;

void fob_unsent_free(fob_unsent_t *self);

/* Copies an answer to that connection, which is unsent until all holds on it are dropped. NULL: no
 * memory. */
fob_blob_t *fob_unsent_wrap(fob_unsent_t *self, uint64_t conn, fob_slice_t answer);
/* Whether one to that connection is unsent. */
bool fob_unsent_any(const fob_unsent_t *self, uint64_t conn);
/* The connection is over: who has its slot next has none. */
void fob_unsent_forget(fob_unsent_t *self, uint64_t conn);

#endif
