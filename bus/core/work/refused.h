/* refused: the rows of a JOINED or SETTLED that tell what is not the worker's, neighbours joined.
 */
#ifndef FOB_CORE_REFUSED_H
#define FOB_CORE_REFUSED_H

#include "proto/buf.h"
#include "proto/wire.h"

#define FOB_REFUSED_ROW   25u    /* bytes of an encoded row, at most: counts are below 2^32 */
#define FOB_REFUSED_BYTES 62000u /* of all rows: so that the header stays below its limit */

typedef struct {
    fob_buf_t *out;
    uint32_t rows;   /* with the last */
    uint64_t row[4]; /* the last, not encoded yet; row[2] 0: none */
} fob_refused_t;

/* Empties `out`, which is lent. */
void fob_refused_begin(fob_refused_t *self, fob_buf_t *out);
/* Whether an event joins the last row. */
bool fob_refused_joins(const fob_refused_t *self, fob_status_t status, uint64_t offset,
                       uint64_t token);
void fob_refused_add(fob_refused_t *self, fob_status_t status, uint64_t offset, uint64_t count,
                     uint64_t token);
/* Bytes of all rows, at most. */
size_t fob_refused_bytes(const fob_refused_t *self);
/* Encodes all rows, with the array's head, into `whole`; false: no memory. */
bool fob_refused_end(fob_refused_t *self, fob_buf_t *whole);

#endif
