/* policy: the settings of a group, by name, within bounds. */
#include "bus/core/group/policy.h"
#include "tests/support/case.h"

static const char *explained(unsigned number, uint64_t value) {
    static char text[160];
    assert_in_range(fob_policy_explain(number, value, text, sizeof text), 1, sizeof text - 1);
    return text;
}

static void every_setting_is_found_by_its_name(void **state) {
    (void)state;
    for (unsigned i = 1; i < FOB_POLICY_END; i++)
        assert_int_equal(fob_policy_find(fob_slice_str(fob_policy_name(i))), i);
    assert_int_equal(fob_policy_find(fob_slice_str("depth")), 0);
    assert_null(fob_policy_name(0));
    assert_null(fob_policy_name(FOB_POLICY_END));
}

static void a_setting_takes_its_bounds_and_nothing_beyond(void **state) {
    (void)state;
    for (unsigned i = 1; i < FOB_POLICY_END; i++) {
        fob_policy_t policy = {0};
        uint64_t least, most;
        fob_policy_bounds(i, &least, &most);
        assert_true(fob_policy_set(&policy, i, most));
        assert_false(fob_policy_set(&policy, i, most + 1));
        assert_false(least > 0 && fob_policy_set(&policy, i, least - 1));
        assert_int_equal(fob_policy_get(&policy, i), most);
        assert_true(fob_policy_set(&policy, i, least));
        assert_int_equal(fob_policy_get(&policy, i), least);
    }
}

static void a_patch_changes_only_what_it_names(void **state) {
    (void)state;
    fob_policy_t policy = {.max_depth = 7, .max_attempts = 5, .lease = 30};
    fob_policy_patch_t patch = {1u << FOB_POLICY_max_depth | 1u << FOB_POLICY_lease,
                                {.max_depth = 9, .max_attempts = 1}};
    assert_int_equal(fob_policy_wrong(&patch), 0);
    fob_policy_apply(&policy, &patch);
    assert_int_equal(policy.max_depth, 9);
    assert_int_equal(policy.max_attempts, 5);
    assert_int_equal(policy.lease, 0);
}

static void a_patch_that_cannot_be_is_told_by_its_setting(void **state) {
    (void)state;
    fob_policy_patch_t patch = {1u << FOB_POLICY_max_depth | 1u << FOB_POLICY_dead_max,
                                {.max_depth = 1, .dead_max = 0}};
    assert_int_equal(fob_policy_wrong(&patch), FOB_POLICY_dead_max);
    patch.to.dead_max = 1;
    assert_int_equal(fob_policy_wrong(&patch), 0);
    patch.mask |= 1u << FOB_POLICY_END;
    assert_int_equal(fob_policy_wrong(&patch), FOB_POLICY_END);
    patch.mask = 1;
    assert_int_equal(fob_policy_wrong(&patch), FOB_POLICY_END);
}

static void a_policy_is_brought_into_its_bounds(void **state) {
    (void)state;
    fob_policy_t policy = {.max_depth = 0, .overflow = 9, .max_attempts = 3};
    fob_policy_clamp(&policy);
    assert_int_equal(policy.max_depth, 1);
    assert_int_equal(policy.overflow, FOB_OVERFLOW_DEAD_LETTER);
    assert_int_equal(policy.max_attempts, 3);
}

static void a_refused_setting_is_explained_with_its_bounds_in_its_unit(void **state) {
    (void)state;
    assert_string_equal(explained(FOB_POLICY_max_attempts, 0),
                        "max_attempts is 1 to 1000000, not 0");
    assert_string_equal(explained(FOB_POLICY_lease, UINT64_C(31622400000)),
                        "lease is 0 to 365d, not 366d");
    assert_string_equal(explained(FOB_POLICY_dead_max_age, 0),
                        "dead_max_age is 1ms to 36525d, not 0");
    assert_string_equal(explained(FOB_POLICY_backoff_max, UINT64_C(31536000001)),
                        "backoff_max is 0 to 365d, not 31536000001ms");
    assert_string_equal(explained(FOB_POLICY_overflow, 4),
                        "overflow is one of reject, drop-oldest, drop-lowest-priority, "
                        "dead-letter");
    assert_string_equal(explained(FOB_POLICY_END, 4), "there is no such setting in this version");
}

static void every_overflow_policy_is_found_by_its_name(void **state) {
    (void)state;
    for (uint64_t i = 0; i <= FOB_OVERFLOW_DEAD_LETTER; i++) {
        uint64_t found = 99;
        assert_true(fob_overflow_find(fob_slice_str(fob_overflow_name(i)), &found));
        assert_int_equal(found, i);
    }
    uint64_t none;
    assert_false(fob_overflow_find(fob_slice_str("drop"), &none));
    assert_null(fob_overflow_name(FOB_OVERFLOW_DEAD_LETTER + 1));
}

FOB_MAIN(FOB_CASE(every_setting_is_found_by_its_name),
         FOB_CASE(a_setting_takes_its_bounds_and_nothing_beyond),
         FOB_CASE(a_patch_changes_only_what_it_names),
         FOB_CASE(a_patch_that_cannot_be_is_told_by_its_setting),
         FOB_CASE(a_policy_is_brought_into_its_bounds),
         FOB_CASE(a_refused_setting_is_explained_with_its_bounds_in_its_unit),
         FOB_CASE(every_overflow_policy_is_found_by_its_name))
