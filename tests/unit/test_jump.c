#include "tests/support/case.h"

#include "bus/report/jump.h"

static char line[256];

static fob_now_t at(int64_t seconds, int64_t wall_off_ms) {
    return (fob_now_t){seconds * FOB_SEC, 1700000000000 + seconds * 1000 + wall_off_ms};
}

static void a_steady_clock_is_not_told(void **state) {
    (void)state;
    fob_jump_t jump = {0};
    for (int64_t s = 0; s < 100000; s += 50)
        assert_false(fob_jump_look(&jump, at(s, 0), line, sizeof line));
}

static void a_jump_of_over_a_minute_is_told_once_with_its_way(void **state) {
    (void)state;
    fob_jump_t jump = {0};
    assert_false(fob_jump_look(&jump, at(1, 0), line, sizeof line));
    assert_true(fob_jump_look(&jump, at(2, 3600000), line, sizeof line));
    assert_non_null(strstr(line, "forward by 3600 s"));
    assert_false(fob_jump_look(&jump, at(3, 3600000), line, sizeof line));
    assert_true(fob_jump_look(&jump, at(4, 0), line, sizeof line));
    assert_non_null(strstr(line, "back by 3600 s"));
    assert_false(fob_jump_look(&jump, at(5, 60000), line, sizeof line));
}

static void a_clock_that_creeps_is_told_once_it_is_a_minute_off(void **state) {
    (void)state;
    fob_jump_t jump = {0};
    int told = 0;
    for (int64_t s = 0; s <= 130; s++)
        told += fob_jump_look(&jump, at(s, s * 1000), line, sizeof line);
    assert_int_equal(told, 2);
}

FOB_MAIN(FOB_CASE(a_steady_clock_is_not_told),
         FOB_CASE(a_jump_of_over_a_minute_is_told_once_with_its_way),
         FOB_CASE(a_clock_that_creeps_is_told_once_it_is_a_minute_off))
