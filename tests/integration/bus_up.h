/* bus_up: a bus in this process, on free ports, for the tests of it. */
#ifndef FOB_TESTS_BUS_UP_H
#define FOB_TESTS_BUS_UP_H

#include "tests/support/case.h"
#include "tests/support/dealer.h"

#include <fob/fob_bus.h>

/* Long enough that a client which does not beat lives as long as a test. */
#define BUS_CALM 60000

static inline fob_bus_t *bus_up_with(fob_bus_options_t options) {
    char text[512];
    fob_status_t status;
    options.version = 1;
    if (!options.port)
        options.port = -1;
    if (!options.heartbeat_ms)
        options.heartbeat_ms = BUS_CALM;
    fob_bus_t *bus = fob_bus_new(&options, &status, text, sizeof text);
    if (!bus)
        fail_msg("no bus: %s", text);
    assert_int_equal(status, FOB_OK);
    return bus;
}

static inline fob_bus_t *bus_up(void) {
    return bus_up_with((fob_bus_options_t){0});
}

#endif
