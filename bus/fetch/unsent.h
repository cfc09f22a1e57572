/* unsent: whose last answer is not on its way yet. Whoever asks on and reads nothing would have the
 * bus keep an answer for each question; but nobody can read an answer before all of it was handed
 * to the system, and then libzmq has dropped it. So who has one unsent has no answer, and is owed
 * no second.
 *
 * Clients are known by the number of their routing id, which stays with the connection of the
 * socket whatever is said on it: one that says HELLO again, or GOODBYE, has what it did not take
 * all the same. Not thread-safe; an answer is dropped on any thread. */
#ifndef FOB_FETCH_UNSENT_H
#define FOB_FETCH_UNSENT_H

#include "proto/blob.h"

typedef struct fob_ticket fob_ticket_t;

/* Begins as zeros. */
typedef struct {
    fob_ticket_t *tickets; /* by number, open addressing */
    size_t room, count;    /* the room is a power of two */
    fob_blob_t *account;   /* of bytes; NULL: nothing was ever sent */
} fob_unsent_t;

void fob_unsent_free(fob_unsent_t *self);

/* Copies an answer to that client, which is unsent until all holds on it are dropped. NULL: no
 * memory. */
fob_blob_t *fob_unsent_wrap(fob_unsent_t *self, uint32_t route, fob_slice_t bytes);
/* Whether one to that client is unsent. */
bool fob_unsent_any(const fob_unsent_t *self, uint32_t route);
/* Bytes that are unsent, of all. */
size_t fob_unsent_bytes(const fob_unsent_t *self);

#endif
