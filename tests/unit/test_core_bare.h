/* bare: a core that is given records as a journal has them, and nothing around it. */
#ifndef FOB_TEST_CORE_BARE_H
#define FOB_TEST_CORE_BARE_H

#include "test_core_kit.h"

static fob_core_t *core;
static uint64_t position; /* of the last record */

static int setup(void **state) {
    (void)state;
    core = fob_core_new(&kit_config);
    position = 0;
    return core ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    fob_core_destroy(&core);
    return 0;
}

#endif
