#include "bus/commands/ask.h"
#include "bus/commands/commands.h"
#include "bus/commands/span.h"
#include "bus/commands/table.h"
#include "proto/amount.h"
#include "proto/cli/options.h"

#include <stdio.h>
#include <string.h>

static const char help[] = "usage: fob stats [--json] [-b ENDPOINT]\n\n"
                           "Prints the bus's figures, once.\n\n"
                           "  -j, --json             one object on one line\n"
                           "  -b, --bus ENDPOINT     the bus to talk to\n"
                           "  --connect-timeout D    how long to try: 250ms, 5s, 1m\n\n"
                           "On a narrow terminal names are cut and columns of zeros left out; "
                           "into a pipe\nall is written.\n";

/* How far back ids are remembered: less than dedup_window where there were too many. */
static void print_dedup(const json_t *bus) {
    char span[32];
    const json_t *ms = json_object_get(bus, "dedup_span_ms");
    if (!json_is_integer(ms))
        return;
    fob_span_text(json_integer_value(ms), span, sizeof span);
    printf("%14s back to the oldest of them\n", span);
}

static void print_bus(const json_t *bus) {
    static const struct {
        const char *field, *words;
    } lines[] = {{"events_in", "events stored"},
                 {"publishers", "publishers"},
                 {"subscribers", "subscribers"},
                 {"workers", "workers"},
                 {"connections", "connections"},
                 {"journal_bytes", "of journal"},
                 {"rss_bytes", "of memory"},
                 {"busy", "answered BUSY"},
                 {"malformed", "malformed messages"},
                 {"ids", "ids remembered"},
                 {"fetched_bytes", "of events fetched"}};
    char version[64], level[64], uptime[64];
    fob_table_value(json_object_get(bus, "version"), version, sizeof version);
    fob_table_value(json_object_get(bus, "level"), level, sizeof level);
    json_int_t seconds = json_integer_value(json_object_get(bus, "uptime_ms")) / 1000;
    snprintf(uptime, sizeof uptime, "%lldd %02lld:%02lld:%02lld", (long long)seconds / 86400,
             (long long)seconds / 3600 % 24, (long long)seconds / 60 % 60, (long long)seconds % 60);
    printf("fob %s, level %s, up %s\n", version, level, uptime);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char value[64];
        const json_t *figure = json_object_get(bus, lines[i].field);
        fob_table_value(figure, value, sizeof value);
        if (strstr(lines[i].field, "bytes") && json_is_integer(figure))
            fob_amount_about((uint64_t)json_integer_value(figure), value, sizeof value);
        printf("%14s %s\n", value, lines[i].words);
    }
    print_dedup(bus);
    const char *reason;
    json_t *count;
    json_object_foreach(json_object_get(bus, "dropped"), reason, count) {
        char value[64];
        fob_table_value(count, value, sizeof value);
        printf("%14s dropped: %s\n", value, reason);
    }
    json_object_foreach(json_object_get(bus, "ended"), reason, count) {
        char value[64];
        fob_table_value(count, value, sizeof value);
        printf("%14s connections ended: %s\n", value, reason);
    }
}

static const fob_column_t columns[] = {
    {"GROUP", "group", 0, 0},     {"STATE", "state", 0, 0},  {"ACCEPTED", "accepted", 1, 0},
    {"ACKED", "acked", 1, 0},     {"READY", "ready", 1, 0},  {"LEASED", "leased", 1, 0},
    {"DELAYED", "delayed", 1, 1}, {"DEAD", "dead", 1, 1},    {"GONE", "expired,shed,removed", 1, 1},
    {"WORKERS", "workers", 1, 0}, {"IN/S", "in_rate", 1, 0}, {"OUT/S", "out_rate", 1, 0},
    {"DRAINS", "drains", 1, 1},   {"WHY", "why", 0, 0},
};

/* Adds how long what waits will take, in words. */
static void add_drains(const json_t *groups) {
    for (size_t i = 0; i < json_array_size(groups); i++) {
        json_t *group = json_array_get(groups, i);
        const json_t *seconds = json_object_get(group, "drain_seconds");
        char span[32] = "-";
        if (json_number_value(seconds) > 0)
            fob_span_text((int64_t)(json_number_value(seconds) * 1000), span, sizeof span);
        json_object_set_new(group, "drains", json_string(span));
    }
}

static int print_figures(const fob_cli_t *cli, const fob_answer_t *answer) {
    json_t *root = fob_ask_json(cli, answer);
    if (!root)
        return FOB_EXIT_PROTOCOL;
    const json_t *groups = json_object_get(root, "groups");
    print_bus(json_object_get(root, "bus"));
    if (json_array_size(groups) > 0) {
        putchar('\n');
        add_drains(groups);
        fob_table_print(groups, columns, sizeof columns / sizeof columns[0], fob_table_screen());
    }
    json_decref(root);
    return fob_print_end(cli);
}

int fob_command_stats(int argc, char **argv) {
    fob_cli_t cli = {.command = "stats"};
    fob_args_t args = {0};
    const fob_option_t options[] = {FOB_OPTIONS_CLIENT(&cli), FOB_OPTION_JSON(&cli)};
    int code =
        fob_options(&cli, options, sizeof options / sizeof options[0], help, argc, argv, &args);
    if (code >= 0)
        return code;
    code = fob_args_check(&cli, &args, 0, 0, "fob stats [--json]");
    if (code != FOB_EXIT_OK)
        return code;
    fob_wire_t question = {.verb = FOB_VERB_STATS};
    fob_answer_t answer;
    code = fob_ask(&cli, &question, &answer);
    if (code == FOB_EXIT_OK)
        code = cli.json ? fob_ask_print(&cli, &answer) : print_figures(&cli, &answer);
    fob_answer_clear(&answer);
    return code;
}
