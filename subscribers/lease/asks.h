/* asks: the headers that a worker sends. Each clears `out` and writes one; false: no memory, which
 * a buffer with FOB_WIRE_HEADER_MAX bytes of room does not come to. They fit into a header, as who
 * packs the runs leaves FOB_ASK_REST bytes for the rest of it. */
#ifndef FOB_LEASE_ASKS_H
#define FOB_LEASE_ASKS_H

#include "subscribers/lease/leases.h"

/* Bytes of a header at the most, runs apart: three names (one may be a reason), a few numbers, the
 * names of the fields. */
#define FOB_ASK_REST (3 * FOB_NAME_MAX + 250)

/* `create`: a missing group is made. */
bool fob_ask_join(fob_buf_t *out, const fob_leases_options_t *options, bool create, uint64_t credit,
                  fob_slice_t claims);
/* Makes the group as the options say where it begins; `req` comes back in REPLY. */
bool fob_ask_add(fob_buf_t *out, const fob_leases_options_t *options, uint64_t req);
/* credit 0: none given. `reason` may be empty. */
bool fob_ask_settle(fob_buf_t *out, fob_slice_t group, uint64_t seq, fob_slice_t runs,
                    fob_slice_t reason, uint64_t credit);
bool fob_ask_credit(fob_buf_t *out, fob_slice_t group, uint64_t credit);
bool fob_ask_leave(fob_buf_t *out, fob_slice_t group);

#endif
