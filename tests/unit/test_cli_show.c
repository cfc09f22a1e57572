#include "tests/support/case.h"

#include "proto/cli/json.h"
#include "proto/cli/show.h"
#include "proto/cli/utf8.h"
#include "proto/event.h"

#include <stdlib.h>

static const fob_event_place_t place = {.shard = 0,
                                        .offset = 17,
                                        .time_ms = 1795156124123,
                                        .attempt = 2,
                                        .token = 9,
                                        .epoch = 1795156000000};

static fob_event_t *event_of(const fob_envelope_t *envelope, const fob_event_place_t *where) {
    fob_buf_t bytes = {0};
    assert_int_equal(fob_envelope_write(&bytes, 1000000, envelope), FOB_OK);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&bytes));
    fob_event_t *event = fob_event_new(NULL, blob, fob_blob_slice(blob), where);
    assert_non_null(event);
    fob_blob_unref(&blob);
    fob_buf_free(&bytes);
    return event;
}

typedef enum { JSON, DATA, EYES, EYES_COLOUR, EYES_NARROW } how_t;

static void check(const fob_envelope_t *envelope, const fob_event_place_t *where, how_t how,
                  const char *expected) {
    fob_event_t *event = event_of(envelope, where);
    fob_buf_t out = {0};
    if (how == JSON)
        fob_show_json(&out, event);
    else if (how == DATA)
        fob_show_data(&out, event);
    else
        fob_show_eyes(&out, event, how == EYES_COLOUR, how == EYES_NARROW ? 80 : 0);
    fob_buf_put(&out, "", 1);
    assert_string_equal(out.data, expected);
    fob_buf_free(&out);
    fob_event_destroy(&event);
}

static void an_event_is_one_json_object(void **state) {
    fob_buf_t headers = {0};
    (void)state;
    fob_pack_map(&headers, 2);
    fob_pack_cstr(&headers, "a");
    fob_pack_cstr(&headers, "1");
    fob_pack_cstr(&headers, "b\"");
    fob_pack_cstr(&headers, "2");
    fob_envelope_t envelope = {.topic = fob_slice_str("shop.order_placed"),
                               .id = fob_slice_str("o-1"),
                               .key = fob_slice_str("c-7"),
                               .headers = fob_buf_slice(&headers),
                               .data = fob_slice("\x81\xa1n\x05", 4)};
    check(&envelope, &place, JSON,
          "{\"topic\":\"shop.order_placed\",\"shard\":0,\"offset\":17,\"epoch\":1795156000000,"
          "\"id\":\"o-1\","
          "\"time\":\"2026-11-20T06:28:44.123Z\",\"key\":\"c-7\",\"attempt\":2,"
          "\"headers\":{\"a\":\"1\",\"b\\\"\":\"2\"},\"data\":{\"n\":5}}");
    fob_buf_free(&headers);
}

static void what_is_absent_is_null_and_headers_are_an_object(void **state) {
    fob_envelope_t envelope = {.topic = fob_slice_str("t"), .data = fob_slice("\xc0", 1)};
    fob_event_place_t broadcast = {.shard = 0, .offset = 3, .time_ms = 0};
    fob_event_place_t fired = {.time_ms = 0};
    (void)state;
    check(&envelope, &broadcast, JSON,
          "{\"topic\":\"t\",\"shard\":0,\"offset\":3,\"epoch\":null,\"id\":\"0-3\",\"time\":\"1970-"
          "01-01T00:00:00."
          "000Z\","
          "\"key\":null,\"attempt\":0,\"headers\":{},\"data\":null}");
    check(&envelope, &fired, JSON,
          "{\"topic\":\"t\",\"shard\":0,\"offset\":null,\"epoch\":null,\"id\":null,\"time\":\"1970-"
          "01-01T00:00:00."
          "000Z\","
          "\"key\":null,\"attempt\":0,\"headers\":{},\"data\":null}");
}

