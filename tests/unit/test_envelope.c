/* envelope: what is an event, what is refused, and that bytes are never changed on the way. */
#include "proto/envelope.h"
#include "tests/support/case.h"

#include <stdlib.h>

#define MAX_DATA 1000

static fob_slice_t text(const char *value) {
    return fob_slice_str(value);
}

/* [topic, map of `count` pairs that `pairs` holds, data] */
static void event_put(fob_buf_t *out, const char *topic, size_t count, fob_slice_t pairs,
                      fob_slice_t data) {
    fob_pack_array(out, 3);
    fob_pack_cstr(out, topic);
    fob_pack_map(out, count);
    fob_buf_put(out, pairs.data, pairs.size);
    fob_pack_bin(out, data);
}

/* What reading an event with these attributes gives; the cursor must end behind it. */
static fob_status_t read_attributes(size_t count, fob_buf_t *pairs, fob_envelope_t *out) {
    static fob_buf_t event;
    fob_buf_clear(&event);
    event_put(&event, "a", count, fob_buf_slice(pairs), text("x"));
    fob_cursor_t cursor = fob_cursor(fob_buf_slice(&event));
    fob_status_t status = fob_envelope_read(&cursor, MAX_DATA, out);
    assert_true(fob_cursor_end(&cursor));
    assert_false(cursor.failed);
    fob_buf_free(pairs);
    return status;
}

static fob_status_t read_text(const char *name, fob_slice_t value) {
    fob_buf_t pairs = {0};
    fob_envelope_t out;
    fob_pack_cstr(&pairs, name);
    fob_pack_str(&pairs, value);
    return read_attributes(1, &pairs, &out);
}

static fob_status_t read_number(const char *name, int64_t value) {
    fob_buf_t pairs = {0};
    fob_envelope_t out;
    fob_pack_cstr(&pairs, name);
    fob_pack_int(&pairs, value);
    return read_attributes(1, &pairs, &out);
}

static fob_envelope_t full_event(fob_buf_t *headers) {
    fob_pack_map(headers, 1);
    fob_pack_cstr(headers, "region");
    fob_pack_cstr(headers, "eu");
    return (fob_envelope_t){
        .topic = text("shop.eu.order_placed"),
        .id = text("order-1"),
        .key = text("customer-7"),
        .source = text("/shop"),
        .datacontenttype = text("text/plain"),
        .traceparent = text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        .headers = fob_buf_slice(headers),
        .time_ms = 1700000000123,
        .delay_ms = 250,
        .ttl_ms = 60000,
        .priority = 9,
        .data = text("hello"),
    };
}

static void what_was_written_is_read_again(void **state) {
    (void)state;
    fob_buf_t headers = {0}, out = {0};
    fob_envelope_t event = full_event(&headers), got;
    assert_int_equal(fob_envelope_write(&out, MAX_DATA, &event), FOB_OK);
    fob_cursor_t cursor = fob_cursor(fob_buf_slice(&out));
    assert_int_equal(fob_envelope_read(&cursor, MAX_DATA, &got), FOB_OK);
    assert_true(fob_cursor_end(&cursor));
    assert_true(fob_slice_eq(got.topic, event.topic) && fob_slice_eq(got.id, event.id));
    assert_true(fob_slice_eq(got.key, event.key) && fob_slice_eq(got.source, event.source));
    assert_true(fob_slice_eq(got.datacontenttype, event.datacontenttype));
    assert_true(fob_slice_eq(got.traceparent, event.traceparent));
    assert_true(fob_slice_eq(got.headers, event.headers) && fob_slice_eq(got.data, event.data));
    assert_true(got.time_ms == event.time_ms && got.delay_ms == 250 && got.ttl_ms == 60000);
    assert_int_equal(got.priority, 9);
    assert_true(fob_slice_eq(got.bytes, fob_buf_slice(&out)));
    fob_buf_free(&headers);
    fob_buf_free(&out);
}

