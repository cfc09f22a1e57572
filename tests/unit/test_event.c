/* event: what a handler sees. */
#include "proto/event.h"
#include "tests/support/case.h"

#include <stdio.h>

/* An event made of `envelope`, the one holder of its blob. */
static fob_event_t *event_of(const fob_envelope_t *envelope, const fob_event_place_t *place) {
    fob_buf_t out = {0};
    assert_int_equal(fob_envelope_write(&out, 1000, envelope), FOB_OK);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&out));
    fob_event_t *event = fob_event_new(NULL, blob, fob_blob_slice(blob), place);
    assert_non_null(event);
    fob_blob_unref(&blob);
    fob_buf_free(&out);
    return event;
}

static const fob_event_place_t place = {
    .shard = 3, .offset = 42, .time_ms = 1700000000123, .attempt = 2, .token = 77, .epoch = 9};

static void a_handler_sees_the_event_and_its_place(void **state) {
    (void)state;
    fob_envelope_t envelope = {
        .topic = fob_slice_str("shop.order_placed"),
        .id = fob_slice_str("order-1"),
        .key = fob_slice_str("customer-7"),
        .source = fob_slice_str("/shop"),
        .datacontenttype = fob_slice_str("text/plain"),
        .traceparent = fob_slice_str("00-ab"),
        .data = fob_slice_str("hello"),
    };
    fob_event_t *event = event_of(&envelope, &place);
    size_t size;
    assert_memory_equal(fob_event_data(event, &size), "hello", 5);
    assert_int_equal(size, 5);
    assert_string_equal(fob_event_traceparent(event), "00-ab");
    assert_string_equal(fob_event_topic(event), "shop.order_placed");
    assert_string_equal(fob_event_id(event), "order-1");
    assert_string_equal(fob_event_key(event), "customer-7");
    assert_string_equal(fob_event_source(event), "/shop");
    assert_string_equal(fob_event_content_type(event), "text/plain");
    assert_int_equal(fob_event_shard(event), 3);
    assert_int_equal(fob_event_offset(event), 42);
    assert_true(fob_event_time(event) == 1700000000123);
    assert_int_equal(fob_event_attempt(event), 2);
    assert_int_equal(fob_event_token(event), 77);
    assert_int_equal(fob_event_epoch(event), 9);
    assert_true(fob_slice_eq(fob_event_envelope(event)->topic, envelope.topic));
    fob_event_destroy(&event);
    assert_null(event);
    fob_event_destroy(&event);
    fob_event_destroy(NULL);
}

static void a_string_asked_for_twice_is_the_same(void **state) {
    (void)state;
    fob_envelope_t envelope = {.topic = fob_slice_str("a"), .key = fob_slice_str("k")};
    fob_event_t *event = event_of(&envelope, &place);
    const char *topic = fob_event_topic(event), *id = fob_event_id(event),
               *key = fob_event_key(event);
    assert_ptr_equal(fob_event_topic(event), topic);
    assert_ptr_equal(fob_event_id(event), id);
    assert_ptr_equal(fob_event_key(event), key);
    fob_event_destroy(&event);
}

static void what_is_absent_is_null_or_its_default(void **state) {
    (void)state;
    fob_envelope_t envelope = {.topic = fob_slice_str("a")};
    fob_event_t *event = event_of(&envelope, &place);
    const char *name, *value;
    size_t size;
    assert_null(fob_event_key(event));
    assert_null(fob_event_source(event));
    assert_null(fob_event_traceparent(event));
    assert_null(fob_event_header(event, "x"));
    assert_int_equal(fob_event_header_at(event, 0, &name, &value), 0);
    assert_string_equal(fob_event_content_type(event), "application/msgpack");
    fob_event_data(event, &size);
    assert_int_equal(size, 0);
    fob_event_destroy(&event);
}

static void an_event_without_an_id_is_known_by_its_place(void **state) {
    (void)state;
    fob_envelope_t envelope = {.topic = fob_slice_str("a")};
    fob_event_t *event = event_of(&envelope, &place);
    assert_string_equal(fob_event_id(event), "3-42");
    fob_event_destroy(&event);
    fob_event_place_t far = {.shard = UINT32_MAX, .offset = UINT64_MAX};
    event = event_of(&envelope, &far);
    assert_string_equal(fob_event_id(event), "4294967295-18446744073709551615");
    fob_event_destroy(&event);
}