/* The part from "data on. */
static void check_data(const char *type, const char *data, size_t size, const char *expected) {
    fob_envelope_t envelope = {.topic = fob_slice_str("t"),
                               .datacontenttype = fob_slice_str(type),
                               .data = fob_slice(data, size)};
    fob_event_t *event = event_of(&envelope, &place);
    fob_buf_t out = {0};
    fob_show_json(&out, event);
    fob_buf_put(&out, "", 1);
    assert_string_equal(strstr((char *)out.data, "\"data"), expected);
    fob_buf_free(&out);
    fob_event_destroy(&event);
}

static void text_shows_as_text_and_bytes_as_base64(void **state) {
    (void)state;
    check_data("text/plain", "h\"i\n", 4, "\"data\":\"h\\\"i\\n\"}");
    check_data("text/plain; charset=utf-8", "hi", 2, "\"data\":\"hi\"}");
    check_data("text/plain", "\xff", 1, "\"data_base64\":\"/w==\"}");
    check_data("application/octet-stream", "hi", 2, "\"data_base64\":\"aGk=\"}");
    check_data("application/json", "{\"a\": 1}", 8, "\"data\":{\"a\":1}}");
    check_data("application/json", "{", 1, "\"data_base64\":\"ew==\"}");
    check_data("application/msgpack", "\xc4\x01\x00", 3, "\"data_base64\":\"xAEA\"}");
    check_data("application/msgpack", "\x92\x01", 2, "\"data_base64\":\"kgE=\"}");
    check_data("application/msgpack", "", 0, "\"data_base64\":\"\"}");
}

static void a_handler_reads_json_text_or_the_bytes(void **state) {
    fob_envelope_t envelope = {.topic = fob_slice_str("t"), .data = fob_slice("\x92\x01\x02", 3)};
    (void)state;
    check(&envelope, &place, DATA, "[1,2]\n");
    envelope.datacontenttype = fob_slice_str("text/plain");
    envelope.data = fob_slice_str("hi");
    check(&envelope, &place, DATA, "hi");
    envelope.datacontenttype = fob_slice_str("application/octet-stream");
    check(&envelope, &place, DATA, "hi");
}

static void a_date_that_is_none_is_null(void **state) {
    fob_buf_t out = {0};
    (void)state;
    assert_false(fob_show_time(&out, INT64_MAX));
    assert_int_equal(out.size, 0);
    assert_true(fob_show_time(&out, -1));
    assert_memory_equal(out.data, "1969-12-31T23:59:59.999Z", 24);
    fob_buf_free(&out);
}

static void eyes_get_one_line(void **state) {
    fob_envelope_t envelope = {.topic = fob_slice_str("t"), .data = fob_slice("\x92\x01\x02", 3)};
    (void)state;
    setenv("TZ", "UTC", 1);
    check(&envelope, &place, EYES,
          "06:28:44.123  t                               17       3 B  msgpack  [1,2]\n");
}

static void eyes_see_colours_but_obey_no_data(void **state) {
    fob_envelope_t envelope = {.topic = fob_slice_str("t"),
                               .datacontenttype = fob_slice_str("text/plain"),
                               .data = fob_slice_str("\033[2J")};
    fob_event_t *event = event_of(&envelope, &place);
    fob_buf_t out = {0};
    (void)state;
    fob_show_eyes(&out, event, true, 0);
    fob_buf_put(&out, "", 1);
    assert_non_null(strstr((char *)out.data, "\033["));
    assert_null(strstr((char *)out.data, "\033[2J"));
    assert_non_null(strstr((char *)out.data, "\\u001b[2J"));
    fob_buf_free(&out);
    fob_event_destroy(&event);
}

static void long_data_is_cut_at_the_terminals_edge(void **state) {
    char text[300];
    fob_envelope_t envelope = {.topic = fob_slice_str("t"),
                               .datacontenttype = fob_slice_str("text/plain"),
                               .data = fob_slice(text, sizeof text)};
    (void)state;
    setenv("TZ", "UTC", 1);
    memset(text, 'x', sizeof text);
    check(&envelope, &place, EYES_NARROW,
          "06:28:44.123  t                    17   300 B  text     "
          "\"xxxxxxxxxxxxxxxxxxxxxx\xe2\x80\xa6\n");
}

