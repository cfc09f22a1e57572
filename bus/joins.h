/* joins: which groups each connection joined, so that a GOODBYE can leave them all, one by one.
 * Pure. */
#ifndef FOB_JOINS_H
#define FOB_JOINS_H

#include "proto/slice.h"

typedef struct fob_joins fob_joins_t;

/* NULL: no memory. */
fob_joins_t *fob_joins_new(void);
void fob_joins_destroy(fob_joins_t **self_p);

/* Notes that `conn` joined `group` (once, however often it is told). False: no memory, or more than
 * a connection may join. */
bool fob_joins_add(fob_joins_t *self, uint64_t conn, fob_slice_t group);
void fob_joins_remove(fob_joins_t *self, uint64_t conn, fob_slice_t group);

/* Takes out one group of the connection; `name` has room for 255 bytes. 0: none left, else the
 * name's size. */
size_t fob_joins_take(fob_joins_t *self, uint64_t conn, uint8_t *name);

#endif
