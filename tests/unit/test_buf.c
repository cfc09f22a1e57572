/* buf: growth, failure, and the bytes of each msgpack value. */
#include "proto/buf.h"
#include "tests/support/case.h"

#include <stdlib.h>

static void assert_bytes(const fob_buf_t *buf, const char *bytes, size_t size) {
    assert_int_equal(buf->size, size);
    assert_memory_equal(buf->data, bytes, size);
}
#define ASSERT_BYTES(buf, text) assert_bytes(buf, text, sizeof(text) - 1)

static void integers_take_their_shortest_form(void **state) {
    (void)state;
    fob_buf_t buf = {0};
    fob_pack_uint(&buf, 0);
    fob_pack_uint(&buf, 127);
    fob_pack_uint(&buf, 128);
    fob_pack_uint(&buf, 256);
    fob_pack_uint(&buf, 65536);
    fob_pack_uint(&buf, UINT64_MAX);
    ASSERT_BYTES(&buf, "\x00\x7f\xcc\x80\xcd\x01\x00\xce\x00\x01\x00\x00"
                       "\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    fob_buf_clear(&buf);
    fob_pack_int(&buf, 5);
    fob_pack_int(&buf, -1);
    fob_pack_int(&buf, -33);
    fob_pack_int(&buf, INT64_MIN);
    ASSERT_BYTES(&buf, "\x05\xff\xd0\xdf\xd3\x80\x00\x00\x00\x00\x00\x00\x00");
    fob_buf_free(&buf);
}

static void the_other_values_are_packed_as_the_specification_says(void **state) {
    (void)state;
    fob_buf_t buf = {0};
    fob_pack_nil(&buf);
    fob_pack_bool(&buf, true);
    fob_pack_bool(&buf, false);
    fob_pack_double(&buf, 1.0);
    fob_pack_cstr(&buf, "ab");
    fob_pack_cstr(&buf, NULL);
    fob_pack_bin(&buf, fob_slice_str("c"));
    fob_pack_bin(&buf, (fob_slice_t){0});
    fob_pack_array(&buf, 16);
    fob_pack_map(&buf, 1);
    ASSERT_BYTES(&buf, "\xc0\xc3\xc2\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xa2"
                       "ab\xa0\xc4\x01"
                       "c\xc4\x00\xdc\x00\x10\x81");
    fob_buf_free(&buf);
}

static void it_grows_and_keeps_what_was_written(void **state) {
    (void)state;
    fob_buf_t buf = {0};
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        fob_buf_put(&buf, &byte, 1);
    }
    assert_int_equal(buf.size, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], (uint8_t)(i * 7));
    fob_buf_free(&buf);
    assert_null(buf.data);
    fob_pack_nil(&buf);
    assert_int_equal(buf.size, 1);
    fob_buf_free(&buf);
}

static void room_that_cannot_be_had_fails_it_and_later_writes_do_nothing(void **state) {
    (void)state;
    fob_buf_t buf = {0};
    fob_pack_uint(&buf, 1);
    assert_false(fob_buf_room(&buf, SIZE_MAX - 2));
    assert_true(buf.failed);
    fob_pack_uint(&buf, 2);
    fob_buf_put(&buf, "x", 1);
    assert_int_equal(buf.size, 1);
    assert_false(fob_buf_room(&buf, 1));
    fob_buf_clear(&buf);
    assert_false(buf.failed);
    fob_pack_uint(&buf, 2);
    assert_int_equal(buf.size, 1);
    fob_buf_free(&buf);
}

static void a_length_beyond_what_msgpack_has_fails_it(void **state) {
    (void)state;
    fob_buf_t buf = {0};
    fob_pack_bin(&buf, fob_slice("x", (size_t)UINT32_MAX + 1));
    assert_true(buf.failed);
    fob_buf_clear(&buf);
    fob_pack_str(&buf, fob_slice("x", (size_t)UINT32_MAX + 1));
    assert_true(buf.failed);
    fob_buf_clear(&buf);
    fob_pack_map(&buf, (size_t)UINT32_MAX + 1);
    assert_true(buf.failed);
    assert_int_equal(buf.size, 0);
    fob_buf_free(&buf);
}

static void cleared_it_keeps_its_memory(void **state) {
    (void)state;
    fob_buf_t buf = {0};
    assert_true(fob_buf_room(&buf, 5000));
    const uint8_t *memory = buf.data;
    fob_buf_clear(&buf);
    assert_true(fob_buf_room(&buf, 5000));
    assert_ptr_equal(buf.data, memory);
    fob_buf_free(&buf);
}

FOB_MAIN(FOB_CASE(integers_take_their_shortest_form),
         FOB_CASE(the_other_values_are_packed_as_the_specification_says),
         FOB_CASE(it_grows_and_keeps_what_was_written),
         FOB_CASE(room_that_cannot_be_had_fails_it_and_later_writes_do_nothing),
         FOB_CASE(a_length_beyond_what_msgpack_has_fails_it), FOB_CASE(cleared_it_keeps_its_memory))
