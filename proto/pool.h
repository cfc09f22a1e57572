/* pool: places in memory that are used again and again, so that an event that is handed out costs
 * no allocation once its client is warm.
 *
 * One thread at a time takes; any thread gives back, without a lock and at any time: also after the
 * pool was emptied, as an event may outlive the client that it came from. Bounded: what is out
 * beyond FOB_POOL_PLACES at once, and what is larger than a place, comes from malloc and goes back
 * there. Pure. */
#ifndef FOB_POOL_H
#define FOB_POOL_H

#include <stddef.h>

#define FOB_POOL_PLACES 1024
#define FOB_POOL_BYTES  640 /* of a place: an event with a topic and an id of usual length */

typedef struct fob_pool_place fob_pool_place_t;

/* All zeros is an empty pool. */
typedef struct {
    fob_pool_place_t *places[FOB_POOL_PLACES]; /* NULL: not made yet */
    unsigned next;                             /* where to look after the first one */
} fob_pool_t;

/* `size` uninitialised bytes, aligned for anything. `self` NULL: not of a pool. NULL: no memory. */
void *fob_pool_take(fob_pool_t *self, size_t size);

/* Gives back what take gave. Any thread. */
void fob_pool_give(void *bytes);

/* Frees what is not out, and lets what is out be freed when it is given back. The pool is empty
 * then, and may be used again. On the thread that takes. */
void fob_pool_empty(fob_pool_t *self);

#endif
