/* cursor: every encoding, every lie about a length, every place to cut. */
#include "proto/buf.h"
#include "proto/cursor.h"
#include "tests/support/case.h"

#include <stdlib.h>

#define BYTES(text) fob_cursor(fob_slice(text, sizeof(text) - 1))

static void every_encoding_of_an_unsigned_integer_is_read(void **state) {
    (void)state;
    fob_cursor_t c =
        BYTES("\x07\xcc\xff\xcd\x01\x00\xce\x00\x01\x00\x00"
              "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"
              "\xd0\x05\xd1\x01\x00\xd2\x00\x00\x00\x09\xd3\x7f\xff\xff\xff\xff\xff\xff\xff");
    const uint64_t want[] = {7, 255, 256, 65536, UINT64_MAX, 5, 256, 9, INT64_MAX};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        uint64_t got;
        assert_true(fob_cursor_uint(&c, &got));
        assert_true(got == want[i]);
    }
    assert_true(fob_cursor_end(&c));
}

static void a_negative_integer_is_no_unsigned_one(void **state) {
    (void)state;
    uint64_t got;
    fob_cursor_t fix = BYTES("\xff"), wide = BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00");
    assert_false(fob_cursor_uint(&fix, &got));
    assert_false(fob_cursor_uint(&wide, &got));
    assert_true(fix.failed && wide.failed);
}

static void every_encoding_of_a_signed_integer_is_read(void **state) {
    (void)state;
    fob_cursor_t c =
        BYTES("\xff\xe0\x7f\xd0\x80\xd1\x80\x00\xd2\x80\x00\x00\x00"
              "\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xcf\x7f\xff\xff\xff\xff\xff\xff\xff");
    const int64_t want[] = {-1, -32, 127, -128, -32768, INT32_MIN, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        int64_t got;
        assert_true(fob_cursor_int(&c, &got));
        assert_true(got == want[i]);
    }
    fob_cursor_t big = BYTES("\xcf\x80\x00\x00\x00\x00\x00\x00\x00");
    int64_t got;
    assert_false(fob_cursor_int(&big, &got));
}

static void floats_of_both_widths_are_read(void **state) {
    (void)state;
    double value;
    fob_cursor_t c = BYTES("\xca\x3f\xc0\x00\x00\xcb\xbf\xf8\x00\x00\x00\x00\x00\x00");
    assert_true(fob_cursor_double(&c, &value));
    assert_true(value == 1.5);
    assert_true(fob_cursor_double(&c, &value));
    assert_true(value == -1.5);
}

static void strings_and_bytes_of_every_length_code_are_read(void **state) {
    (void)state;
    static const char *const heads[] = {
        "\xa3",     "\xd9\x03",     "\xda\x00\x03",        "\xdb\x00\x00\x00\x03",
        "\xc4\x03", "\xc5\x00\x03", "\xc6\x00\x00\x00\x03"};
    static const size_t sizes[] = {1, 2, 3, 5, 2, 3, 5};
    for (size_t i = 0; i < 7; i++) {
        uint8_t bytes[8];
        memcpy(bytes, heads[i], sizes[i]);
        memcpy(bytes + sizes[i], "abc", 3);
        fob_cursor_t c = fob_cursor(fob_slice(bytes, sizes[i] + 3));
        fob_slice_t got;
        assert_true(i < 4 ? fob_cursor_str(&c, &got) : fob_cursor_bin(&c, &got));
        assert_true(fob_slice_eq(got, fob_slice_str("abc")));
        assert_true(fob_cursor_end(&c));
    }
}

static void a_string_is_no_bytes_and_bytes_are_no_string(void **state) {
    (void)state;
    fob_slice_t got;
    fob_cursor_t str = BYTES("\xa1x"), bin = BYTES("\xc4\x01x");
    assert_false(fob_cursor_bin(&str, &got));
    assert_false(fob_cursor_str(&bin, &got));
}

