#include "tests/support/case.h"

#include "bus/guard/gate.h"
#include "proto/envelope.h"
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

static const fob_gate_limits_t limits = {.max_batch = 100000, .max_event = 1000};

/* A body of `count` events of a topic with so many bytes of data each. */
static fob_buf_t body_of(const char *topic, unsigned count, size_t data) {
    static uint8_t bytes[90000];
    fob_buf_t body = {0};
    fob_envelope_t event = {.topic = fob_slice_str(topic), .data = fob_slice(bytes, data)};
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(fob_envelope_write(&body, sizeof bytes, &event), FOB_OK);
    return body;
}

static fob_status_t judge(fob_cast_t cast, fob_buf_t body) {
    fob_buf_t header = {0};
    assert_int_equal(fob_cast_write(&header, &cast), FOB_OK);
    fob_status_t status = fob_gate_cast(fob_buf_slice(&header), fob_buf_slice(&body), &limits);
    fob_buf_free(&header);
    fob_buf_free(&body);
    return status;
}

static fob_cast_t good_cast(void) {
    return (fob_cast_t){
        .topic = fob_slice_str("a.b"), .kind = FOB_CAST_FIRE, .count = 2, .source = 9, .seq = 1};
}

static void a_fired_event_passes(void **state) {
    (void)state;
    assert_int_equal(judge(good_cast(), body_of("a.b", 2, 0)), FOB_OK);
    assert_int_equal(judge(good_cast(), body_of("a.b", 2, 1000)), FOB_OK);
}

static void a_forged_or_broken_fired_event_is_refused(void **state) {
    (void)state;
    fob_cast_t cast = good_cast();
    cast.kind = FOB_CAST_STORED;
    assert_int_equal(judge(cast, body_of("a.b", 2, 9)), FOB_PROTOCOL);
    cast = good_cast();
    cast.offset = 7;
    assert_int_equal(judge(cast, body_of("a.b", 2, 9)), FOB_PROTOCOL);
    cast = good_cast();
    cast.epoch = 7;
    assert_int_equal(judge(cast, body_of("a.b", 2, 9)), FOB_PROTOCOL);
    cast = good_cast();
    cast.shard = 5;
    assert_int_equal(judge(cast, body_of("a.b", 2, 9)), FOB_PROTOCOL);
    cast = good_cast();
    cast.seq = INT64_MAX;
    assert_int_equal(judge(cast, body_of("a.b", 2, 9)), FOB_PROTOCOL);
    cast = good_cast();
    cast.count = 0;
    assert_int_equal(judge(cast, body_of("a.b", 2, 9)), FOB_PROTOCOL);
    cast = good_cast();
    cast.topic = fob_slice_str("$sys.mine");
    assert_int_not_equal(judge(cast, body_of("a.b", 2, 9)), FOB_OK);
    assert_int_equal(fob_gate_cast(PREFIX("garbage"), PREFIX("garbage"), &limits), FOB_PROTOCOL);
}

static void a_fired_body_holds_what_its_header_says(void **state) {
    (void)state;
    assert_int_equal(judge(good_cast(), body_of("a.b", 1, 9)), FOB_BAD_EVENT);
    assert_int_equal(judge(good_cast(), body_of("a.b", 3, 9)), FOB_BAD_EVENT);
    assert_int_equal(judge(good_cast(), body_of("a.c", 2, 9)), FOB_BAD_EVENT);
    assert_int_equal(judge(good_cast(), (fob_buf_t){0}), FOB_BAD_EVENT);
    assert_int_equal(judge(good_cast(), body_of("a.b", 2, 40000)), FOB_TOO_LARGE);
    assert_int_equal(judge(good_cast(), body_of("a.b", 2, 80000)), FOB_TOO_LARGE);
    fob_cast_t many = good_cast();
    many.count = (uint64_t)1 << 62;
    assert_int_equal(judge(many, body_of("a.b", 2, 9)), FOB_BAD_EVENT);
}

FOB_MAIN(FOB_CASE(beginnings_of_topics_are_accepted),
         FOB_CASE(what_no_topic_begins_with_is_refused),
         FOB_CASE(a_prefix_longer_than_a_topic_is_refused),
         FOB_CASE(a_probe_is_told_from_a_subscription), FOB_CASE(a_fired_event_passes),
         FOB_CASE(a_forged_or_broken_fired_event_is_refused),
         FOB_CASE(a_fired_body_holds_what_its_header_says))
