/* fob group, stats, ping, journal. */
#include "tests/integration/cmd.h"

static void groups_are_added_listed_shown_and_removed(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "ls", "--json");
    assert_string_equal(self->out, "[]\n");
    DO(self, "group", "add", "billing", "order_placed");
    assert_string_equal(self->out, "");
    DO(self, "group", "add", "shipping", "shop.>");
    DO(self, "group", "ls", "--json");
    json_t *rows = parse(self->out);
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(text(json_array_get(rows, 0), "group"), "billing");
    assert_string_equal(text(json_array_get(rows, 1), "pattern"), "shop.>");
    json_decref(rows);
    DO(self, "group", "ls");
    assert_non_null(strstr(self->out, "billing"));
    DO(self, "group", "show", "billing");
    assert_non_null(strstr(self->out, "order_placed"));
    DO(self, "group", "rm", "billing");
    REFUSED(self, 66, "group", "group", "show", "billing");
    REFUSED(self, 66, "group", "group", "rm", "billing");
}

static void adding_it_again_is_fine_but_not_with_another_pattern(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    DO(self, "group", "add", "g", "t");
    REFUSED(self, 65, "pattern", "group", "add", "g", "other");
}

static void stats_are_one_object_on_one_line(void **state) {
    cmd_t *self = *state;
    static const char *const of_bus[] = {
        "version",   "level",       "epoch",        "shards",      "uptime_ms",     "journal_bytes",
        "rss_bytes", "connections", "publishers",   "subscribers", "workers",       "events_in",
        "busy",      "malformed",   "dropped",      "ids",         "dedup_span_ms", "ended",
        "fetching",  "fetched",     "fetched_bytes"};
    static const char *const of_group[] = {
        "group",        "pattern",  "state",      "why",           "generation",    "since",
        "accepted",     "acked",    "dead",       "expired",       "shed",          "shed_by",
        "removed",      "ready",    "leased",     "delayed",       "redelivered",   "workers",
        "busy",         "in_rate",  "out_rate",   "oldest_age_ms", "drain_seconds", "limit",
        "pinned_bytes", "settings", "removed_by", "bytes",         "temporary"};
    DO(self, "group", "add", "g", "t");
    DO(self, "pub", "t", "1");
    DO(self, "stats", "--json");
    assert_string_equal(strchr(self->out, '\n'), "\n");
    json_t *root = parse(self->out);
    const json_t *bus = json_object_get(root, "bus"),
                 *group = json_array_get(json_object_get(root, "groups"), 0);
    for (size_t i = 0; i < sizeof of_bus / sizeof of_bus[0]; i++)
        if (!json_object_get(bus, of_bus[i]))
            fail_msg("bus has no %s", of_bus[i]);
    for (size_t i = 0; i < sizeof of_group / sizeof of_group[0]; i++)
        if (!json_object_get(group, of_group[i]))
            fail_msg("the group has no %s", of_group[i]);
    assert_int_equal(number(group, "accepted"), 1);
    assert_int_equal(number(group, "ready"), 1);
    assert_string_equal(text(group, "state"), "no_worker");
    json_decref(root);
    DO(self, "stats");
    assert_non_null(strstr(self->out, "no_worker"));
}

/* --- settings --- */

/* One setting of a group, as JSON says it. */
static json_t *setting(cmd_t *self, const char *group, const char *name) {
    DO(self, "group", "show", group, "--json");
    json_t *root = parse(self->out);
    json_t *value = json_incref(json_object_get(json_object_get(root, "settings"), name));
    json_decref(root);
    if (!value)
        fail_msg("there is no setting %s", name);
    return value;
}

static void check_setting(cmd_t *self, const char *group, const char *name, json_int_t wanted) {
    json_t *value = setting(self, group, name);
    if (json_integer_value(value) != wanted)
        fail_msg("%s is %lld", name, (long long)json_integer_value(value));
    json_decref(value);
}