static void a_topic_and_nothing_else_is_an_event(void **state) {
    (void)state;
    fob_buf_t out = {0};
    fob_envelope_t event = {.topic = text("a")}, got;
    assert_int_equal(fob_envelope_write(&out, 0, &event), FOB_OK);
    assert_int_equal(out.size, 6);
    assert_memory_equal(out.data,
                        "\x93\xa1"
                        "a\x80\xc4\x00",
                        6);
    fob_cursor_t cursor = fob_cursor(fob_buf_slice(&out));
    assert_int_equal(fob_envelope_read(&cursor, 0, &got), FOB_OK);
    assert_int_equal(got.id.size + got.key.size + got.headers.size + got.data.size, 0);
    fob_buf_free(&out);
}

static void events_of_a_batch_are_read_one_after_the_other(void **state) {
    (void)state;
    fob_buf_t out = {0};
    for (int i = 0; i < 3; i++)
        event_put(&out, i == 1 ? "b" : "a", 0, (fob_slice_t){0}, text("data"));
    fob_cursor_t reading = fob_cursor(fob_buf_slice(&out)), skimming = reading, glancing = reading;
    for (int i = 0; i < 3; i++) {
        fob_envelope_t got, seen;
        fob_slice_t topic, bytes;
        assert_int_equal(fob_envelope_read(&reading, MAX_DATA, &got), FOB_OK);
        assert_true(fob_envelope_skim(&skimming, &topic, &bytes));
        assert_true(fob_slice_eq(topic, got.topic) && topic.data == got.topic.data);
        assert_true(bytes.data == got.bytes.data && bytes.size == got.bytes.size);
        assert_true(fob_envelope_glance(&glancing, &seen));
        assert_true(seen.topic.data == got.topic.data && seen.bytes.size == got.bytes.size);
    }
    assert_true(fob_cursor_end(&reading) && fob_cursor_end(&skimming) && fob_cursor_end(&glancing));
    fob_buf_free(&out);
}

static void a_glance_gives_what_the_bus_wants_to_know(void **state) {
    (void)state;
    fob_buf_t out = {0};
    fob_envelope_t event = {.topic = text("a"),
                            .id = text("order-1"),
                            .key = text("k"),
                            .datacontenttype = text("text/plain"),
                            .time_ms = 12,
                            .priority = 9,
                            .data = text("data")};
    assert_int_equal(fob_envelope_write(&out, MAX_DATA, &event), FOB_OK);
    fob_cursor_t cursor = fob_cursor(fob_buf_slice(&out));
    fob_envelope_t seen;
    memset(&seen, 0xff, sizeof seen);
    assert_true(fob_envelope_glance(&cursor, &seen));
    assert_true(fob_slice_eq(seen.id, event.id) && fob_slice_eq(seen.data, event.data));
    assert_true(fob_slice_eq(seen.datacontenttype, event.datacontenttype));
    assert_int_equal(seen.priority, 9);
    event = (fob_envelope_t){.topic = text("a")};
    fob_buf_clear(&out);
    assert_int_equal(fob_envelope_write(&out, MAX_DATA, &event), FOB_OK);
    cursor = fob_cursor(fob_buf_slice(&out));
    assert_true(fob_envelope_glance(&cursor, &seen)); /* nothing is left of the last one */
    assert_int_equal(seen.id.size + seen.datacontenttype.size + seen.priority, 0);
    fob_buf_free(&out);
}

static void unknown_attributes_and_elements_are_skipped(void **state) {
    (void)state;
    static const char bytes[] = "\x94\xa1"
                                "a\x82\xa3zzz\x92\x01\x81\xa1q\xc0\xa2id\xa1"
                                "7\xc4\x01x\x93\x01\x02\x03";
    fob_cursor_t cursor = fob_cursor(fob_slice(bytes, sizeof bytes - 1)), again = cursor;
    fob_envelope_t got;
    assert_int_equal(fob_envelope_read(&cursor, MAX_DATA, &got), FOB_OK);
    assert_true(fob_cursor_end(&cursor));
    assert_true(fob_slice_eq(got.id, text("7")));
    assert_int_equal(got.bytes.size, sizeof bytes - 1);
    fob_slice_t topic, skimmed;
    assert_true(fob_envelope_skim(&again, &topic, &skimmed));
    assert_int_equal(skimmed.size, sizeof bytes - 1);
}

