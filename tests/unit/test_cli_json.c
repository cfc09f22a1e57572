#include "tests/support/case.h"

#include "proto/cli/json.h"
#include "proto/cli/utf8.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static fob_status_t pack(const char *text, fob_buf_t *out) {
    fob_json_error_t error;
    return fob_json_pack(fob_slice_str(text), out, &error);
}

/* JSON text, there and back. NULL: no JSON form. Static memory. */
static const char *printed(fob_slice_t data) {
    static char text[65536];
    fob_buf_t out = {0};
    bool ok = fob_json_print(data, &out);
    assert_true(out.size < sizeof text);
    if (out.size > 0)
        memcpy(text, out.data, out.size);
    text[out.size] = '\0';
    fob_buf_free(&out);
    return ok ? text : NULL;
}

static void there_and_back(const char *text, const char *expected) {
    fob_buf_t out = {0};
    assert_int_equal(pack(text, &out), FOB_OK);
    assert_string_equal(printed(fob_buf_slice(&out)), expected);
    fob_buf_free(&out);
}

static void refused(const char *text, bool syntax, const char *says) {
    fob_buf_t out = {0};
    fob_json_error_t error;
    fob_buf_put(&out, "kept", 4);
    assert_int_equal(fob_json_pack(fob_slice_str(text), &out, &error), FOB_BAD_EVENT);
    assert_int_equal(error.syntax, syntax);
    assert_non_null(strstr(error.text, says));
    assert_int_equal(out.size, 4);
    fob_buf_free(&out);
}

static void values_come_back_as_they_were(void **state) {
    static const char *const same[] = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "\"\"",
        "\"h\xc3\xa4llo\"",
        "[]",
        "{}",
        "[1,[2,[3]]]",
        "{\"b\":1,\"a\":{\"c\":[null,true]}}",
        "\"a\\\"b\\\\c\\n\\t\"",
        "\"\\u0000\"",
        "1.5",
        "-0.0",
        "\"\xf0\x9f\x98\x80\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        there_and_back(same[i], same[i]);
    there_and_back("  { \"a\" : [ 1 , 2 ] }\n", "{\"a\":[1,2]}");
    there_and_back("\"\\u00e4\\ud83d\\ude00\"", "\"\xc3\xa4\xf0\x9f\x98\x80\"");
}

static void integers_of_64_bits_are_exact(void **state) {
    (void)state;
    there_and_back("9223372036854775807", "9223372036854775807");
    there_and_back("-9223372036854775808", "-9223372036854775808");
    there_and_back("9223372036854775808", "9223372036854775808");
    there_and_back("18446744073709551615", "18446744073709551615");
    there_and_back("[1,\"18446744073709551615\",{\"n\":18446744073709551614,\"e\":2.5e1},-3,"
                   "18446744073709551615]",
                   "[1,\"18446744073709551615\",{\"n\":18446744073709551614,\"e\":25.0},-3,"
                   "18446744073709551615]");
    there_and_back("[\"a\\\"12345678901234567890\",12345678901234567890]",
                   "[\"a\\\"12345678901234567890\",12345678901234567890]");
}

static void numbers_that_would_be_rounded_are_refused(void **state) {
    (void)state;
    refused("18446744073709551616", false, "64 bits");
    refused("-9223372036854775809", false, "64 bits");
    refused("[18446744073709551615,99999999999999999999999]", false, "64 bits");
    refused("1e999", false, "64 bits");
}

static void doubles_have_17_digits(void **state) {
    (void)state;
    there_and_back("0.1", "0.10000000000000001");
    there_and_back("1.0", "1.0");
    there_and_back("1e300", "1.0000000000000001e+300");
    there_and_back("5e-324", "4.9406564584124654e-324");
}

static void a_text_that_is_not_json_says_where(void **state) {
    (void)state;
    refused("{\"a\":", true, "column 5");
    refused("", true, "column");
    refused("hello", true, "column 5");
    refused("[1,2] 3", true, "column");
    refused("\"\xff\"", true, "column");
    refused("\"\\ud800\"", true, "column");
    refused("{\"a\":1,\n\"b\" 2}", true, "line 2");
}

