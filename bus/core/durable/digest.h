/* digest: the hash of the core's state, and of topics in its tables. */
#ifndef FOB_CORE_DIGEST_H
#define FOB_CORE_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

static inline uint64_t fob_digest(const void *data, size_t size) {
    return size ? XXH3_64bits(data, size) : 0;
}

#endif
