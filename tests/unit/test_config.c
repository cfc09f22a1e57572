#include "tests/support/case.h"

#include "bus/commands/config.h"

#include <stdlib.h>
#include <unistd.h>

static char path[64];
static char text[512];
static fob_bus_options_t options;

/* Loads a file of these bytes. */
static fob_config_t *load_bytes(const char *content, size_t size) {
    strcpy(path, "/tmp/fob-config-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, size), size);
    close(fd);
    options = (fob_bus_options_t)FOB_BUS_OPTIONS;
    text[0] = 0;
    fob_config_t *config = fob_config_load(path, &options, text, sizeof text);
    unlink(path);
    return config;
}

static fob_config_t *load(const char *content) {
    return load_bytes(content, strlen(content));
}

/* The same, which must be taken. */
static fob_config_t *taken(const char *content) {
    fob_config_t *config = load(content);
    if (!config)
        fail_msg("%s", text);
    return config;
}

/* The file is refused, naming that line, and with these words. */
static void refused(const char *content, unsigned line, const char *words) {
    char where[128];
    assert_null(load(content));
    snprintf(where, sizeof where, "%s:%u: ", path, line);
    if (strncmp(text, where, strlen(where)) != 0 || !strstr(text, words))
        fail_msg("\"%s\" begins not with \"%s\", or lacks \"%s\"", text, where, words);
}

static void every_setting_is_taken(void **state) {
    (void)state;
    fob_config_t *config = taken("# the bus of the shop\n"
                                 "bind = 10.0.0.1   # the inner side\n"
                                 "port = 7000\n"
                                 "advertise = bus.shop\n"
                                 "data = \"/var/lib/fob\"\n"
                                 "sync = interval=50ms\n"
                                 "\n"
                                 "max_event = 4MiB\n"
                                 "max_disk = 20GiB\n"
                                 "max_connections = 500\n"
                                 "max_groups = 20\n"
                                 "heartbeat = 250ms\n"
                                 "retain = 7d\n"
                                 "retain_bytes = 1GiB\n");
    assert_string_equal(options.bind, "10.0.0.1");
    assert_int_equal(options.port, 7000);
    assert_string_equal(options.advertise, "bus.shop");
    assert_string_equal(options.data, "/var/lib/fob");
    assert_string_equal(options.sync, "interval=50ms");
    assert_int_equal(options.max_event, 4 << 20);
    assert_true(options.max_disk == 20ull << 30);
    assert_int_equal(options.max_connections, 500);
    assert_int_equal(options.max_groups, 20);
    assert_int_equal(options.heartbeat_ms, 250);
    assert_true(options.retain_ms == 7 * 86400 * 1000ll);
    assert_true(options.retain_bytes == 1ull << 30);
    assert_int_equal(fob_config_disk_share(config), 0);
    fob_config_destroy(&config);
    assert_null(config);
}

static void what_is_not_named_keeps_its_default(void **state) {
    (void)state;
    fob_config_t *config = taken("# nothing\n\n");
    assert_null(options.bind);
    assert_int_equal(options.port, 0);
    fob_config_destroy(&config);
}

static void a_share_of_the_disk_is_told_apart(void **state) {
    (void)state;
    fob_config_t *config = taken("max_disk = 75%\n");
    assert_int_equal(fob_config_disk_share(config), 75);
    assert_int_equal(options.max_disk, 0);
    fob_config_destroy(&config);
}

static void an_unknown_setting_is_named_with_its_line(void **state) {
    (void)state;
    refused("bind = 127.0.0.1\n\n# more\nprot = 7670\n", 4, "\"prot\"");
    refused("prot = 7670\n", 1, "DEFAULTS in fob(1)");
}

static void a_bad_value_says_what_would_be_a_good_one(void **state) {
    (void)state;
    refused("port = 70000\n", 1, "1 to 65533");
    refused("port = many\n", 1, "\"many\"");
    refused("bind = ::1\nheartbeat = 5\n", 2, "250ms");
    refused("max_event = 4MB\n", 1, "4MiB");
    refused("max_event = 99999999999999999999\n", 1, "4MiB");
    refused("max_disk = 101%\n", 1, "80%");
    refused("max_disk = 0\n", 1, "80%");
    refused("sync = sometimes\n", 1, "always");
    refused("sync = interval=sometimes\n", 1, "interval=D");
    refused("max_groups = 0\n", 1, "max_groups");
}

static void what_the_bus_would_refuse_is_named_with_its_line(void **state) {
    (void)state;
    refused("port = 7670\nsync = interval=2000000d\n", 2, "interval=D");
    refused("sync = interval=0s\n", 1, "interval=D");
    refused("port = 7670\nheartbeat = 2h\n", 2, "60s");
    refused("max_event = 1GiB\n", 1, "512 MiB");
    fob_config_t *config = taken("sync = interval=1h\n");
    fob_config_destroy(&config);
}

static void groups_are_declared_by_name_and_pattern(void **state) {
    (void)state;
    fob_config_t *config = taken("port = 7000\n"
                                 "groups\n"
                                 "    emails   # to customers\n"
                                 "        pattern = order.*\n"
                                 "\n"
                                 "# another\n"
                                 "    shop.bills-2\n"
                                 "        pattern = \"shop.>\"\n"
                                 "retain = 1h\n");
    assert_int_equal(options.group_count, 2);
    assert_string_equal(options.groups[0].name, "emails");
    assert_string_equal(options.groups[0].pattern, "order.*");
    assert_string_equal(options.groups[1].name, "shop.bills-2");
    assert_string_equal(options.groups[1].pattern, "shop.>");
    assert_int_equal(options.port, 7000);
    assert_int_equal(options.retain_ms, 3600000);
    fob_config_destroy(&config);
}

static void check_pairs(const char *const *pairs, const char *const *wanted) {
    for (; *wanted; pairs++, wanted++) {
        assert_non_null(*pairs);
        assert_string_equal(*pairs, *wanted);
    }
    assert_null(*pairs);
}

static void a_group_has_settings_of_its_own(void **state) {
    (void)state;
    fob_config_t *config = taken("groups\n"
                                 "    emails\n"
                                 "        max_depth = 10000\n"
                                 "        pattern = order.*\n"
                                 "        overflow = drop-oldest   # newer ones matter more\n"
                                 "        lease = 30s\n"
                                 "    bills\n"
                                 "        pattern = order.paid\n"
                                 "        max_bytes = 10%\n");
    static const char *const emails[] = {"max_depth=10000", "overflow=drop-oldest", "lease=30s",
                                         NULL};
    static const char *const bills[] = {"max_bytes=10%", NULL};
    assert_int_equal(options.group_count, 2);
    assert_string_equal(options.groups[0].pattern, "order.*");
    check_pairs(options.groups[0].settings, emails);
    check_pairs(options.groups[1].settings, bills);
    assert_null(options.group_defaults[0]);
    fob_config_destroy(&config);
}

static void settings_at_the_top_are_those_of_new_groups(void **state) {
    (void)state;
    fob_config_t *config = taken("max_depth = 500\n"
                                 "groups\n"
                                 "    emails\n"
                                 "        pattern = a\n"
                                 "dead_max_age = 7d\n"
                                 "dedup_window = 10m\n"
                                 "dedup_max = 2000000\n");
    static const char *const defaults[] = {"max_depth=500", "dead_max_age=7d", NULL};
    check_pairs(options.group_defaults, defaults);
    assert_null(options.groups[0].settings[0]);
    assert_int_equal(options.dedup_window_ms, 600000);
    assert_int_equal(options.dedup_max, 2000000);
    fob_config_destroy(&config);
}

static void a_bad_setting_of_a_group_is_named_with_its_line(void **state) {
    (void)state;
    static const char head[] = "groups\n    emails\n        pattern = a\n        ";
    static const struct {
        const char *line, *words;
    } bad[] = {{"max_dept = 5\n", "there is no setting \"max_dept\" of a group: there are pattern, "
                                  "max_depth, max_bytes"},
               {"port = 5\n", "there is no setting \"port\" of a group"},
               {"max_depth = 0\n", "max_depth must be 1 or more"},
               {"lease = 30\n", "lease must be a duration"},
               {"overflow = drop\n", "overflow must be reject, drop-oldest"},
               {"paused\n", "KEY = VALUE"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char content[256];
        snprintf(content, sizeof content, "%s%s", head, bad[i].line);
        refused(content, 4, bad[i].words);
    }
    refused("groups\n    a\n        pattern = a\n        lease = 5s\n        lease = 6s\n", 5,
            "lease is given twice");
    refused("port = 7000\nlease = 5 s\n", 2, "lease must be a duration");
    refused("lease = 5s\nlease = 6s\n", 2, "lease is given twice");
    refused("dedup_max = 100000001\n", 1, "dedup_max must be a number from 1 to 100000000");
    refused("dedup_window = 0s\n", 1, "dedup_window must be a duration");
}

static void a_bad_group_is_named_with_its_line(void **state) {
    (void)state;
    refused("groups\n    emails\n        pattern = a..b\n", 3, "a..b");
    refused("groups\n    emails\n    bills\n        pattern = a\n", 2, "no pattern");
    refused("groups\n    emails\n        pattern = a\n    emails\n        pattern = a\n", 4,
            "twice");
    refused("groups\n    emails\n        lease = 5s\n", 2, "no pattern");
    refused("groups\n    emails\n        pattern = a\n        pattern = b\n", 4, "twice");
    refused("groups\n    e mails\n        pattern = a\n", 2, "name");
    refused("groups\n        pattern = a\n", 2, "4 spaces");
    refused("groups\n  emails\n", 2, "4 spaces");
    refused("groups\n\temails\n", 2, "4 spaces");
    refused("groups = emails\n", 1, "no value");
    refused("groups\n    emails\n        pattern\n", 3, "KEY = VALUE");
}

static void what_is_no_setting_is_named_with_its_line(void **state) {
    (void)state;
    refused("port = 7670\nhello world\n", 2, "KEY = VALUE");
    refused("port\n", 1, "KEY = VALUE");
    refused("port =\n", 1, "missing");
    refused("data = \"abc\n", 1, "quote");
    refused("port = 7670\n    data = x\n", 2, "indented");
}

static void a_setting_given_twice_is_an_error(void **state) {
    (void)state;
    refused("port = 7670\n\nport = 7671\n", 3, "twice");
}

static void a_file_that_is_not_there_is_named(void **state) {
    (void)state;
    assert_null(fob_config_load("/nonexistent/fob.cfg", &options, text, sizeof text));
    assert_non_null(strstr(text, "/nonexistent/fob.cfg"));
    assert_non_null(strstr(text, "No such file"));
}

static void a_part_of_a_file_does_not_pass_for_all(void **state) {
    (void)state;
    static const char zero[] = "port = 7671\n\0groups\n";
    assert_null(load_bytes(zero, sizeof zero - 1));
    assert_non_null(strstr(text, "zero byte"));
    size_t size = (1 << 20) + 1;
    char *large = malloc(size);
    assert_non_null(large);
    memset(large, ' ', size);
    for (size_t at = 255; at < size; at += 256)
        large[at] = '\n';
    assert_null(load_bytes(large, size));
    assert_non_null(strstr(text, "more than 1 MiB"));
    fob_config_t *config = load_bytes(large, size - 1);
    assert_non_null(config);
    fob_config_destroy(&config);
    free(large);
}

FOB_MAIN(FOB_CASE(every_setting_is_taken), FOB_CASE(what_is_not_named_keeps_its_default),
         FOB_CASE(a_share_of_the_disk_is_told_apart),
         FOB_CASE(an_unknown_setting_is_named_with_its_line),
         FOB_CASE(a_bad_value_says_what_would_be_a_good_one),
         FOB_CASE(what_is_no_setting_is_named_with_its_line),
         FOB_CASE(what_the_bus_would_refuse_is_named_with_its_line),
         FOB_CASE(groups_are_declared_by_name_and_pattern),
         FOB_CASE(a_group_has_settings_of_its_own),
         FOB_CASE(settings_at_the_top_are_those_of_new_groups),
         FOB_CASE(a_bad_setting_of_a_group_is_named_with_its_line),
         FOB_CASE(a_bad_group_is_named_with_its_line), FOB_CASE(a_setting_given_twice_is_an_error),
         FOB_CASE(a_file_that_is_not_there_is_named),
         FOB_CASE(a_part_of_a_file_does_not_pass_for_all))
