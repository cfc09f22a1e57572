#include "tests/support/case.h"

#include "proto/duration.h"

static void a_duration_needs_a_number_and_a_unit(void **state) {
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"250ms", 250},  {"5s", 5000},      {"10m", 600000},
                {"2h", 7200000}, {"7d", 604800000}, {"36525d", (int64_t)36525 * 86400000},
                {"007s", 7000},  {"1ms", 1},        {"3153600000000ms", INT64_C(3153600000000)}};
    static const char *const bad[] = {
        "",    "5",    "s",  "0s",  "0ms", "-5s", "+1s",    " 1s",      "5 s",
        "1s ", "1.5s", "5S", "5sx", "1w",  "ms",  "36526d", "2000000d", "99999999999999999999s"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -1;
        assert_true(fob_duration_parse(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = -1;
        assert_false(fob_duration_parse(bad[i], &ms));
        assert_int_equal(ms, -1);
    }
}

static void a_span_back_from_now_may_be_none(void **state) {
    (void)state;
    static const char *const none[] = {"0s", "0ms", "0d", "000h"};
    static const char *const bad[] = {"", "0", "s", "-0s", "0 s", "36526d"};
    int64_t ms = -1;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++, ms = -1) {
        assert_true(fob_duration_parse_span(none[i], &ms));
        assert_int_equal(ms, 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(fob_duration_parse_span(bad[i], &ms));
    assert_true(fob_duration_parse_span("5s", &ms));
    assert_int_equal(ms, 5000);
}

static void a_duration_is_shown_as_short_as_it_can_be(void **state) {
    static const struct {
        int64_t ms;
        const char *text;
    } all[] = {{1, "1ms"},      {1500, "1500ms"}, {5000, "5s"},     {90000, "90s"},
               {600000, "10m"}, {7200000, "2h"},  {86400000, "1d"}, {90000000, "25h"}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char text[32];
        int64_t ms;
        fob_duration_text(all[i].ms, text, sizeof text);
        assert_string_equal(text, all[i].text);
        assert_true(fob_duration_parse(text, &ms));
        assert_int_equal(ms, all[i].ms);
    }
}

FOB_MAIN(FOB_CASE(a_duration_needs_a_number_and_a_unit), FOB_CASE(a_span_back_from_now_may_be_none),
         FOB_CASE(a_duration_is_shown_as_short_as_it_can_be))
