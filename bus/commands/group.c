#include "bus/commands/ask.h"
#include "bus/commands/commands.h"
#include "bus/commands/table.h"
#include "proto/cli/options.h"
#include "proto/cli/show.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: fob group add GROUP PATTERN     make a group: it gets what is published\n"
    "                                       from now on\n"
    "       fob group ls [--json]           all groups\n"
    "       fob group show GROUP [--json]   one group's figures\n"
    "       fob group rm GROUP              remove it and all that waits in it\n\n"
    "  -j, --json             ls: one array on one line; show: one object on one line\n"
    "  -b, --bus ENDPOINT     the bus to talk to\n"
    "  --connect-timeout D    how long to try: 250ms, 5s, 1m\n"
    "  -q, --quiet            no news on standard error\n";

typedef struct {
    const char *name, *speaker, *usage;
    size_t args;
    bool json;
    int (*run)(const fob_cli_t *cli, const fob_args_t *args);
} action_t;

static int group_add(const fob_cli_t *cli, const fob_args_t *args) {
    const char *group = args->args[0], *pattern = args->args[1];
    fob_wire_t question = {.verb = FOB_VERB_GROUP_ADD};
    fob_answer_t answer;
    int code = fob_cli_check_group(cli, group);
    if (code == FOB_EXIT_OK)
        code = fob_cli_check_pattern(cli, pattern);
    if (code != FOB_EXIT_OK)
        return code;
    FOB_SET(&question, group, fob_slice_str(group));
    FOB_SET(&question, pattern, fob_slice_str(pattern));
    code = fob_ask(cli, &question, &answer);
    fob_answer_clear(&answer);
    return code;
}

static int group_rm(const fob_cli_t *cli, const fob_args_t *args) {
    fob_wire_t question = {.verb = FOB_VERB_GROUP_REMOVE};
    fob_answer_t answer;
    fob_status_t status;
    const char *name = args->args[0];
    int code = fob_cli_check_group(cli, name);
    if (code != FOB_EXIT_OK)
        return code;
    FOB_SET(&question, group, fob_slice_str(name));
    code = fob_ask_for(cli, &question, &answer, &status);
    if (code == FOB_EXIT_OK && status == FOB_NO_GROUP)
        code = fob_fail(cli, FOB_EXIT_NONE,
                        "there is no group %.80s, nothing to remove: \"fob group ls\" lists them",
                        name);
    else if (code == FOB_EXIT_OK && status != FOB_OK)
        code = fob_fail_status(cli, status, answer.text);
    fob_answer_clear(&answer);
    return code;
}

static const fob_column_t columns[] = {
    {"GROUP", "group", 0, 0}, {"PATTERN", "pattern", 0, 0}, {"STATE", "state", 0, 0},
    {"READY", "ready", 1, 0}, {"LEASED", "leased", 1, 0},   {"DELAYED", "delayed", 1, 1},
    {"DEAD", "dead", 1, 1},   {"ACKED", "acked", 1, 0},     {"WORKERS", "workers", 1, 0},
};

static int group_ls(const fob_cli_t *cli, const fob_args_t *args) {
    (void)args;
    fob_wire_t question = {.verb = FOB_VERB_GROUP_LIST};
    fob_answer_t answer;
    json_t *rows = NULL;
    int code = fob_ask(cli, &question, &answer);
    if (code == FOB_EXIT_OK && cli->json)
        code = fob_ask_print(cli, &answer);
    else if (code == FOB_EXIT_OK) {
        rows = fob_ask_json(cli, &answer);
        code = rows ? FOB_EXIT_OK : FOB_EXIT_PROTOCOL;
        if (json_array_size(rows) > 0)
            fob_table_print(rows, columns, sizeof columns / sizeof columns[0], fob_table_screen());
        else if (rows)
            fob_note(cli, "there are no groups: \"fob group add GROUP PATTERN\" makes one");
        if (rows)
            code = fob_print_end(cli);
    }
    json_decref(rows);
    fob_answer_clear(&answer);
    return code;
}

/* Unix ms as a date, where it is one. */
static void print_since(json_int_t time_ms, char *out, size_t size) {
    fob_buf_t date = {0};
    if (time_ms > 0 && fob_show_time(&date, time_ms))
        snprintf(out, size, "%.*s", (int)date.size, (const char *)date.data);
    fob_buf_free(&date);
}

static int print_group(const fob_cli_t *cli, json_t *group) {
    const char *field;
    json_t *value;
    if (cli->json) {
        json_dumpf(group, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
        putchar('\n');
        return fob_print_end(cli);
    }
    json_object_foreach(group, field, value) {
        char text[512];
        fob_table_value(value, text, sizeof text);
        if (strcmp(field, "since") == 0)
            print_since(json_integer_value(value), text, sizeof text);
        printf("%-14s %s\n", field, text);
    }
    return fob_print_end(cli);
}

static int group_show(const fob_cli_t *cli, const fob_args_t *args) {
    const char *name = args->args[0];
    fob_wire_t question = {.verb = FOB_VERB_GROUP_LIST};
    fob_answer_t answer;
    int code = fob_cli_check_group(cli, name);
    if (code != FOB_EXIT_OK)
        return code;
    FOB_SET(&question, group, fob_slice_str(name));
    code = fob_ask(cli, &question, &answer);
    json_t *rows = code == FOB_EXIT_OK ? fob_ask_json(cli, &answer) : NULL;
    if (code == FOB_EXIT_OK && !rows)
        code = FOB_EXIT_PROTOCOL;
    else if (code == FOB_EXIT_OK && json_array_size(rows) == 0)
        code = fob_fail(cli, FOB_EXIT_NONE, "there is no group %.80s: \"fob group ls\" lists them",
                        name);
    else if (code == FOB_EXIT_OK)
        code = print_group(cli, json_array_get(rows, 0));
    json_decref(rows);
    fob_answer_clear(&answer);
    return code;
}

static const action_t actions[] = {
    {"add", "group add", "fob group add GROUP PATTERN", 2, false, group_add},
    {"ls", "group ls", "fob group ls [--json]", 0, true, group_ls},
    {"show", "group show", "fob group show GROUP [--json]", 1, true, group_show},
    {"rm", "group rm", "fob group rm GROUP", 1, false, group_rm},
};

static int run_action(fob_cli_t *cli, const action_t *action, int argc, char **argv) {
    fob_args_t args = {0};
    const fob_option_t options[] = {FOB_OPTIONS_CLIENT(cli), FOB_OPTION_JSON(cli)};
    size_t count = sizeof options / sizeof options[0];
    cli->command = action->speaker;
    int code = fob_options(cli, options, action->json ? count : count - 1, help, argc, argv, &args);
    if (code >= 0)
        return code;
    code = fob_args_check(cli, &args, action->args, action->args, action->usage);
    return code == FOB_EXIT_OK ? action->run(cli, &args) : code;
}

int fob_command_group(int argc, char **argv) {
    fob_cli_t cli = {.command = "group"};
    fob_args_t args = {0};
    if (argc < 2)
        return fob_fail(&cli, FOB_EXIT_USAGE,
                        "an argument is missing: fob group add | ls | show | rm");
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(argv[1], actions[i].name) == 0)
            return run_action(&cli, &actions[i], argc - 1, argv + 1);
    int code = fob_options(&cli, NULL, 0, help, 2, argv, &args);
    if (code >= 0)
        return code;
    return fob_fail(&cli, FOB_EXIT_USAGE, "\"%.40s\" is not one of: fob group add | ls | show | rm",
                    argv[1]);
}
