#include "tests/support/case.h"

#include "proto/cli/bench/histogram.h"

#include <stdlib.h>

static int set_up(void **state) {
    return (*state = calloc(1, sizeof(fob_histogram_t))) ? 0 : -1;
}

static int tear_down(void **state) {
    free(*state);
    return 0;
}

static void without_values_every_share_is_zero(void **state) {
    fob_histogram_t *self = *state;
    assert_int_equal(fob_histogram_at(self, 0), 0);
    assert_int_equal(fob_histogram_at(self, 0.5), 0);
    assert_int_equal(fob_histogram_at(self, 1), 0);
}

static void small_values_are_exact(void **state) {
    fob_histogram_t *self = *state;
    for (int64_t i = 1; i <= 100; i++)
        fob_histogram_add(self, i);
    assert_int_equal(fob_histogram_at(self, 0), 1);
    assert_int_equal(fob_histogram_at(self, 0.5), 50);
    assert_int_equal(fob_histogram_at(self, 0.9), 90);
    assert_int_equal(fob_histogram_at(self, 0.99), 99);
    assert_int_equal(fob_histogram_at(self, 0.999), 100);
    assert_int_equal(fob_histogram_at(self, 1), 100);
    assert_int_equal(self->count, 100);
    assert_int_equal(self->sum, 5050);
    assert_int_equal(self->max, 100);
}

/* Each value among others, so that `max` does not hide where it was counted. */
static void a_value_is_known_to_one_part_in_128_and_never_below_itself(void **state) {
    fob_histogram_t *self = *state;
    for (uint64_t value = 1; value < UINT64_C(1) << 43; value += value / 100 + 1) {
        *self = (fob_histogram_t){0};
        fob_histogram_add(self, (int64_t)value);
        fob_histogram_add(self, INT64_MAX);
        uint64_t at = fob_histogram_at(self, 0.5);
        if (at < value || at > value + value / 128)
            fail_msg("%llu is told as %llu", (unsigned long long)value, (unsigned long long)at);
    }
}

static void steps_follow_each_other_without_a_hole(void **state) {
    fob_histogram_t *self = *state;
    uint64_t before = 0;
    for (uint64_t value = 0; value < 100000; value++) {
        *self = (fob_histogram_t){0};
        fob_histogram_add(self, (int64_t)value);
        fob_histogram_add(self, INT64_MAX);
        uint64_t at = fob_histogram_at(self, 0.5);
        assert_true(at >= before);
        assert_true(at == before || value == before + 1 || value == 0);
        before = at;
    }
}

static void the_largest_is_told_as_it_is(void **state) {
    fob_histogram_t *self = *state;
    fob_histogram_add(self, 5);
    fob_histogram_add(self, 1000003);
    assert_int_equal(fob_histogram_at(self, 1), 1000003);
    fob_histogram_add(self, INT64_MAX);
    assert_int_equal(fob_histogram_at(self, 1), INT64_MAX);
    assert_int_equal(self->max, INT64_MAX);
}

static void what_is_below_zero_counts_as_zero(void **state) {
    fob_histogram_t *self = *state;
    fob_histogram_add(self, -7);
    fob_histogram_add(self, INT64_MIN);
    assert_int_equal(self->count, 2);
    assert_int_equal(self->sum, 0);
    assert_int_equal(fob_histogram_at(self, 1), 0);
}

static void two_that_are_joined_are_as_one_that_had_all(void **state) {
    fob_histogram_t *self = *state, *other = calloc(1, sizeof *other);
    fob_histogram_t *whole = calloc(1, sizeof *whole);
    assert_true(other && whole);
    for (int64_t i = 0; i < 1000; i++) {
        fob_histogram_add(i % 3 ? self : other, i * i * 17);
        fob_histogram_add(whole, i * i * 17);
    }
    fob_histogram_join(self, other);
    assert_memory_equal(self, whole, sizeof *whole);
    free(other);
    free(whole);
}

FOB_MAIN(FOB_CASE_WITH(without_values_every_share_is_zero, set_up, tear_down),
         FOB_CASE_WITH(small_values_are_exact, set_up, tear_down),
         FOB_CASE_WITH(a_value_is_known_to_one_part_in_128_and_never_below_itself, set_up,
                       tear_down),
         FOB_CASE_WITH(steps_follow_each_other_without_a_hole, set_up, tear_down),
         FOB_CASE_WITH(the_largest_is_told_as_it_is, set_up, tear_down),
         FOB_CASE_WITH(what_is_below_zero_counts_as_zero, set_up, tear_down),
         FOB_CASE_WITH(two_that_are_joined_are_as_one_that_had_all, set_up, tear_down))