static void a_length_that_lies_is_refused(void **state) {
    (void)state;
    fob_slice_t got;
    uint32_t count;
    fob_cursor_t str = BYTES("\xdb\xff\xff\xff\xffx"), bin = BYTES("\xc6\xff\xff\xff\xffx");
    fob_cursor_t array = BYTES("\xdd\xff\xff\xff\xff\x01"),
                 map = BYTES("\xdf\x80\x00\x00\x00\x01\x01");
    fob_cursor_t odd = BYTES("\x82\x01\x01\x01"), ext = BYTES("\xc9\xff\xff\xff\xff\x01x");
    fob_cursor_t untyped = BYTES("\xd4\x01");
    assert_false(fob_cursor_str(&str, &got));
    assert_false(fob_cursor_bin(&bin, &got));
    assert_false(fob_cursor_array(&array, &count));
    assert_false(fob_cursor_map(&map, &count));
    assert_false(fob_cursor_map(&odd, &count));
    assert_false(fob_cursor_skip(&ext, &got));
    assert_false(fob_cursor_skip(&untyped, &got));
}

static void extensions_of_every_length_code_are_stepped_over(void **state) {
    (void)state;
    fob_cursor_t c = BYTES("\xd4\x05x\xd5\x05xx\xc7\x03\xffxxx\xc7\x00\x01");
    const size_t sizes[] = {3, 4, 6, 3};
    for (size_t i = 0; i < 4; i++) {
        fob_slice_t got;
        assert_int_equal(fob_cursor_peek(&c), FOB_MP_EXT);
        assert_true(fob_cursor_skip(&c, &got));
        assert_int_equal(got.size, sizes[i]);
    }
    assert_true(fob_cursor_end(&c));
}

static void peek_names_each_type(void **state) {
    (void)state;
    static const struct {
        uint8_t first;
        fob_mp_type_t type;
    } want[] = {
        {0x00, FOB_MP_UINT},  {0x80, FOB_MP_MAP},   {0x90, FOB_MP_ARRAY}, {0xa0, FOB_MP_STR},
        {0xc0, FOB_MP_NIL},   {0xc1, FOB_MP_NONE},  {0xc3, FOB_MP_BOOL},  {0xc4, FOB_MP_BIN},
        {0xca, FOB_MP_FLOAT}, {0xcf, FOB_MP_UINT},  {0xd0, FOB_MP_INT},   {0xd8, FOB_MP_EXT},
        {0xdb, FOB_MP_STR},   {0xdd, FOB_MP_ARRAY}, {0xdf, FOB_MP_MAP},   {0xe0, FOB_MP_INT}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        fob_cursor_t c = fob_cursor(fob_slice(&want[i].first, 1));
        assert_int_equal(fob_cursor_peek(&c), want[i].type);
    }
    fob_cursor_t none = fob_cursor((fob_slice_t){0});
    assert_int_equal(fob_cursor_peek(&none), FOB_MP_NONE);
}

static void a_failed_cursor_stays_failed(void **state) {
    (void)state;
    fob_cursor_t c = BYTES("\x01\xc0");
    bool flag;
    uint64_t number;
    assert_false(fob_cursor_bool(&c, &flag));
    assert_true(c.failed);
    assert_false(fob_cursor_uint(&c, &number));
    assert_false(fob_cursor_skip(&c, NULL));
    assert_false(fob_cursor_nil(&c));
    assert_int_equal(fob_cursor_peek(&c), FOB_MP_NONE);
}

/* `levels` arrays of one, the innermost empty. */
static bool skips_nested(size_t levels) {
    uint8_t bytes[64];
    memset(bytes, 0x91, levels);
    bytes[levels - 1] = 0x90;
    fob_cursor_t c = fob_cursor(fob_slice(bytes, levels));
    return fob_cursor_skip(&c, NULL) && fob_cursor_end(&c);
}

static void nesting_is_bounded(void **state) {
    (void)state;
    assert_true(skips_nested(1));
    assert_true(skips_nested(FOB_CURSOR_DEPTH));
    assert_false(skips_nested(FOB_CURSOR_DEPTH + 1));
    fob_cursor_t scalar = BYTES("\x01"), array = BYTES("\x90");
    assert_true(fob_cursor_skip_within(&scalar, 0, NULL));
    assert_false(fob_cursor_skip_within(&array, 0, NULL));
}

