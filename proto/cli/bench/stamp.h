/* stamp: what an event of `fob bench` carries: of which run and publisher it is, its number, and
 * when it was due. The data is one msgpack value (bytes), as whoever looks at it expects. Pure. */
#ifndef FOB_BENCH_STAMP_H
#define FOB_BENCH_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOB_STAMP_LEAST 32 /* bytes that a stamped event has at the least */

typedef struct {
    uint32_t run;      /* a random number: what another run left is not taken for ours */
    uint32_t source;   /* which publisher, from 0 */
    uint64_t sequence; /* of that publisher, from 0 */
    int64_t due_ns;    /* monotonic, of this machine */
} fob_stamp_t;

/* Makes `size` bytes (FOB_STAMP_LEAST to 2^32) ready to be stamped, again and again. */
void fob_stamp_begin(uint8_t *data, size_t size);
/* Stamps what was made ready. */
void fob_stamp_put(uint8_t *data, const fob_stamp_t *stamp);

/* Reads a stamp. False: these are not `size` bytes as they were stamped. (Beyond the stamp the last
 * byte is looked at.) */
bool fob_stamp_read(const void *data, size_t found, size_t size, fob_stamp_t *out);

#endif
