/* amount: bytes as people write them. */
#include "proto/amount.h"
#include "tests/support/case.h"

#include <string.h>

static void amounts_are_read_with_and_without_units(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"1", 1},
                {"1000000", 1000000},
                {"64KiB", 65536},
                {"4GiB", UINT64_C(4) << 30},
                {"1TiB", UINT64_C(1) << 40},
                {"9223372036854775807", INT64_MAX}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t bytes = 0;
        assert_true(fob_amount_parse(good[i].text, &bytes));
        assert_true(bytes == good[i].bytes);
    }
}

static void what_is_no_amount_is_refused_and_changes_nothing(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "0",
                                      "0KiB",
                                      "-1",
                                      "1 KiB",
                                      "1KB",
                                      "1kib",
                                      "KiB",
                                      "1.5",
                                      "9223372036854775808",
                                      "1x",
                                      " 1",
                                      "99999999999999999999",
                                      "8388608TiB"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t bytes = 7;
        if (fob_amount_parse(bad[i], &bytes) || bytes != 7)
            fail_msg("\"%s\" is read", bad[i]);
    }
}

static void an_amount_is_said_in_its_largest_whole_unit(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0"},
                 {1, "1"},
                 {1000000, "1000000"},
                 {65536, "64KiB"},
                 {65537, "65537"},
                 {UINT64_C(4) << 30, "4GiB"},
                 {1536 << 10, "1536KiB"},
                 {UINT64_C(3) << 40, "3TiB"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        fob_amount_text(cases[i].bytes, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
}

static void an_amount_for_eyes_is_rounded(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {1023, "1023 B"},
                 {1024, "1.0 KiB"},
                 {1536, "1.5 KiB"},
                 {1048575, "1.0 MiB"},
                 {UINT64_C(3) << 30, "3.0 GiB"},
                 {UINT64_MAX, "16.0 EiB"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        fob_amount_about(cases[i].bytes, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
}

FOB_MAIN(FOB_CASE(an_amount_for_eyes_is_rounded), FOB_CASE(amounts_are_read_with_and_without_units),
         FOB_CASE(what_is_no_amount_is_refused_and_changes_nothing),
         FOB_CASE(an_amount_is_said_in_its_largest_whole_unit))
