#include "tests/support/case.h"

#include "bus/commands/figure.h"

static void counts_are_told_in_thousands(void **state) {
    static const struct {
        uint64_t count;
        const char *text;
    } all[] = {{0, "0"},
               {7, "7"},
               {999, "999"},
               {1000, "1,000"},
               {123456, "123,456"},
               {1000000, "1,000,000"},
               {UINT64_MAX, "18,446,744,073,709,551,615"}};
    char text[32];
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fob_figure_count(all[i].count, text, sizeof text);
        assert_string_equal(text, all[i].text);
    }
}

static void short_counts_have_three_digits(void **state) {
    static const struct {
        uint64_t count;
        const char *text;
    } all[] = {{0, "0"},          {7, "7"},           {999, "999"},         {1000, "1.00k"},
               {9996, "10.0k"},   {31240, "31.2k"},   {142345, "142k"},     {999499, "999k"},
               {999500, "1.00M"}, {1234567, "1.23M"}, {5000000000, "5.00G"}};
    char text[32];
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fob_figure_short(all[i].count, text, sizeof text);
        assert_string_equal(text, all[i].text);
    }
}

static void spans_have_three_digits_and_a_unit(void **state) {
    static const struct {
        double us;
        const char *text;
    } all[] = {{0, "0.0 us"},      {0.82, "0.8 us"},   {9.96, "10.0 us"},  {57.3, "57 us"},
               {312.4, "312 us"},  {999.4, "999 us"},  {999.6, "1.00 ms"}, {3124, "3.12 ms"},
               {31240, "31.2 ms"}, {312400, "312 ms"}, {1.5e6, "1.50 s"},  {95e6, "95.0 s"},
               {9500e6, "9500 s"}};
    char text[32];
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fob_figure_span(all[i].us, text, sizeof text);
        assert_string_equal(text, all[i].text);
    }
}

FOB_MAIN(FOB_CASE(counts_are_told_in_thousands), FOB_CASE(short_counts_have_three_digits),
         FOB_CASE(spans_have_three_digits_and_a_unit))
