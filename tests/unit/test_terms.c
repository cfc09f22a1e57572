/* terms: a group's settings in words. */
#include "bus/settings/terms.h"
#include "tests/support/case.h"

#include <string.h>

static char problem[512];

static void good(const char *pair, unsigned number, uint64_t value) {
    fob_terms_t terms = {0};
    if (!fob_terms_read_pair(&terms, pair, problem, sizeof problem))
        fail_msg("%s: %s", pair, problem);
    assert_int_equal(terms.patch.mask, 1u << number);
    if (fob_policy_get(&terms.patch.to, number) != value)
        fail_msg("%s is %llu", pair, (unsigned long long)fob_policy_get(&terms.patch.to, number));
}

static void bad(const char *pair, const char *part) {
    fob_terms_t terms = {0};
    problem[0] = 0;
    if (fob_terms_read_pair(&terms, pair, problem, sizeof problem))
        fail_msg("%s is taken", pair);
    assert_int_equal(terms.patch.mask, 0);
    if (!strstr(problem, part))
        fail_msg("%s: \"%s\" does not say \"%s\"", pair, problem, part);
}

static void each_setting_is_read_in_its_own_words(void **state) {
    (void)state;
    good("max_depth=10000", FOB_POLICY_max_depth, 10000);
    good("max_bytes=64MiB", FOB_POLICY_max_bytes, 64 << 20);
    good("overflow=drop-oldest", FOB_POLICY_overflow, FOB_OVERFLOW_DROP_OLDEST);
    good("overflow=dead-letter", FOB_POLICY_overflow, FOB_OVERFLOW_DEAD_LETTER);
    good("lease=30s", FOB_POLICY_lease, 30000);
    good("lease=none", FOB_POLICY_lease, 0);
    good("backoff_first=0s", FOB_POLICY_backoff_first, 0);
    good("backoff_first=0ms", FOB_POLICY_backoff_first, 0);
    good("max_attempts=1", FOB_POLICY_max_attempts, 1);
    good("max_age=7d", FOB_POLICY_max_age, INT64_C(604800000));
    good("backoff_first=250ms", FOB_POLICY_backoff_first, 250);
    good("backoff_first=0", FOB_POLICY_backoff_first, 0);
    good("backoff_factor=3", FOB_POLICY_backoff_factor, 3);
    good("backoff_max=5m", FOB_POLICY_backoff_max, 300000);
    good("dead_max=4294967295", FOB_POLICY_dead_max, UINT32_MAX);
    good("dead_max_age=30d", FOB_POLICY_dead_max_age, INT64_C(2592000000));
    good("paused=yes", FOB_POLICY_paused, 1);
    good("paused=no", FOB_POLICY_paused, 0);
}

static void a_name_that_is_none_is_answered_with_those_there_are(void **state) {
    (void)state;
    bad("max_dept=1", "max_depth, max_bytes, overflow, lease, max_attempts, max_age");
    bad("max_dept=1", "\"max_dept\"");
    bad("a_name_much_longer_than_any_setting_has_ever_been=1", "there is no setting");
    bad("max_depth", "not NAME=VALUE");
    bad("=5", "not NAME=VALUE");
}

static void a_value_that_is_none_is_answered_with_what_it_must_be(void **state) {
    (void)state;
    bad("max_depth=many", "max_depth must be a number");
    bad("max_depth=0", "max_depth must be 1 or more");
    bad("max_depth=99999999999999999999", "max_depth must be");
    bad("max_bytes=5%%", "max_bytes must be an amount");
    bad("max_bytes=101%", "max_bytes must be an amount");
    bad("max_bytes=0%", "max_bytes must be an amount");
    bad("overflow=drop", "reject, drop-oldest, drop-lowest-priority or dead-letter");
    bad("lease=30", "a duration, as 30s");
    bad("lease=400d", "lease must be from none to 365d");
    bad("dead_max_age=none", "dead_max_age must be from 1ms");
    bad("dead_max=4294967296", "dead_max must be from 1 to 4294967295");
    bad("max_attempts=1000001", "from 1 to 1000000");
    bad("paused=maybe", "yes or no");
    bad("paused=", "yes or no");
}

static void a_share_becomes_bytes_once_the_disk_is_known(void **state) {
    (void)state;
    fob_terms_t terms = {0};
    assert_true(fob_terms_read(&terms, "max_bytes", "25%", problem, sizeof problem));
    assert_int_equal(terms.share, 25);
    fob_terms_settle(&terms, 4000);
    assert_int_equal(terms.patch.to.max_bytes, 1000);
    assert_int_equal(terms.patch.mask, 1u << FOB_POLICY_max_bytes);
    fob_terms_settle(&terms, 8000); /* it is bytes now */
    assert_int_equal(terms.patch.to.max_bytes, 1000);
}

static void of_a_share_and_an_amount_the_last_one_counts(void **state) {
    (void)state;
    fob_terms_t terms = {0};
    assert_true(fob_terms_read(&terms, "max_bytes", "25%", problem, sizeof problem));
    assert_true(fob_terms_read(&terms, "max_bytes", "1KiB", problem, sizeof problem));
    fob_terms_settle(&terms, 4000);
    assert_int_equal(terms.patch.to.max_bytes, 1024);
}

static void a_value_said_back_is_read_as_the_same(void **state) {
    (void)state;
    for (unsigned number = 1; number < FOB_POLICY_END; number++) {
        uint64_t bounds[2];
        fob_policy_bounds(number, &bounds[0], &bounds[1]);
        for (int i = 0; i < 2; i++) {
            char text[32];
            fob_terms_t terms = {0};
            fob_terms_text(number, bounds[i], text, sizeof text);
            if (!fob_terms_read(&terms, fob_policy_name(number), text, problem, sizeof problem))
                fail_msg("%s=%s: %s", fob_policy_name(number), text, problem);
            assert_true(fob_policy_get(&terms.patch.to, number) == bounds[i]);
        }
    }
}

static void durations_and_amounts_are_said_as_people_do(void **state) {
    (void)state;
    char text[32];
    fob_terms_text(FOB_POLICY_lease, 30000, text, sizeof text);
    assert_string_equal(text, "30s");
    fob_terms_text(FOB_POLICY_lease, 0, text, sizeof text);
    assert_string_equal(text, "none");
    fob_terms_text(FOB_POLICY_max_bytes, 1 << 30, text, sizeof text);
    assert_string_equal(text, "1GiB");
    fob_terms_text(FOB_POLICY_overflow, FOB_OVERFLOW_DROP_LOWEST, text, sizeof text);
    assert_string_equal(text, "drop-lowest-priority");
    fob_terms_text(FOB_POLICY_paused, 1, text, sizeof text);
    assert_string_equal(text, "yes");
}

FOB_MAIN(FOB_CASE(each_setting_is_read_in_its_own_words),
         FOB_CASE(a_name_that_is_none_is_answered_with_those_there_are),
         FOB_CASE(a_value_that_is_none_is_answered_with_what_it_must_be),
         FOB_CASE(a_share_becomes_bytes_once_the_disk_is_known),
         FOB_CASE(of_a_share_and_an_amount_the_last_one_counts),
         FOB_CASE(a_value_said_back_is_read_as_the_same),
         FOB_CASE(durations_and_amounts_are_said_as_people_do))