static void a_name_twice_in_an_object_is_refused(void **state) {
    (void)state;
    refused("{\"a\":1,\"a\":2}", false, "same name twice");
}

static void nesting_has_an_end(void **state) {
    char text[2 * 600 + 1];
    (void)state;
    memset(text, '[', 512);
    memset(text + 512, ']', 512);
    text[1024] = '\0';
    there_and_back(text, text);
    memset(text, '[', 600);
    memset(text + 600, ']', 600);
    text[1200] = '\0';
    refused(text, false, "nested deeper than 512");
}

static void nesting_of_objects_has_an_end(void **state) {
    fob_buf_t text = {0};
    (void)state;
    for (size_t i = 0; i < 600; i++)
        fob_buf_put(&text, "{\"a\":", 5);
    fob_buf_put(&text, "1", 1);
    for (size_t i = 0; i < 600; i++)
        fob_buf_put(&text, "}", 1);
    fob_buf_put(&text, "", 1);
    refused((const char *)text.data, false, "nested deeper than 512");
    fob_buf_free(&text);
}

/* So deep that the parser itself gives up. */
static void nesting_without_an_end_is_refused_in_the_same_words(void **state) {
    static char text[100000];
    (void)state;
    memset(text, '[', sizeof text - 1);
    refused(text, false, "nested deeper than 512");
}

static void no_form(const void *bytes, size_t size) {
    fob_buf_t out = {0};
    fob_buf_put(&out, "kept", 4);
    assert_false(fob_json_print(fob_slice(bytes, size), &out));
    assert_int_equal(out.size, 4);
    fob_buf_free(&out);
}

static void what_has_no_json_form_is_refused_whole(void **state) {
    fob_buf_t out = {0};
    (void)state;
    no_form("", 0);                     /* nothing */
    no_form("\x01\x02", 2);             /* two values */
    no_form("\xc4\x01\x00", 3);         /* bytes */
    no_form("\x92\x01\xc4\x01\x00", 5); /* bytes within */
    no_form("\xd4\x01\x00", 3);         /* ext */
    no_form("\x81\x01\x02", 3);         /* a number as a name */
    no_form("\xa1\xff", 2);             /* not UTF-8 */
    no_form("\x81\xa1\xff\x01", 4);     /* nor this name */
    no_form("\xdd\xff\xff\xff\xff", 5); /* four milliards of nothing */
    no_form("\xc1", 1);                 /* never used */
    fob_pack_double(&out, NAN);
    no_form(out.data, out.size);
    fob_buf_clear(&out);
    fob_pack_double(&out, -INFINITY);
    no_form(out.data, out.size);
    fob_buf_clear(&out);
    for (int i = 0; i < 600; i++)
        fob_pack_array(&out, 1);
    fob_pack_nil(&out);
    no_form(out.data, out.size);
    fob_buf_free(&out);
}

