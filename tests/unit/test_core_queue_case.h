/* core_queue_case: the queue of a test program, with the set-ups of its cases. */
#ifndef FOB_TESTS_CORE_QUEUE_CASE_H
#define FOB_TESTS_CORE_QUEUE_CASE_H

#include "bus/core/state.h"
#include "test_core_queue.h"

static queue_t q;

static inline int setup(void **state) {
    (void)state;
    queue_init(&q, &kit_config);
    return 0;
}

static inline int setup_small(void **state) {
    (void)state;
    queue_init_small(&q);
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    queue_free(&q);
    return 0;
}

/* Its group, inside the core. */
static inline fob_group_t *group(void) {
    return fob_groups_find(&q.kit.core->groups, fob_slice_str("g"));
}

#endif