static void an_event_with_an_unknown_element_that_is_cut_is_refused_by_all(void **state) {
    (void)state;
    static const char bytes[] = "\x94\xa1"
                                "a\x80\xc4\x01x\x93\x01\x02";
    fob_cursor_t reading = fob_cursor(fob_slice(bytes, sizeof bytes - 1)), skimming = reading,
                 glancing = reading;
    fob_envelope_t got;
    fob_slice_t topic, skimmed;
    assert_int_equal(fob_envelope_read(&reading, MAX_DATA, &got), FOB_BAD_EVENT);
    assert_false(fob_envelope_skim(&skimming, &topic, &skimmed));
    assert_false(fob_envelope_glance(&glancing, &got));
}

static void strings_are_held_to_their_bounds(void **state) {
    (void)state;
    char longest[256];
    memset(longest, 'i', sizeof longest);
    assert_int_equal(read_text("id", fob_slice(longest, 255)), FOB_OK);
    assert_int_equal(read_text("id", fob_slice(longest, 256)), FOB_BAD_EVENT);
    assert_int_equal(read_text("key", fob_slice(longest, 256)), FOB_BAD_EVENT);
    assert_int_equal(read_text("id", text("")), FOB_BAD_EVENT);
    assert_int_equal(read_text("key", text("")), FOB_BAD_EVENT);
    assert_int_equal(read_text("source", text("")), FOB_OK);
    assert_int_equal(read_text("source", fob_slice("a\0b", 3)), FOB_BAD_EVENT);
    assert_int_equal(read_text("id", fob_slice("\xff\xfe", 2)), FOB_OK);
}

static void numbers_are_held_to_their_bounds(void **state) {
    (void)state;
    assert_int_equal(read_number("priority", 9), FOB_OK);
    assert_int_equal(read_number("priority", 10), FOB_BAD_EVENT);
    assert_int_equal(read_number("priority", -1), FOB_BAD_EVENT);
    assert_int_equal(read_number("delay", FOB_SPAN_MAX_MS), FOB_OK);
    assert_int_equal(read_number("delay", FOB_SPAN_MAX_MS + 1), FOB_BAD_EVENT);
    assert_int_equal(read_number("ttl", -1), FOB_BAD_EVENT);
    assert_int_equal(read_number("time", INT64_MIN), FOB_OK);
}

static void an_attribute_of_another_type_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"id",          "key",    "source", "datacontenttype",
                                        "traceparent", "headers"};
    static const char *const numbers[] = {"time", "priority", "delay", "ttl", "headers"};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(read_number(texts[i], 1), FOB_BAD_EVENT);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(read_text(numbers[i], text("1")), FOB_BAD_EVENT);
}

static void a_known_attribute_twice_is_refused(void **state) {
    (void)state;
    fob_buf_t pairs = {0};
    fob_envelope_t out;
    for (int i = 0; i < 2; i++) {
        fob_pack_cstr(&pairs, "id");
        fob_pack_cstr(&pairs, "same");
    }
    assert_int_equal(read_attributes(2, &pairs, &out), FOB_BAD_EVENT);
}

static fob_status_t read_header(fob_slice_t name, fob_slice_t value) {
    fob_buf_t pairs = {0};
    fob_envelope_t out;
    fob_pack_cstr(&pairs, "headers");
    fob_pack_map(&pairs, 1);
    fob_pack_str(&pairs, name);
    fob_pack_str(&pairs, value);
    return read_attributes(1, &pairs, &out);
}

static void headers_are_strings_without_zero_bytes(void **state) {
    (void)state;
    fob_buf_t pairs = {0};
    fob_envelope_t out;
    fob_pack_cstr(&pairs, "headers");
    fob_pack_map(&pairs, 1);
    fob_pack_cstr(&pairs, "n");
    fob_pack_uint(&pairs, 1);
    assert_int_equal(read_attributes(1, &pairs, &out), FOB_BAD_EVENT);
    assert_int_equal(read_header(text("n"), text("v")), FOB_OK);
    assert_int_equal(read_header(fob_slice("a\0b", 3), text("v")), FOB_BAD_EVENT);
    assert_int_equal(read_header(text("n"), fob_slice("a\0b", 3)), FOB_BAD_EVENT);
}

static fob_status_t read_bytes(const char *bytes, size_t size, bool *goes_on) {
    fob_cursor_t cursor = fob_cursor(fob_slice(bytes, size));
    fob_envelope_t out;
    fob_status_t status = fob_envelope_read(&cursor, MAX_DATA, &out);
    *goes_on = !cursor.failed && fob_cursor_end(&cursor);
    return status;
}
#define READ(text, goes_on) read_bytes(text, sizeof(text) - 1, goes_on)

