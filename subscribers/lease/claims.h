/* claims: what a worker tells a bus that it still holds, when it joins again: what is out and not
 * lost, then what waits, in the order in which it will begin, then what it settled without an
 * answer. Pure. */
#ifndef FOB_LEASE_CLAIMS_H
#define FOB_LEASE_CLAIMS_H

#include "subscribers/lease/holding.h"
#include "subscribers/lease/prefetch.h"
#include "subscribers/lease/settles.h"

#define FOB_CLAIMS_MAX 2300 /* rows of one JOIN, so that its header stays within its limit */

/* Appends the runs [offset, count, token] with the array's head. Where they would be more than
 * FOB_CLAIMS_MAX, the prefetch is emptied (others get it), and then the youngest are left out (and
 * refused when they are settled). False: no memory; nothing was appended. */
bool fob_claims_pack(fob_buf_t *out, fob_prefetch_t *prefetch, const fob_holding_t *holding,
                     const fob_settles_t *settles);

#endif
