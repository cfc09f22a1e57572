#include "tests/support/case.h"

#include "proto/cli/when.h"

#define NOW INT64_C(1700000000123)

static fob_when_t parsed(const char *text) {
    fob_when_t when = {.offset = 99};
    if (!fob_when_parse(text, NOW, &when))
        fail_msg("\"%s\" is not taken", text);
    return when;
}

static void names_and_offsets_are_places(void **state) {
    (void)state;
    assert_int_equal(parsed("latest").kind, FOB_WHEN_LATEST);
    assert_int_equal(parsed("earliest").kind, FOB_WHEN_EARLIEST);
    assert_int_equal(parsed("17").kind, FOB_WHEN_OFFSET);
    assert_int_equal(parsed("17").offset, 17);
    assert_int_equal(parsed("0:17").kind, FOB_WHEN_OFFSET);
    assert_int_equal(parsed("0:17").offset, 17);
    assert_int_equal(parsed("9223372036854775807").offset, INT64_MAX);
}

static void an_offset_may_name_its_epoch(void **state) {
    static const struct {
        const char *text;
        uint64_t offset, epoch;
    } all[] = {{"17", 17, 0},
               {"17@1795156124000", 17, UINT64_C(1795156124000)},
               {"0:17@5", 17, 5},
               {"1@18446744073709551615", 1, UINT64_MAX}};
    static const char *const bad[] = {
        "@5",    "17@",   "17@0",   "0@5",      "17@5@6", "17@x",
        "17@-5", "17@ 5", "1:17@5", "latest@5", "-10m@5", "00000000000000000000000000000000017@5"};
    fob_when_t when;
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_true(fob_when_parse_place(all[i].text, NOW, &when));
        assert_int_equal(when.kind, FOB_WHEN_OFFSET);
        assert_int_equal(when.offset, all[i].offset);
        assert_int_equal(when.epoch, all[i].epoch);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (fob_when_parse_place(bad[i], NOW, &when))
            fail_msg("\"%s\" is taken", bad[i]);
    assert_false(fob_when_parse("17@5", NOW, &when));
    assert_true(fob_when_parse_place("-0s", NOW, &when));
    assert_int_equal(when.kind, FOB_WHEN_TIME);
}

static void a_time_is_rfc_3339(void **state) {
    static const struct {
        const char *text;
        int64_t ms;
    } all[] = {{"1970-01-01T00:00:00Z", 0},
               {"2023-11-14T22:13:20Z", INT64_C(1700000000000)},
               {"2023-11-14T22:13:20.123Z", INT64_C(1700000000123)},
               {"2023-11-14t22:13:20.1z", INT64_C(1700000000100)},
               {"2023-11-14 22:13:20.123999Z", INT64_C(1700000000123)},
               {"2023-11-14T23:13:20+01:00", INT64_C(1700000000000)},
               {"2023-11-14T16:43:20-05:30", INT64_C(1700000000000)},
               {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
               {"2000-02-29T12:00:00Z", INT64_C(951825600000)},
               {"2024-03-01T00:00:00Z", INT64_C(1709251200000)},
               {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
               {"9999-12-31T23:59:59Z", INT64_C(253402300799000)}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fob_when_t when = parsed(all[i].text);
        int64_t ms = -1;
        assert_int_equal(when.kind, FOB_WHEN_TIME);
        assert_int_equal(when.time_ms, all[i].ms);
        assert_true(fob_when_time(all[i].text, NOW, &ms));
        assert_int_equal(ms, all[i].ms);
    }
}

static void a_span_goes_back_from_now(void **state) {
    (void)state;
    assert_int_equal(parsed("-10m").kind, FOB_WHEN_TIME);
    assert_int_equal(parsed("-10m").time_ms, NOW - 600000);
    assert_int_equal(parsed("-1ms").time_ms, NOW - 1);
    assert_int_equal(parsed("-30000d").time_ms, 0); /* before 1970: all there is */
}

static void no_time_back_is_now(void **state) {
    (void)state;
    fob_when_t when;
    assert_true(fob_when_parse("-0s", NOW, &when));
    assert_int_equal(when.kind, FOB_WHEN_TIME);
    assert_int_equal(when.time_ms, NOW);
}

static void anything_else_is_no_place(void **state) {
    static const char *const bad[] = {"",
                                      "0",
                                      "-1",
                                      "+5",
                                      "1:17",
                                      "0:",
                                      "0:0",
                                      "9223372036854775808",
                                      "Latest",
                                      "last",
                                      "now",
                                      "10m",
                                      "-",
                                      "-10",
                                      "--10m",
                                      "2023-11-14",
                                      "2023-11-14T22:13Z",
                                      "2023-11-14T22:13:20",
                                      "2023-11-14T22:13:20.Z",
                                      "2023-11-14T22:13:20Zx",
                                      "2023-11-14T22:13:20+0100",
                                      "2023-11-14T24:00:00Z",
                                      "2023-11-14T22:60:00Z",
                                      "2023-02-29T00:00:00Z",
                                      "1900-02-28T00:00:00Z",
                                      "2100-02-29T00:00:00Z",
                                      "2023-13-01T00:00:00Z",
                                      "2023-00-01T00:00:00Z",
                                      "2023-04-31T00:00:00Z",
                                      "1969-12-31T23:59:59Z",
                                      "1970-01-01T00:00:00+00:01",
                                      "23-11-14T22:13:20Z"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fob_when_t when = {.kind = FOB_WHEN_TIME, .time_ms = 5, .offset = 6};
        if (fob_when_parse(bad[i], NOW, &when))
            fail_msg("\"%s\" is taken", bad[i]);
        assert_true(when.kind == FOB_WHEN_TIME && when.time_ms == 5 && when.offset == 6);
    }
}

FOB_MAIN(FOB_CASE(names_and_offsets_are_places), FOB_CASE(an_offset_may_name_its_epoch),
         FOB_CASE(a_time_is_rfc_3339), FOB_CASE(a_span_goes_back_from_now),
         FOB_CASE(no_time_back_is_now), FOB_CASE(anything_else_is_no_place))