static void what_is_msgpack_but_no_event_is_stepped_over(void **state) {
    (void)state;
    bool on;
    assert_int_equal(READ("\x05", &on), FOB_BAD_EVENT);
    assert_true(on);
    assert_int_equal(READ("\x92\xa1"
                          "a\x80",
                          &on),
                     FOB_BAD_EVENT);
    assert_true(on);
    assert_int_equal(READ("\x93\xa1"
                          "a\x80\xa1x",
                          &on),
                     FOB_BAD_EVENT);
    assert_true(on);
    assert_int_equal(READ("\x93\xc4\x01"
                          "a\x80\xc4\x00",
                          &on),
                     FOB_BAD_EVENT);
    assert_true(on);
    assert_int_equal(READ("\x93\xa1"
                          "a\x81\x01\x02\xc4\x00",
                          &on),
                     FOB_BAD_EVENT);
    assert_true(on);
}

static void what_is_no_msgpack_ends_the_batch(void **state) {
    (void)state;
    bool on;
    assert_int_equal(READ("\xc1", &on), FOB_BAD_EVENT);
    assert_false(on);
    assert_int_equal(READ("\x93\xa1"
                          "a\x80\xc4\x05x",
                          &on),
                     FOB_BAD_EVENT);
    assert_false(on);
    assert_int_equal(READ("", &on), FOB_BAD_EVENT);
    assert_false(on);
}

static void a_bad_topic_is_told_and_the_batch_goes_on(void **state) {
    (void)state;
    static const char *const bad[] = {"", "a b", "a..b", "$sys.x", "a.*"};
    for (size_t i = 0; i < 5; i++) {
        fob_buf_t out = {0};
        fob_envelope_t got;
        event_put(&out, bad[i], 0, (fob_slice_t){0}, text("x"));
        fob_cursor_t cursor = fob_cursor(fob_buf_slice(&out));
        assert_int_equal(fob_envelope_read(&cursor, MAX_DATA, &got), FOB_BAD_TOPIC);
        assert_true(fob_cursor_end(&cursor) && !cursor.failed);
        fob_buf_free(&out);
    }
}

static void data_over_the_limit_is_told_and_the_batch_goes_on(void **state) {
    (void)state;
    static const uint8_t data[MAX_DATA + 1];
    for (size_t size = MAX_DATA; size <= MAX_DATA + 1; size++) {
        fob_buf_t out = {0};
        fob_envelope_t got;
        event_put(&out, "a", 0, (fob_slice_t){0}, fob_slice(data, size));
        fob_cursor_t cursor = fob_cursor(fob_buf_slice(&out));
        assert_int_equal(fob_envelope_read(&cursor, MAX_DATA, &got),
                         size > MAX_DATA ? FOB_TOO_LARGE : FOB_OK);
        assert_true(fob_cursor_end(&cursor) && !cursor.failed);
        fob_buf_free(&out);
    }
}

/* An encoded map {"zz": value} is 7 bytes and the value with its 3 bytes of head. */
static void attributes_over_the_limit_are_told(void **state) {
    (void)state;
    static char value[FOB_ATTRIBUTES_MAX];
    memset(value, 'v', sizeof value);
    const size_t around = 1 + 3 + 3;
    assert_int_equal(read_text("source", fob_slice(value, sizeof value)), FOB_TOO_LARGE);
    assert_int_equal(read_text("zz", fob_slice(value, FOB_ATTRIBUTES_MAX - around)), FOB_OK);
    assert_int_equal(read_text("zz", fob_slice(value, FOB_ATTRIBUTES_MAX - around + 1)),
                     FOB_TOO_LARGE);
}

