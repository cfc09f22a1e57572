#include "tests/abuse/flood.h"

#include "proto/envelope.h"
#include "tests/support/case.h"
#include "tests/support/pace.h"

#include <fob/fob_publisher.h>

#define MOST 65536

static uint8_t data[MOST];

void flood(const char *topic, size_t count, size_t bytes) {
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.connect_timeout_ms = PACE_PATIENCE;
    options.deadline_ms = 2 * PACE_PATIENCE;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    assert_non_null(publisher);
    assert_true(bytes <= sizeof data);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fob_publisher_send(publisher, topic, data, bytes, NULL, NULL), FOB_OK);
    assert_int_equal(fob_publisher_flush(publisher, -1), FOB_OK);
    fob_publisher_destroy(&publisher);
}

void flood_body(fob_buf_t *out, const char *topic, size_t count, size_t bytes) {
    assert_true(bytes <= sizeof data);
    for (size_t i = 0; i < count; i++) {
        fob_envelope_t event = {.topic = fob_slice_str(topic), .data = fob_slice(data, bytes)};
        assert_int_equal(fob_envelope_write(out, SIZE_MAX, &event), FOB_OK);
    }
}
