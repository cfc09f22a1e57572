/* asks: the headers that a worker sends. Each clears `out` and writes one; false: no memory, which
 * a buffer with FOB_WIRE_HEADER_MAX bytes of room does not come to. */
#ifndef FOB_ASKS_H
#define FOB_ASKS_H

#include "subscribers/leases.h"

bool fob_ask_join(fob_buf_t *out, const fob_leases_options_t *options, uint64_t credit,
                  fob_slice_t claims);
/* credit 0: none given. */
bool fob_ask_settle(fob_buf_t *out, fob_slice_t group, uint64_t seq, fob_slice_t runs,
                    uint64_t credit);
bool fob_ask_credit(fob_buf_t *out, fob_slice_t group, uint64_t credit);
bool fob_ask_leave(fob_buf_t *out, fob_slice_t group);

#endif