/* An attribute whose value is `levels` arrays, one in the other. */
static fob_status_t read_nested(size_t levels) {
    uint8_t nest[64];
    memset(nest, 0x91, levels);
    nest[levels - 1] = 0x90;
    fob_buf_t out = {0}, pairs = {0};
    fob_pack_cstr(&pairs, "zz");
    fob_buf_put(&pairs, nest, levels);
    event_put(&out, "a", 1, fob_buf_slice(&pairs), text("x"));
    fob_cursor_t cursor = fob_cursor(fob_buf_slice(&out)), again = cursor;
    fob_envelope_t got;
    fob_slice_t topic, bytes;
    fob_status_t status = fob_envelope_read(&cursor, MAX_DATA, &got);
    fob_cursor_t third = again;
    assert_int_equal(status == FOB_OK, fob_envelope_skim(&again, &topic, &bytes));
    assert_int_equal(status == FOB_OK, fob_envelope_glance(&third, &got));
    fob_buf_free(&pairs);
    fob_buf_free(&out);
    return status;
}

static void what_may_be_read_may_be_skimmed_however_deep(void **state) {
    (void)state;
    assert_int_equal(read_nested(FOB_CURSOR_DEPTH - 2), FOB_OK);
    assert_int_equal(read_nested(FOB_CURSOR_DEPTH - 1), FOB_BAD_EVENT);
    assert_int_equal(read_nested(FOB_CURSOR_DEPTH + 5), FOB_BAD_EVENT);
}

static void an_event_cut_anywhere_is_refused_and_not_read_past(void **state) {
    (void)state;
    fob_buf_t headers = {0}, out = {0};
    fob_envelope_t event = full_event(&headers), got;
    assert_int_equal(fob_envelope_write(&out, MAX_DATA, &event), FOB_OK);
    for (size_t size = 0; size < out.size; size++) {
        uint8_t *cut = malloc(size ? size : 1);
        memcpy(cut, out.data, size);
        fob_cursor_t cursor = fob_cursor(fob_slice(cut, size)), again = cursor, third = cursor;
        fob_slice_t topic, bytes;
        assert_int_equal(fob_envelope_read(&cursor, MAX_DATA, &got), FOB_BAD_EVENT);
        assert_true(cursor.failed && cursor.at == cut); /* it stands where the event begins */
        assert_false(fob_envelope_skim(&again, &topic, &bytes));
        assert_false(fob_envelope_glance(&third, &got) || !third.failed);
        free(cut);
    }
    fob_buf_free(&headers);
    fob_buf_free(&out);
}

static void writing_a_bad_event_leaves_the_buffer_as_it_was(void **state) {
    (void)state;
    static char huge[FOB_ATTRIBUTES_MAX];
    memset(huge, 'h', sizeof huge);
    fob_buf_t out = {0};
    fob_pack_cstr(&out, "before");
    const size_t before = out.size;
    const fob_envelope_t bad[] = {
        {.topic = text("a b")},
        {.topic = text("a"), .data = {(const uint8_t *)huge, MAX_DATA + 1}},
        {.topic = text("a"), .source = {(const uint8_t *)huge, sizeof huge}},
        {.topic = text("a"), .id = {(const uint8_t *)huge, FOB_ID_MAX + 1}},
        {.topic = text("a"), .key = {(const uint8_t *)"a\0b", 3}},
        {.topic = text("a"), .priority = 10},
        {.topic = text("a"), .ttl_ms = -1},
        {.topic = text("a"), .headers = text("\xa1x")},
        {.topic = text("a"), .headers = {(const uint8_t *)"\x80\x80", 2}},
    };
    const fob_status_t want[] = {FOB_BAD_TOPIC, FOB_TOO_LARGE, FOB_TOO_LARGE,
                                 FOB_INVALID,   FOB_INVALID,   FOB_INVALID,
                                 FOB_INVALID,   FOB_INVALID,   FOB_INVALID};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(fob_envelope_write(&out, MAX_DATA, &bad[i]), want[i]);
        assert_int_equal(out.size, before);
        assert_false(out.failed);
    }
    fob_buf_free(&out);
}

static void headers_are_stepped_through_in_order(void **state) {
    (void)state;
    fob_buf_t headers = {0};
    fob_pack_map(&headers, 2);
    fob_pack_cstr(&headers, "one");
    fob_pack_cstr(&headers, "1");
    fob_pack_cstr(&headers, "two");
    fob_pack_cstr(&headers, "");
    size_t at = 0;
    fob_slice_t name, value;
    assert_true(fob_headers_next(fob_buf_slice(&headers), &at, &name, &value));
    assert_true(fob_slice_eq(name, text("one")) && fob_slice_eq(value, text("1")));
    assert_true(fob_headers_next(fob_buf_slice(&headers), &at, &name, &value));
    assert_true(fob_slice_eq(name, text("two")) && value.size == 0);
    assert_false(fob_headers_next(fob_buf_slice(&headers), &at, &name, &value));
    at = 0;
    assert_false(fob_headers_next((fob_slice_t){0}, &at, &name, &value));
    fob_buf_free(&headers);
}

