#include "tests/support/case.h"

#include "bus/settings.h"

static fob_settings_t settings;
static char text[256];

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
    assert_int_equal(settings.core.max_groups, 1000);
    assert_int_equal(settings.heartbeat_ms, 1000);
    assert_int_equal(settings.core.resume_ms, 3000);
    assert_int_equal(settings.core.policy.max_attempts, 5);
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

static void more_groups_than_there_may_be_are_refused_before_a_start(void **state) {
    (void)state;
    const fob_bus_group_t groups[] = {{"a", ">"}, {"b", ">"}, {"c", ">"}};
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.groups = groups;
    options.group_count = 3;
    options.max_groups = 3;
    assert_int_equal(fob_settings_fill(&settings, &options, text, sizeof text), FOB_OK);
    options.max_groups = 2;
    assert_int_equal(fob_settings_fill(&settings, &options, text, sizeof text), FOB_INVALID);
    assert_non_null(strstr(text, "max_groups"));
}

FOB_MAIN(FOB_CASE(nothing_said_gives_the_documented_defaults),
         FOB_CASE(a_folder_makes_a_journal_of_files), FOB_CASE(a_bad_option_is_named),
         FOB_CASE(more_groups_than_there_may_be_are_refused_before_a_start))
