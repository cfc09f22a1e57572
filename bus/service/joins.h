/* joins: which groups each connection joined, and what it was sent of each: so that a GOODBYE can
 * leave them all, one by one, and what never got to a connection that is lost is known. Pure. */
#ifndef FOB_SERVICE_JOINS_H
#define FOB_SERVICE_JOINS_H

#include "proto/fob_export.h"
#include "proto/slice.h"

#include <fob/fob_status.h>

typedef struct fob_joins fob_joins_t;

/* NULL: no memory. */
fob_joins_t *fob_joins_new(void);
void fob_joins_destroy(fob_joins_t **self_p);

/* Notes that `conn` joins `group` (once, however often it is told), which it must be before it is
 * sent anything of it. FOB_OK; FOB_NO_MEMORY; FOB_LIMIT: more than a connection may join;
 * FOB_INVALID: that is no name of a group. */
fob_status_t fob_joins_add(fob_joins_t *self, uint64_t conn, fob_slice_t group) FOB_MUST_USE;
void fob_joins_remove(fob_joins_t *self, uint64_t conn, fob_slice_t group);

/* It was sent a delivery of a group: leases up to this token. */
void fob_joins_sent(fob_joins_t *self, uint64_t conn, fob_slice_t group, uint64_t token);

/* Goes through the groups of the connection: start with *at = 0. `name` (which has room for 255
 * bytes) and *sent are the group's, 0: it was sent nothing since it joined first. 0: no more, else
 * the name's size. */
size_t fob_joins_next(const fob_joins_t *self, uint64_t conn, size_t *at, uint8_t *name,
                      uint64_t *sent);
/* Forgets all of the connection. */
void fob_joins_forget(fob_joins_t *self, uint64_t conn);

#endif