static void a_new_group_has_the_documented_settings(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    check_setting(self, "g", "max_depth", 10000000);
    check_setting(self, "g", "max_attempts", 5);
    check_setting(self, "g", "lease", 0);
    check_setting(self, "g", "dead_max_age", INT64_C(2592000000));
    json_t *overflow = setting(self, "g", "overflow"), *paused = setting(self, "g", "paused");
    assert_string_equal(json_string_value(overflow), "reject");
    assert_true(json_is_false(paused));
    json_decref(overflow);
    json_decref(paused);
    assert_int_equal(figure(self, "g", "limit"), 10000000);
}

static void settings_are_given_at_birth_and_changed_while_it_lives(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t", "max_depth=500", "lease=30s", "overflow=drop-oldest");
    check_setting(self, "g", "max_depth", 500);
    check_setting(self, "g", "lease", 30000);
    check_setting(self, "g", "max_attempts", 5);
    DO(self, "group", "set", "g", "lease=none", "max_bytes=1GiB", "backoff_max=10m");
    assert_string_equal(self->out, "");
    assert_string_equal(self->err, "");
    check_setting(self, "g", "max_depth", 500);
    check_setting(self, "g", "lease", 0);
    check_setting(self, "g", "max_bytes", 1 << 30);
    check_setting(self, "g", "backoff_max", 600000);
    DO(self, "group", "show", "g");
    assert_non_null(strstr(self->out, "max_bytes      1GiB\n"));
    assert_non_null(strstr(self->out, "backoff_max    10m\n"));
    assert_non_null(strstr(self->out, "overflow       drop-oldest\n"));
    assert_non_null(strstr(self->out, "lease          none\n"));
}

static void a_share_of_the_disk_is_bytes_from_then_on(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t", "max_bytes=50%");
    json_t *half = setting(self, "g", "max_bytes");
    DO(self, "group", "set", "g", "max_bytes=25%");
    check_setting(self, "g", "max_bytes", json_integer_value(half) / 2);
    json_decref(half);
}

static void a_wrong_setting_is_64_and_changes_nothing(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    REFUSED(self, 64, "there are max_depth, max_bytes", "group", "set", "g", "max_depht=5");
    REFUSED(self, 64, "a duration, as 30s", "group", "set", "g", "max_depth=5", "lease=30");
    REFUSED(self, 64, "1 or more", "group", "set", "g", "max_depth=0");
    REFUSED(self, 64, "NAME=VALUE", "group", "set", "g", "max_depth");
    REFUSED(self, 64, "settings are missing", "group", "set", "g");
    REFUSED(self, 64, "drop-oldest", "group", "add", "h", "t", "overflow=drop");
    REFUSED(self, 66, "no group", "group", "set", "nobody", "max_depth=5");
    REFUSED(self, 66, "no group", "group", "show", "h");
    check_setting(self, "g", "max_depth", 10000000);
}

/* --- pause, purge, reset --- */

static void publish(cmd_t *self, const char *topic, const char *first, const char *second,
                    const char *third) {
    const char *const data[] = {first, second, third};
    for (size_t i = 0; i < 3 && data[i]; i++)
        DO(self, "pub", topic, data[i]);
}

/* The data of so many events that a worker gets. */
static void check_handled(cmd_t *self, const char *group, const char *count, const char *wanted) {
    char got[256] = "";
    DO(self, "work", group, "t", "--count", count);
    for (char *rest = self->out, *line; (line = strsep(&rest, "\n")) && *line;) {
        json_t *event = parse(line), *data = json_object_get(event, "data");
        size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%lld ", (long long)json_integer_value(data));
        json_decref(event);
    }
    assert_string_equal(got, wanted);
}

static void check_books(cmd_t *self, const char *group) {
    static const char *const parts[] = {"acked",   "dead",  "expired", "shed",
                                        "removed", "ready", "leased",  "delayed"};
    DO(self, "group", "show", group, "--json");
    json_t *root = parse(self->out);
    json_int_t sum = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        sum += number(root, parts[i]);
    assert_int_equal(sum, number(root, "accepted"));
    json_decref(root);
}

