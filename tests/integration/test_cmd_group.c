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
    static const char *const of_bus[] = {"version",    "level",         "epoch",     "shards",
                                         "uptime_ms",  "journal_bytes", "rss_bytes", "connections",
                                         "publishers", "subscribers",   "workers",   "events_in",
                                         "busy",       "malformed",     "dropped"};
    static const char *const of_group[] = {
        "group",    "pattern",       "state",         "why",   "generation",
        "since",    "accepted",      "acked",         "dead",  "expired",
        "shed",     "shed_by",       "removed",       "ready", "leased",
        "delayed",  "redelivered",   "workers",       "busy",  "in_rate",
        "out_rate", "oldest_age_ms", "drain_seconds", "limit", "pinned_bytes"};
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
         FOB_CASE_WITH(ping_says_who_answers, set_up, tear_down),
         FOB_CASE_WITH(a_journal_is_verified_and_listed_also_while_in_use, set_up, tear_down),
         FOB_CASE_WITH(a_folder_that_is_no_journal_is_73, set_up, tear_down))