static void a_long_name_leaves_room_for_the_data(void **state) {
    fob_envelope_t envelope = {.topic = fob_slice_str("shop.eu.order_line_item_added.by_customer"),
                               .datacontenttype = fob_slice_str("text/plain"),
                               .data = fob_slice_str("0123456789 0123456789")};
    (void)state;
    setenv("TZ", "UTC", 1);
    check(&envelope, &place, EYES_NARROW,
          "06:28:44.123  shop.eu.order_line_item_a\xe2\x80\xa6     17    21 B  text     "
          "\"0123456789 0\xe2\x80\xa6\n");
    check(&envelope, &place, EYES,
          "06:28:44.123  shop.eu.order_line_item_added.by_customer        17      21 B  text     "
          "\"0123456789 0123456789\"\n");
}

static void a_time_or_a_type_that_makes_no_sense_is_shown_as_such(void **state) {
    fob_event_place_t never = {.offset = 17, .time_ms = INT64_MIN};
    fob_envelope_t envelope = {.topic = fob_slice_str("t"), .data = fob_slice("\xc0", 1)};
    (void)state;
    check(&envelope, &never, JSON,
          "{\"topic\":\"t\",\"shard\":0,\"offset\":17,\"epoch\":null,\"id\":\"0-17\",\"time\":null,"
          "\"key\":null,"
          "\"attempt\":0,\"headers\":{},\"data\":null}");
    check(&envelope, &never, EYES,
          "--:--:--.---  t                               17       1 B  msgpack  null\n");
    check_data("text/", "hi", 2, "\"data_base64\":\"aGk=\"}");
    check_data("application/jsonx", "1", 1, "\"data_base64\":\"MQ==\"}");
    check_data("application/json;v=1", "1", 1, "\"data\":1}");
}

static void what_has_no_place_and_no_form_is_a_dash_and_its_bytes(void **state) {
    fob_event_place_t fired = {.time_ms = -1};
    fob_envelope_t envelope = {.topic = fob_slice_str("t"),
                               .datacontenttype = fob_slice_str("image/png"),
                               .data = fob_slice("\x89P", 2)};
    (void)state;
    check(&envelope, &fired, EYES,
          "--:--:--.---  t                                -       2 B  bytes    \"iVA=\"\n");
    envelope.datacontenttype = fob_slice_str("application/json");
    envelope.data = fob_slice_str("{nonsense");
    check(&envelope, &fired, DATA, "{nonsense"); /* a handler gets what was sent */
}

static void a_cut_falls_between_characters(void **state) {
    char text[200];
    fob_envelope_t envelope = {.topic = fob_slice_str("t"),
                               .datacontenttype = fob_slice_str("text/plain"),
                               .data = fob_slice(text, sizeof text)};
    (void)state;
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    fob_event_t *event = event_of(&envelope, &place);
    for (size_t columns = 1; columns < 120; columns++) {
        fob_buf_t out = {0};
        fob_show_eyes(&out, event, true, columns);
        assert_true(fob_utf8_valid(fob_buf_slice(&out)));
        assert_int_equal(out.data[out.size - 1], '\n');
        fob_buf_free(&out);
    }
    fob_event_destroy(&event);
}

FOB_MAIN(FOB_CASE(an_event_is_one_json_object),
         FOB_CASE(what_is_absent_is_null_and_headers_are_an_object),
         FOB_CASE(text_shows_as_text_and_bytes_as_base64),
         FOB_CASE(a_handler_reads_json_text_or_the_bytes), FOB_CASE(a_date_that_is_none_is_null),
         FOB_CASE(eyes_get_one_line), FOB_CASE(eyes_see_colours_but_obey_no_data),
         FOB_CASE(long_data_is_cut_at_the_terminals_edge),
         FOB_CASE(a_long_name_leaves_room_for_the_data),
         FOB_CASE(a_time_or_a_type_that_makes_no_sense_is_shown_as_such),
         FOB_CASE(what_has_no_place_and_no_form_is_a_dash_and_its_bytes),
         FOB_CASE(a_cut_falls_between_characters))
