/* core_policy: settings of groups under which nothing is full, bounded or too old soon. */
#ifndef FOB_TESTS_CORE_POLICY_H
#define FOB_TESTS_CORE_POLICY_H

#include "bus/core/group/policy.h"

/* What failed waits so long, and twice as long each time, up to the most (ms). */
#define CORE_POLICY(first_ms, most_ms)                                                             \
    {                                                                                              \
        .max_depth = 10000000, .max_bytes = INT64_MAX, .max_attempts = 5,                          \
        .backoff_first = (first_ms), .backoff_factor = 2, .backoff_max = (most_ms),                \
        .dead_max = 1000000, .dead_max_age = INT64_C(2592000000)                                   \
    }

#endif
