#include "tests/support/case.h"

#include "bus/settings/settings.h"

static fob_settings_t settings;
static char text[512];

static fob_status_t fill(const fob_bus_options_t *options) {
    text[0] = 0;
    return fob_settings_fill(&settings, options, text, sizeof text);
}

static void nothing_said_gives_the_documented_defaults(void **state) {
    (void)state;
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    assert_int_equal(fill(&options), FOB_OK);
    assert_string_equal(settings.bind, "127.0.0.1");
    assert_int_equal(settings.port, 7670);
    assert_true(settings.memory);
    assert_int_equal(settings.core.max_event, 1000000);
    assert_int_equal(settings.max_connections, 10000);
    assert_int_equal(settings.core.max_sessions, 30000);
    assert_int_equal(settings.core.session_grace_ms, FOB_SESSION_GRACE_MS);
    assert_int_equal(settings.core.max_groups, 1000);
    assert_int_equal(settings.heartbeat_ms, 1000);
    assert_int_equal(settings.core.resume_ms, 3000);
    fob_settings_disk(&settings, 1000);
    const fob_policy_t *policy = &settings.core.policy;
    assert_int_equal(policy->max_depth, 10000000);
    assert_int_equal(policy->max_bytes, 500); /* half of it */
    assert_int_equal(policy->overflow, FOB_OVERFLOW_REJECT);
    assert_int_equal(policy->lease, 0);
    assert_int_equal(policy->max_attempts, 5);
    assert_int_equal(policy->max_age, 0);
    assert_int_equal(policy->backoff_first, 1000);
    assert_int_equal(policy->backoff_factor, 2);
    assert_int_equal(policy->backoff_max, 300000);
    assert_int_equal(policy->dead_max, 1000000);
    assert_true(policy->dead_max_age == INT64_C(2592000000));
    assert_int_equal(policy->paused, 0);
    assert_int_equal(settings.core.dedup_max, 1000000);
    assert_int_equal(settings.core.dedup_window_ms, 3600000);
    assert_int_equal(settings.core.session_keep_ms, 3600000);
    assert_true(settings.retain_ms == 86400000);
    assert_true(settings.max_batch > settings.core.max_event);
    assert_true(settings.max_message > settings.max_batch);
}

static void a_folder_makes_a_journal_of_files(void **state) {
    (void)state;
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.data = "/tmp/x";
    options.sync = "interval=250ms";
    assert_int_equal(fill(&options), FOB_OK);
    assert_false(settings.memory);
    assert_string_equal(settings.file.folder, "/tmp/x");
    assert_int_equal(settings.file.sync, FOB_SYNC_INTERVAL);
    assert_int_equal(settings.file.interval_ms, 250);
    assert_int_equal(settings.file.max_bytes, 0);
    assert_true(settings.file.retain_bytes == 4ull << 30);
    options.sync = "os";
    assert_int_equal(fill(&options), FOB_OK);
    assert_int_equal(settings.file.sync, FOB_SYNC_OS);
}

static void a_bad_option_is_named(void **state) {
    (void)state;
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.sync = "interval=soon";
    assert_int_equal(fill(&options), FOB_INVALID);
    assert_non_null(strstr(text, "sync"));
    options.sync = NULL;
    options.port = 65535;
    assert_int_equal(fill(&options), FOB_INVALID);
    assert_non_null(strstr(text, "port"));
    options.port = 0;
    options.heartbeat_ms = -1;
    assert_int_equal(fill(&options), FOB_INVALID);
    assert_non_null(strstr(text, "heartbeat"));
    options.heartbeat_ms = 0;
    options.version = 9;
    assert_int_equal(fill(&options), FOB_INVALID);
    assert_non_null(strstr(text, "version"));
}

static void it_binds_to_an_address_and_not_to_an_endpoint(void **state) {
    (void)state;
    static const char *const good[] = {"::1", "0.0.0.0", "*", "eth0"};
    static const char *const bad[] = {"tcp://127.0.0.1:7670", "127.0.0.1:7670", "[::1]", ""};
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        options.bind = good[i];
        assert_int_equal(fill(&options), FOB_OK);
        assert_string_equal(settings.bind, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.bind = bad[i];
        assert_int_equal(fill(&options), FOB_INVALID);
        assert_non_null(strstr(text, "bind must be an address alone"));
    }
    options.bind = "localhost"; /* libzmq knows no such address */
    assert_int_equal(fill(&options), FOB_OK);
    assert_string_equal(settings.bind, "127.0.0.1");
}

static void more_groups_than_there_may_be_are_refused_before_a_start(void **state) {
    (void)state;
    const fob_bus_group_t groups[] = {{.name = "a", .pattern = ">"},
                                      {.name = "b", .pattern = ">"},
                                      {.name = "c", .pattern = ">"}};
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.groups = groups;
    options.group_count = 3;
    options.max_groups = 3;
    assert_int_equal(fob_settings_fill(&settings, &options, text, sizeof text), FOB_OK);
    options.max_groups = 2;
    assert_int_equal(fob_settings_fill(&settings, &options, text, sizeof text), FOB_INVALID);
    assert_non_null(strstr(text, "max_groups"));
}

static void settings_of_new_groups_may_be_given(void **state) {
    (void)state;
    const char *const defaults[] = {"max_depth=5", "max_bytes=10%", "lease=30s", NULL};
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.group_defaults = defaults;
    assert_int_equal(fill(&options), FOB_OK);
    fob_settings_disk(&settings, 1000);
    assert_int_equal(settings.core.policy.max_depth, 5);
    assert_int_equal(settings.core.policy.max_bytes, 100);
    assert_int_equal(settings.core.policy.lease, 30000);
    assert_int_equal(settings.core.policy.max_attempts, 5);
    const char *const wrong[] = {"max_depth=none", NULL};
    options.group_defaults = wrong;
    assert_int_equal(fill(&options), FOB_INVALID);
    assert_non_null(strstr(text, "max_depth must be a number"));
}

static void a_wrong_setting_of_a_group_is_refused_before_a_start(void **state) {
    (void)state;
    const char *const wrong[] = {"overflow=reject", "max_dept=5", NULL};
    const fob_bus_group_t group = {.name = "mailers", .pattern = ">", .settings = wrong};
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.groups = &group;
    options.group_count = 1;
    assert_int_equal(fill(&options), FOB_INVALID);
    assert_non_null(strstr(text, "group mailers: there is no setting \"max_dept\""));
}

static void a_short_dedup_window_forgets_no_publisher_within_a_minute(void **state) {
    (void)state;
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.dedup_window_ms = 1000;
    options.dedup_max = 7;
    assert_int_equal(fill(&options), FOB_OK);
    assert_int_equal(settings.core.dedup_window_ms, 1000);
    assert_int_equal(settings.core.dedup_max, 7);
    assert_int_equal(settings.core.session_keep_ms, 60000);
    options.dedup_window_ms = -1;
    assert_int_equal(fill(&options), FOB_INVALID);
    assert_non_null(strstr(text, "dedup_window"));
}

FOB_MAIN(FOB_CASE(nothing_said_gives_the_documented_defaults),
         FOB_CASE(a_folder_makes_a_journal_of_files), FOB_CASE(a_bad_option_is_named),
         FOB_CASE(it_binds_to_an_address_and_not_to_an_endpoint),
         FOB_CASE(more_groups_than_there_may_be_are_refused_before_a_start),
         FOB_CASE(settings_of_new_groups_may_be_given),
         FOB_CASE(a_wrong_setting_of_a_group_is_refused_before_a_start),
         FOB_CASE(a_short_dedup_window_forgets_no_publisher_within_a_minute))