static void a_paused_group_hands_nothing_out_until_it_resumes(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    DO(self, "group", "pause", "g");
    publish(self, "t", "1", NULL, NULL);
    process_t *worker = process_fob("work", "g", "t", "--count", "1", NULL);
    await_figure(self, "g", "workers", 1);
    DO(self, "group", "show", "g", "--json");
    json_t *root = parse(self->out);
    assert_string_equal(text(root, "state"), "paused");
    assert_int_equal(number(root, "ready"), 1);
    assert_int_equal(number(root, "leased"), 0);
    json_decref(root);
    DO(self, "group", "ls");
    assert_non_null(strstr(self->out, "paused"));
    DO(self, "group", "resume", "g");
    assert_int_equal(process_wait(worker, WAIT_MS), 0);
    process_destroy(&worker);
    assert_int_equal(figure(self, "g", "acked"), 1);
    REFUSED(self, 66, "no group", "group", "pause", "nobody");
    REFUSED(self, 66, "no group", "group", "resume", "nobody");
}

static void a_purge_says_how_many_it_removed(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    publish(self, "t", "1", "2", "3");
    DO(self, "group", "purge", "g");
    assert_non_null(strstr(self->out, "3 removed from group g"));
    assert_int_equal(figure(self, "g", "ready"), 0);
    assert_int_equal(figure(self, "g", "removed"), 3);
    check_books(self, "g");
    publish(self, "t", "4", NULL, NULL);
    check_handled(self, "g", "1", "4 ");
    REFUSED(self, 66, "no group", "group", "purge", "nobody");
}

static void a_reset_backwards_hands_out_again(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    publish(self, "t", "1", "2", "3");
    check_handled(self, "g", "3", "1 2 3 ");
    DO(self, "group", "reset", "g", "--to", "earliest");
    assert_non_null(strstr(self->err, "generation 2"));
    check_handled(self, "g", "3", "1 2 3 ");
    DO(self, "group", "reset", "g", "--to", "3", "-q");
    assert_string_equal(self->err, "");
    check_handled(self, "g", "1", "3 ");
    DO(self, "group", "reset", "g", "--to", "-1h");
    check_handled(self, "g", "3", "1 2 3 ");
    assert_int_equal(figure(self, "g", "generation"), 4);
    check_books(self, "g");
}

static void a_reset_forwards_removes_what_it_skips(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    publish(self, "t", "1", "2", "3");
    DO(self, "group", "reset", "g", "--to", "3");
    check_handled(self, "g", "1", "3 ");
    await_figure(self, "g", "removed", 2);
    check_books(self, "g");
    publish(self, "t", "4", "5", NULL);
    DO(self, "group", "reset", "g", "--to", "latest");
    assert_int_equal(figure(self, "g", "ready"), 0);
    assert_int_equal(figure(self, "g", "removed"), 4);
    check_books(self, "g");
}

static void a_group_may_begin_in_the_past(void **state) {
    cmd_t *self = *state;
    publish(self, "t", "1", "2", "3");
    DO(self, "group", "add", "all", "t", "--from", "earliest");
    DO(self, "group", "add", "some", "t", "--from", "2", "max_depth=7");
    DO(self, "group", "add", "since", "t", "--from", "-1h");
    DO(self, "group", "add", "none", "t", "--from", "latest");
    check_handled(self, "all", "3", "1 2 3 ");
    check_handled(self, "some", "2", "2 3 ");
    check_handled(self, "since", "3", "1 2 3 ");
    assert_int_equal(figure(self, "none", "accepted"), 0);
    check_setting(self, "some", "max_depth", 7);
    check_books(self, "some");
}

static void a_place_that_is_none_is_64(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    REFUSED(self, 64, "--to is missing", "group", "reset", "g");
    REFUSED(self, 64, "earliest, an offset", "group", "reset", "g", "--to", "yesterday");
    REFUSED(self, 64, "earliest, an offset", "group", "add", "h", "t", "--from", "0");
    REFUSED(self, 64, "not there yet", "group", "reset", "g", "--to", "100");
    REFUSED(self, 66, "no group", "group", "reset", "nobody", "--to", "latest");
    REFUSED(self, 64, "unknown option", "group", "set", "g", "--to", "latest");
}