static fob_event_t *event_with_headers(unsigned count) {
    fob_buf_t headers = {0};
    fob_pack_map(&headers, count);
    for (unsigned i = 0; i < count; i++) {
        char name[16], value[16];
        snprintf(name, sizeof name, "n%u", i);
        snprintf(value, sizeof value, "v%u", i);
        fob_pack_cstr(&headers, name);
        fob_pack_cstr(&headers, i == 1 ? "" : value);
    }
    fob_envelope_t envelope = {.topic = fob_slice_str("a"), .headers = fob_buf_slice(&headers)};
    fob_event_t *event = event_of(&envelope, &place);
    fob_buf_free(&headers);
    return event;
}

static void headers_are_found_by_name_and_by_index(void **state) {
    (void)state;
    fob_event_t *event = event_with_headers(40);
    const char *name, *value;
    assert_string_equal(fob_event_header(event, "n39"), "v39");
    assert_string_equal(fob_event_header(event, "n1"), "");
    assert_null(fob_event_header(event, "v1"));
    for (unsigned i = 0; i < 40; i++) {
        char want[16];
        snprintf(want, sizeof want, "n%u", i);
        assert_int_equal(fob_event_header_at(event, i, &name, &value), 1);
        assert_string_equal(name, want);
    }
    assert_int_equal(fob_event_header_at(event, 40, &name, &value), 0);
    assert_int_equal(fob_event_header_at(event, 2, &name, &value), 1);
    assert_string_equal(value, "v2");
    assert_int_equal(fob_event_header_at(event, 1, &name, &value), 1);
    assert_string_equal(value, "");
    fob_event_destroy(&event);
}

/* All strings together must fit into the one allocation: the sanitizer sees it if they do not. */
static void all_strings_of_a_large_event_fit(void **state) {
    (void)state;
    fob_event_t *event = event_with_headers(500);
    assert_string_equal(fob_event_header(event, "n499"), "v499");
    assert_string_equal(fob_event_id(event), "3-42");
    assert_string_equal(fob_event_topic(event), "a");
    assert_string_equal(fob_event_content_type(event), "application/msgpack");
    fob_event_destroy(&event);
}

static void the_event_holds_the_bytes(void **state) {
    (void)state;
    fob_envelope_t envelope = {.topic = fob_slice_str("a"), .data = fob_slice_str("kept")};
    fob_event_t *event = event_of(&envelope, &place); /* the blob's other holder is gone */
    size_t size;
    assert_memory_equal(fob_event_data(event, &size), "kept", 4);
    fob_event_destroy(&event);
}

static void the_bus_s_own_events_are_handed_out(void **state) {
    (void)state;
    fob_blob_t *blob = fob_blob_copy(fob_slice("\x93\xa6$sys.x\x80\xc4\x00", 11));
    fob_event_t *event = fob_event_new(NULL, blob, fob_blob_slice(blob), &place);
    assert_non_null(event);
    assert_string_equal(fob_event_topic(event), "$sys.x");
    fob_event_destroy(&event);
    fob_blob_unref(&blob);
}

static void bytes_that_are_no_event_make_none(void **state) {
    (void)state;
    static const char cut[] = "\x93\xa1", scalar[] = "\x05",
                      topic[] = "\x93\xa3"
                                "a b\x80\xc4\x00";
    const fob_slice_t bad[] = {{(const uint8_t *)cut, sizeof cut - 1},
                               {(const uint8_t *)scalar, sizeof scalar - 1},
                               {(const uint8_t *)topic, sizeof topic - 1}};
    for (size_t i = 0; i < 3; i++) {
        fob_blob_t *blob = fob_blob_copy(bad[i]);
        assert_null(fob_event_new(NULL, blob, fob_blob_slice(blob), &place));
        assert_non_null(fob_blob_writable(blob)); /* still its one holder */
        fob_blob_unref(&blob);
    }
}

FOB_MAIN(FOB_CASE(a_handler_sees_the_event_and_its_place),
         FOB_CASE(a_string_asked_for_twice_is_the_same),
         FOB_CASE(what_is_absent_is_null_or_its_default),
         FOB_CASE(an_event_without_an_id_is_known_by_its_place),
         FOB_CASE(headers_are_found_by_name_and_by_index),
         FOB_CASE(all_strings_of_a_large_event_fit), FOB_CASE(the_event_holds_the_bytes),
         FOB_CASE(the_bus_s_own_events_are_handed_out), FOB_CASE(bytes_that_are_no_event_make_none))