static void any_encoding_of_an_integer_prints(void **state) {
    (void)state;
    assert_string_equal(printed(fob_slice("\xd3\x00\x00\x00\x00\x00\x00\x00\x05", 9)), "5");
    assert_string_equal(printed(fob_slice("\xd0\xff", 2)), "-1");
    assert_string_equal(printed(fob_slice("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9)),
                        "18446744073709551615");
    assert_string_equal(printed(fob_slice("\xca\x3f\x80\x00\x00", 5)), "1.0");
}

static void text_cannot_command_a_terminal(void **state) {
    fob_buf_t out = {0};
    (void)state;
    fob_json_string(&out, fob_slice_str("\033[31m\x7f\xc2\x9b\xff."));
    fob_buf_put(&out, "", 1);
    assert_string_equal(out.data, "\"\\u001b[31m\\u007f\\u009b\\ufffd.\"");
    fob_buf_free(&out);
}

static void base64_is_padded(void **state) {
    static const char *const table[][2] = {
        {"", "\"\""},        {"f", "\"Zg==\""},        {"fo", "\"Zm8=\""},
        {"foo", "\"Zm9v\""}, {"foob", "\"Zm9vYg==\""}, {"\xff\xfe\xfd", "\"//79\""}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        fob_buf_t out = {0};
        fob_json_base64(&out, fob_slice_str(table[i][0]));
        fob_buf_put(&out, "", 1);
        assert_string_equal(out.data, table[i][1]);
        fob_buf_free(&out);
    }
}

static void utf8_takes_no_overlong_form_and_no_surrogate(void **state) {
    static const char *const bad[] = {
        "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80",
        "\xc3",     "\xe2\x82",     "\xf5\x80\x80\x80", "\xe2\x82(",    "\xf0\x9f\x98("};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(fob_utf8_valid(fob_slice_str(bad[i])));
    assert_true(
        fob_utf8_valid(fob_slice_str("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf")));
}

static fob_status_t point(const char *json, const char *pointer, char *text) {
    fob_buf_t data = {0}, out = {0};
    assert_int_equal(pack(json, &data), FOB_OK);
    fob_status_t status = fob_json_pointer(fob_buf_slice(&data), pointer, &out);
    memcpy(text, out.data ? out.data : (uint8_t *)"", out.size);
    text[out.size] = '\0';
    fob_buf_free(&data);
    fob_buf_free(&out);
    return status;
}

static void a_pointer_finds_strings_and_integers(void **state) {
    static const char doc[] = "{\"x\":[1.5,{\"id\":\"o-1\"}],\"n\":-7,\"big\":18446744073709551615,"
                              "\"a/b\":\"s\",\"m~n\":\"t\",\"\":\"e\"}";
    char text[64];
    (void)state;
    assert_int_equal(point(doc, "/x/1/id", text), FOB_OK);
    assert_string_equal(text, "o-1");
    assert_int_equal(point(doc, "/n", text), FOB_OK);
    assert_string_equal(text, "-7");
    assert_int_equal(point(doc, "/big", text), FOB_OK);
    assert_string_equal(text, "18446744073709551615");
    assert_int_equal(point(doc, "/a~1b", text), FOB_OK);
    assert_string_equal(text, "s");
    assert_int_equal(point(doc, "/m~0n", text), FOB_OK);
    assert_string_equal(text, "t");
    assert_int_equal(point(doc, "/", text), FOB_OK);
    assert_string_equal(text, "e");
    assert_int_equal(point("\"whole\"", "", text), FOB_OK);
    assert_string_equal(text, "whole");
}

static void a_pointer_to_nothing_is_a_bad_event(void **state) {
    static const char doc[] = "{\"x\":[1.5,{\"id\":null}],\"abc\":\"v\"}";
    char text[64];
    (void)state;
    assert_int_equal(point(doc, "/y", text), FOB_BAD_EVENT);
    assert_int_equal(point(doc, "/x", text), FOB_BAD_EVENT);
    assert_int_equal(point(doc, "/x/0", text), FOB_BAD_EVENT);
    assert_int_equal(point(doc, "/x/2", text), FOB_BAD_EVENT);
    assert_int_equal(point(doc, "/x/01", text), FOB_BAD_EVENT);
    assert_int_equal(point(doc, "/x/1/id", text), FOB_BAD_EVENT);
    assert_int_equal(point(doc, "/ab", text), FOB_BAD_EVENT);
    assert_int_equal(point(doc, "/abcd", text), FOB_BAD_EVENT);
    assert_int_equal(point(doc, "x", text), FOB_INVALID);
    assert_int_equal(point(doc, "/x~2", text), FOB_INVALID);
}

static void a_pointer_past_what_is_malformed_finds_nothing(void **state) {
    static const char map[] = "\x82\xa1x\x92\x01", array[] = "\x92\xa5it";
    fob_buf_t out = {0};
    (void)state;
    assert_int_equal(fob_json_pointer(fob_slice(map, sizeof map - 1), "/y", &out), FOB_BAD_EVENT);
    assert_int_equal(fob_json_pointer(fob_slice(array, sizeof array - 1), "/1", &out),
                     FOB_BAD_EVENT);
    assert_int_equal(out.size, 0);
}

/* A value with one of everything that has a JSON form. */
static const char whole[] = "\x9b"                     /* an array of eleven: */
                            "\xc0\xc2\xc3\x05\xff"     /* null, false, true, 5, -1, */
                            "\xd1\xff\x00"             /* -256, */
                            "\xcb\x3f\xf8\0\0\0\0\0\0" /* 1.5, */
                            "\xa3"
                            "a\r\n"                     /* a string, */
                            "\x82\xa1k\x91\x01\xa0\xc0" /* {"k":[1],"":null}, */
                            "\x90\x80";                 /* [], {} */

static void a_value_cut_anywhere_prints_nothing_at_all(void **state) {
    (void)state;
    fob_buf_t out = {0};
    fob_text(&out, "kept");
    assert_true(fob_json_print(fob_slice(whole, sizeof whole - 1), &out));
    fob_buf_put(&out, "", 1);
    assert_string_equal(out.data, "kept[null,false,true,5,-1,-256,1.5,\"a\\r\\n\","
                                  "{\"k\":[1],\"\":null},[],{}]");
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        out.size = 4;
        char *cut = malloc(size + 1); /* so that a sanitizer sees a read past the end */
        memcpy(cut, whole, size);
        assert_false(fob_json_print(fob_slice(cut, size), &out));
        assert_int_equal(out.size, 4);
        free(cut);
    }
    fob_buf_free(&out);
}

static void a_pointer_into_a_value_cut_anywhere_finds_it_whole_or_not_at_all(void **state) {
    (void)state;
    static const char doc[] = "\x82\xa1x\x93\x01\xa1y\x92\x02\xa3"
                              "key\xa1z\x00";
    for (size_t size = 0; size <= sizeof doc - 1; size++) {
        fob_buf_t out = {0};
        char *cut = malloc(size + 1);
        memcpy(cut, doc, size);
        fob_status_t status = fob_json_pointer(fob_slice(cut, size), "/x/2/1", &out);
        bool there = size >= 13; /* all of "key" */
        assert_int_equal(status, there ? FOB_OK : FOB_BAD_EVENT);
        assert_int_equal(out.size, there ? 3 : 0);
        free(cut);
        fob_buf_free(&out);
    }
}

static void a_pointers_token_is_an_index_only_where_it_is_one(void **state) {
    char text[64];
    (void)state;
    static const char doc[] = "{\"x\":[\"a\",\"b\"],\"0\":\"name\"}";
    assert_int_equal(point(doc, "/x/1", text), FOB_OK);
    assert_string_equal(text, "b");
    assert_int_equal(point(doc, "/0", text), FOB_OK);
    assert_string_equal(text, "name");
    static const char *const none[] = {"/x/",           "/x/-1",         "/x/1a",  "/x/12345678901",
                                       "/x/4294967296", "/x/4294967297", "/x/1/0", "/x/~0"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(point(doc, none[i], text), FOB_BAD_EVENT);
}

FOB_MAIN(FOB_CASE(values_come_back_as_they_were), FOB_CASE(integers_of_64_bits_are_exact),
         FOB_CASE(numbers_that_would_be_rounded_are_refused), FOB_CASE(doubles_have_17_digits),
         FOB_CASE(a_text_that_is_not_json_says_where),
         FOB_CASE(a_name_twice_in_an_object_is_refused), FOB_CASE(nesting_has_an_end),
         FOB_CASE(nesting_of_objects_has_an_end),
         FOB_CASE(nesting_without_an_end_is_refused_in_the_same_words),
         FOB_CASE(what_has_no_json_form_is_refused_whole),
         FOB_CASE(any_encoding_of_an_integer_prints), FOB_CASE(text_cannot_command_a_terminal),
         FOB_CASE(base64_is_padded), FOB_CASE(utf8_takes_no_overlong_form_and_no_surrogate),
         FOB_CASE(a_pointer_finds_strings_and_integers),
         FOB_CASE(a_pointer_to_nothing_is_a_bad_event),
         FOB_CASE(a_pointer_past_what_is_malformed_finds_nothing),
         FOB_CASE(a_value_cut_anywhere_prints_nothing_at_all),
         FOB_CASE(a_pointer_into_a_value_cut_anywhere_finds_it_whole_or_not_at_all),
         FOB_CASE(a_pointers_token_is_an_index_only_where_it_is_one))