static void whoever_checks_topics_himself_reads_all_else_as_ever(void **state) {
    (void)state;
    fob_buf_t batch = {0};
    fob_envelope_t got;
    event_put(&batch, "a..b", 0, text(""), text("x"));
    event_put(&batch, "a.b", 0, text(""), text("xy"));
    fob_cursor_t cursor = fob_cursor(fob_buf_slice(&batch));
    assert_int_equal(fob_envelope_read_any(&cursor, 1, &got), FOB_OK);
    assert_true(fob_slice_eq(got.topic, text("a..b")));
    assert_int_equal(fob_envelope_read_any(&cursor, 1, &got), FOB_TOO_LARGE);
    assert_true(fob_cursor_end(&cursor));
    cursor = fob_cursor(text("x"));
    assert_int_equal(fob_envelope_read_any(&cursor, 1, &got), FOB_BAD_EVENT);
    fob_buf_free(&batch);
}

/* What has only short forms is written at once: with an attribute it goes the general way, which
 * must give the same bytes around it. */
static void with_and_without_attributes_the_rest_is_the_same(void **state) {
    (void)state;
    static uint8_t bytes[70000];
    const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536, sizeof bytes};
    const size_t topics[] = {1, 31, 32, 255};
    char topic[256];
    memset(topic, 'a', sizeof topic);
    memset(bytes, 0x5a, sizeof bytes);
    for (size_t t = 0; t < 4; t++) {
        for (size_t d = 0; d < sizeof sizes / sizeof *sizes; d++) {
            fob_buf_t plain = {0}, expected = {0};
            fob_envelope_t event = {.topic = fob_slice(topic, topics[t]),
                                    .data = fob_slice(bytes, sizes[d])};
            assert_int_equal(fob_envelope_write(&plain, UINT64_MAX, &event), FOB_OK);
            fob_pack_array(&expected, 3);
            fob_pack_str(&expected, event.topic);
            fob_pack_map(&expected, 0);
            fob_pack_bin(&expected, event.data);
            assert_int_equal(plain.size, expected.size);
            assert_memory_equal(plain.data, expected.data, plain.size);
            fob_buf_free(&plain);
            fob_buf_free(&expected);
        }
    }
}

FOB_MAIN(FOB_CASE(with_and_without_attributes_the_rest_is_the_same),
         FOB_CASE(what_was_written_is_read_again), FOB_CASE(a_topic_and_nothing_else_is_an_event),
         FOB_CASE(events_of_a_batch_are_read_one_after_the_other),
         FOB_CASE(a_glance_gives_what_the_bus_wants_to_know),
         FOB_CASE(unknown_attributes_and_elements_are_skipped),
         FOB_CASE(an_event_with_an_unknown_element_that_is_cut_is_refused_by_all),
         FOB_CASE(strings_are_held_to_their_bounds), FOB_CASE(numbers_are_held_to_their_bounds),
         FOB_CASE(an_attribute_of_another_type_is_refused),
         FOB_CASE(a_known_attribute_twice_is_refused),
         FOB_CASE(headers_are_strings_without_zero_bytes),
         FOB_CASE(what_is_msgpack_but_no_event_is_stepped_over),
         FOB_CASE(what_is_no_msgpack_ends_the_batch),
         FOB_CASE(a_bad_topic_is_told_and_the_batch_goes_on),
         FOB_CASE(whoever_checks_topics_himself_reads_all_else_as_ever),
         FOB_CASE(data_over_the_limit_is_told_and_the_batch_goes_on),
         FOB_CASE(attributes_over_the_limit_are_told),
         FOB_CASE(what_may_be_read_may_be_skimmed_however_deep),
         FOB_CASE(an_event_cut_anywhere_is_refused_and_not_read_past),
         FOB_CASE(writing_a_bad_event_leaves_the_buffer_as_it_was),
         FOB_CASE(headers_are_stepped_through_in_order))