static void what_was_set_is_there_after_a_kill(void **state) {
    cmd_t *self = *state;
    char *folder = process_folder();
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--data", folder, NULL);
    DO(self, "group", "add", "g", "t", "max_depth=500");
    DO(self, "group", "set", "g", "overflow=drop-oldest");
    DO(self, "group", "pause", "g");
    process_signal(self->bus, SIGKILL);
    process_wait(self->bus, WAIT_MS);
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--data", folder, NULL);
    check_setting(self, "g", "max_depth", 500);
    json_t *overflow = setting(self, "g", "overflow"), *paused = setting(self, "g", "paused");
    assert_string_equal(json_string_value(overflow), "drop-oldest");
    assert_true(json_is_true(paused));
    json_decref(overflow);
    json_decref(paused);
    process_destroy(&self->bus);
    process_folder_remove(&folder);
}

static void ping_says_who_answers(void **state) {
    cmd_t *self = *state;
    DO(self, "ping");
    assert_non_null(strstr(self->out, process_bus(self->port)));
    DO(self, "ping", "-q");
    assert_string_equal(self->out, "");
    process_destroy(&self->bus);
    REFUSED(self, 69, "cannot reach the bus", "ping", "--connect-timeout", "200ms");
}

static void a_journal_is_verified_and_listed_also_while_in_use(void **state) {
    cmd_t *self = *state;
    char *folder = process_folder();
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--data", folder, NULL);
    DO(self, "pub", "t", "1");
    DO(self, "pub", "t", "2");
    DO(self, "journal", "verify", folder);
    assert_non_null(strstr(self->out, "2 events"));
    DO(self, "journal", "ls", "--data", folder, "--json");
    json_t *rows = parse(self->out);
    assert_true(json_array_size(rows) >= 1);
    assert_int_equal(number(json_array_get(rows, 0), "events"), 2);
    json_decref(rows);
    setenv("FOB_DATA", folder, 1);
    DO(self, "journal", "ls");
    assert_non_null(strstr(self->out, "SEGMENT"));
    process_destroy(&self->bus);
    process_folder_remove(&folder);
}

static void a_folder_that_is_no_journal_is_73(void **state) {
    cmd_t *self = *state;
    REFUSED(self, 73, "/no/such/folder", "journal", "verify", "/no/such/folder");
}

FOB_MAIN(FOB_CASE_WITH(groups_are_added_listed_shown_and_removed, set_up, tear_down),
         FOB_CASE_WITH(adding_it_again_is_fine_but_not_with_another_pattern, set_up, tear_down),
         FOB_CASE_WITH(stats_are_one_object_on_one_line, set_up, tear_down),
         FOB_CASE_WITH(a_new_group_has_the_documented_settings, set_up, tear_down),
         FOB_CASE_WITH(settings_are_given_at_birth_and_changed_while_it_lives, set_up, tear_down),
         FOB_CASE_WITH(a_share_of_the_disk_is_bytes_from_then_on, set_up, tear_down),
         FOB_CASE_WITH(a_wrong_setting_is_64_and_changes_nothing, set_up, tear_down),
         FOB_CASE_WITH(a_paused_group_hands_nothing_out_until_it_resumes, set_up, tear_down),
         FOB_CASE_WITH(a_purge_says_how_many_it_removed, set_up, tear_down),
         FOB_CASE_WITH(a_reset_backwards_hands_out_again, set_up, tear_down),
         FOB_CASE_WITH(a_reset_forwards_removes_what_it_skips, set_up, tear_down),
         FOB_CASE_WITH(a_group_may_begin_in_the_past, set_up, tear_down),
         FOB_CASE_WITH(a_place_that_is_none_is_64, set_up, tear_down),
         FOB_CASE_WITH(what_was_set_is_there_after_a_kill, set_up, tear_down),
         FOB_CASE_WITH(ping_says_who_answers, set_up, tear_down),
         FOB_CASE_WITH(a_journal_is_verified_and_listed_also_while_in_use, set_up, tear_down),
         FOB_CASE_WITH(a_folder_that_is_no_journal_is_73, set_up, tear_down))
