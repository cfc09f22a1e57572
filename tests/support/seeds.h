/* seeds: which ones a test lives through.
 *
 *     seeds_t seeds = seeds_given (1, 20);     20 from 1 on, if the environment does not choose
 *     for (uint64_t i = 0; i < seeds.count; i++)
 *         live (seeds.first + i);
 *     assert_true (seeds.chosen || crashes > 0);
 *
 * FOB_SEED runs that one alone, FOB_SEEDS so many from the first on. Whoever chose them wants what
 * they do, and cannot be asked for what they do not. These lives have one thread each: a build that
 * looks for races lives a third of them, and is not asked either. */
#ifndef FOB_TESTS_SEEDS_H
#define FOB_TESTS_SEEDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    uint64_t first, count;
    bool chosen; /* by the environment, or the build */
} seeds_t;

static inline seeds_t seeds_given(uint64_t first, uint64_t count) {
    const char *one = getenv("FOB_SEED"), *many = getenv("FOB_SEEDS");
    if (one && *one)
        return (seeds_t){strtoull(one, NULL, 10), 1, true};
    if (many && *many)
        return (seeds_t){first, strtoull(many, NULL, 10), true};
#if defined(__SANITIZE_THREAD__)
    return (seeds_t){first, (count + 2) / 3, true};
#else
    return (seeds_t){first, count, false};
#endif
}

#endif
