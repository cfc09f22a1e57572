#include "tests/support/case.h"

#include "bus/report/pace.h"

static void a_line_comes_once_a_second_and_says_how_many_were_left_out(void **state) {
    (void)state;
    fob_pace_t pace = {0};
    char line[64] = "";
    assert_true(fob_pace(&pace, 5 * FOB_SEC, "it rains", line, sizeof line));
    assert_string_equal(line, "it rains");
    for (int i = 0; i < 41; i++)
        assert_false(fob_pace(&pace, 5 * FOB_SEC + i, "it rains", line, sizeof line));
    assert_true(fob_pace(&pace, 6 * FOB_SEC, "it rains", line, sizeof line));
    assert_string_equal(line, "it rains (and 41 times before)");
    assert_true(fob_pace(&pace, 7 * FOB_SEC, "it rains", line, sizeof line));
    assert_string_equal(line, "it rains");
}

FOB_MAIN(FOB_CASE(a_line_comes_once_a_second_and_says_how_many_were_left_out))