static void skip_gives_the_bytes_of_one_whole_value(void **state) {
    (void)state;
    fob_slice_t got;
    fob_cursor_t c = BYTES("\x82\xa1"
                           "a\x93\x01\xc4\x02xx\x90\xa1"
                           "b\xd4\x01z\x05");
    assert_true(fob_cursor_skip(&c, &got));
    assert_int_equal(got.size, 15);
    assert_true(fob_cursor_skip(&c, &got));
    assert_int_equal(got.size, 1);
    assert_true(fob_cursor_end(&c));
    assert_false(fob_cursor_skip(&c, &got));
}

/* The bytes of the value that `first` begins, in a block of zeros: from the specification's table.
 */
static size_t size_by_the_book(unsigned first) {
    static const uint8_t sizes[32] = {1, 0, 1, 1, 2, 3, 5, 3,  4,  6, 5, 9, 2, 3, 5, 9,
                                      2, 3, 5, 9, 3, 4, 6, 10, 18, 2, 3, 5, 3, 5, 3, 5};
    if (first < 0x80 || first >= 0xe0)
        return 1;
    if (first < 0x90)
        return 1 + 2 * (first & 0x0f);
    if (first < 0xa0)
        return 1 + (first & 0x0f);
    return first < 0xc0 ? 1 + (first & 0x1f) : sizes[first - 0xc0];
}

static void every_first_byte_is_skipped_by_its_size(void **state) {
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t bytes[40] = {(uint8_t)first};
        size_t size = size_by_the_book(first);
        fob_cursor_t c = fob_cursor(fob_slice(bytes, sizeof bytes));
        assert_int_equal(fob_cursor_skip(&c, NULL), size > 0);
        if (size == 0)
            continue;
        assert_int_equal(c.at - bytes, size);
        fob_cursor_t cut = fob_cursor(fob_slice(bytes, size - 1));
        assert_false(fob_cursor_skip(&cut, NULL));
    }
}

/* Each cut is a heap block of its own, so that reading one byte too many is seen by the sanitizer.
 */
static void bytes_cut_anywhere_fail_and_are_not_read_past(void **state) {
    (void)state;
    static const char whole[] =
        "\x83\xa1k\xcf\x01\x02\x03\x04\x05\x06\x07\x08\xd9\x03"
        "abc\xc7\x02\x01xx\xcb\x01\x02\x03\x04\x05\x06\x07\x08\xdc\x00\x02\xc4\x01x\xd3"
        "\x01\x02\x03\x04\x05\x06\x07\x08";
    fob_cursor_t all = BYTES(whole);
    assert_true(fob_cursor_skip(&all, NULL) && fob_cursor_end(&all));
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        uint8_t *cut = malloc(size ? size : 1);
        memcpy(cut, whole, size);
        fob_cursor_t c = fob_cursor(fob_slice(cut, size));
        assert_false(fob_cursor_skip(&c, NULL));
        assert_true(c.failed);
        free(cut);
    }
}

static void the_byte_that_msgpack_never_uses_is_refused(void **state) {
    (void)state;
    fob_cursor_t c = BYTES("\xc1"), inside = BYTES("\x91\xc1");
    assert_false(fob_cursor_skip(&c, NULL));
    assert_false(fob_cursor_skip(&inside, NULL));
}

FOB_MAIN(FOB_CASE(every_encoding_of_an_unsigned_integer_is_read),
         FOB_CASE(a_negative_integer_is_no_unsigned_one),
         FOB_CASE(every_encoding_of_a_signed_integer_is_read),
         FOB_CASE(floats_of_both_widths_are_read),
         FOB_CASE(strings_and_bytes_of_every_length_code_are_read),
         FOB_CASE(a_string_is_no_bytes_and_bytes_are_no_string),
         FOB_CASE(a_length_that_lies_is_refused),
         FOB_CASE(extensions_of_every_length_code_are_stepped_over), FOB_CASE(peek_names_each_type),
         FOB_CASE(a_failed_cursor_stays_failed), FOB_CASE(nesting_is_bounded),
         FOB_CASE(skip_gives_the_bytes_of_one_whole_value),
         FOB_CASE(every_first_byte_is_skipped_by_its_size),
         FOB_CASE(bytes_cut_anywhere_fail_and_are_not_read_past),
         FOB_CASE(the_byte_that_msgpack_never_uses_is_refused))
