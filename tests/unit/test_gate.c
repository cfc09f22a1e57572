#include "tests/support/case.h"

#include "bus/gate.h"
#include "proto/topic.h"

#define PREFIX(text) fob_slice(text, sizeof text - 1) /* with its zero bytes, but the last */

static void beginnings_of_topics_are_accepted(void **state) {
    (void)state;
    assert_int_equal(fob_gate_subscription(fob_slice(NULL, 0)), FOB_GATE_ACCEPT);
    assert_int_equal(fob_gate_subscription(PREFIX("order")), FOB_GATE_ACCEPT);
    assert_int_equal(fob_gate_subscription(PREFIX("shop.")), FOB_GATE_ACCEPT);
    assert_int_equal(fob_gate_subscription(PREFIX("shop.eu.order_placed\0")), FOB_GATE_ACCEPT);
    assert_int_equal(fob_gate_subscription(PREFIX("$sy")), FOB_GATE_ACCEPT);
    assert_int_equal(fob_gate_subscription(PREFIX("$sys.group.\0")), FOB_GATE_REFUSE);
    assert_int_equal(fob_gate_subscription(PREFIX("$sys.group\0")), FOB_GATE_ACCEPT);
}

static void what_no_topic_begins_with_is_refused(void **state) {
    (void)state;
    assert_int_equal(fob_gate_subscription(PREFIX(".order")), FOB_GATE_REFUSE);
    assert_int_equal(fob_gate_subscription(PREFIX("shop..eu")), FOB_GATE_REFUSE);
    assert_int_equal(fob_gate_subscription(PREFIX("shop.*")), FOB_GATE_REFUSE);
    assert_int_equal(fob_gate_subscription(PREFIX("shop\xff")), FOB_GATE_REFUSE);
    assert_int_equal(fob_gate_subscription(PREFIX("$other")), FOB_GATE_REFUSE);
    assert_int_equal(fob_gate_subscription(PREFIX("a$sys")), FOB_GATE_REFUSE);
    assert_int_equal(fob_gate_subscription(PREFIX("a\0b")), FOB_GATE_REFUSE);
    assert_int_equal(fob_gate_subscription(PREFIX("\0")), FOB_GATE_REFUSE);
}

static void a_prefix_longer_than_a_topic_is_refused(void **state) {
    (void)state;
    char text[FOB_TOPIC_MAX + 2];
    memset(text, 'a', sizeof text);
    assert_int_equal(fob_gate_subscription(fob_slice(text, FOB_TOPIC_MAX)), FOB_GATE_ACCEPT);
    assert_int_equal(fob_gate_subscription(fob_slice(text, FOB_TOPIC_MAX + 1)), FOB_GATE_REFUSE);
    text[FOB_TOPIC_MAX] = 0;
    assert_int_equal(fob_gate_subscription(fob_slice(text, FOB_TOPIC_MAX + 1)), FOB_GATE_ACCEPT);
}

static void a_probe_is_told_from_a_subscription(void **state) {
    (void)state;
    assert_int_equal(fob_gate_subscription(PREFIX("$sys.probe.a1b2\0")), FOB_GATE_PROBE);
    assert_int_equal(fob_gate_subscription(PREFIX("$sys.probe.")), FOB_GATE_ACCEPT);
    assert_int_equal(fob_gate_subscription(PREFIX("$sys.probe\0")), FOB_GATE_ACCEPT);
}

static fob_status_t judge(fob_cast_t cast, size_t body) {
    fob_buf_t header = {0};
    assert_int_equal(fob_cast_write(&header, &cast), FOB_OK);
    fob_status_t status = fob_gate_cast(fob_buf_slice(&header), body, 1000);
    fob_buf_free(&header);
    return status;
}

static void a_fired_event_passes(void **state) {
    (void)state;
    fob_cast_t cast = {
        .topic = fob_slice_str("a.b"), .kind = FOB_CAST_FIRE, .count = 2, .source = 9, .seq = 1};
    assert_int_equal(judge(cast, 10), FOB_OK);
    assert_int_equal(judge(cast, 1000), FOB_OK);
}

static void a_forged_or_broken_fired_event_is_refused(void **state) {
    (void)state;
    fob_cast_t good = {
        .topic = fob_slice_str("a.b"), .kind = FOB_CAST_FIRE, .count = 2, .source = 9, .seq = 1};
    fob_cast_t cast = good;
    assert_int_equal(judge(cast, 1001), FOB_TOO_LARGE);
    assert_int_equal(judge(cast, 0), FOB_PROTOCOL);
    cast.kind = FOB_CAST_STORED;
    assert_int_equal(judge(cast, 10), FOB_PROTOCOL);
    cast = good;
    cast.offset = 7;
    assert_int_equal(judge(cast, 10), FOB_PROTOCOL);
    cast = good;
    cast.epoch = 7;
    assert_int_equal(judge(cast, 10), FOB_PROTOCOL);
    cast = good;
    cast.count = 0;
    assert_int_equal(judge(cast, 10), FOB_PROTOCOL);
    cast = good;
    cast.topic = fob_slice_str("$sys.mine");
    assert_int_not_equal(judge(cast, 10), FOB_OK);
    assert_int_equal(fob_gate_cast(PREFIX("garbage"), 10, 1000), FOB_PROTOCOL);
}

FOB_MAIN(FOB_CASE(beginnings_of_topics_are_accepted),
         FOB_CASE(what_no_topic_begins_with_is_refused),
         FOB_CASE(a_prefix_longer_than_a_topic_is_refused),
         FOB_CASE(a_probe_is_told_from_a_subscription), FOB_CASE(a_fired_event_passes),
         FOB_CASE(a_forged_or_broken_fired_event_is_refused))
