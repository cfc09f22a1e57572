#include "bus/commands/group_show.h"

#include "bus/commands/ask.h"
#include "bus/commands/span.h"
#include "bus/commands/table.h"
#include "bus/settings/terms.h"
#include "proto/amount.h"
#include "proto/cli/show.h"

#include <stdio.h>
#include <string.h>

static const fob_column_t columns[] = {
    {"GROUP", "group", 0, 0}, {"PATTERN", "pattern", 0, 0}, {"STATE", "state", 0, 0},
    {"READY", "ready", 1, 0}, {"LEASED", "leased", 1, 0},   {"DELAYED", "delayed", 1, 1},
    {"DEAD", "dead", 1, 1},   {"ACKED", "acked", 1, 0},     {"WORKERS", "workers", 1, 0},
};

int fob_group_ls(const fob_cli_t *cli) {
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

/* --- one group --- */

typedef enum { AS_IT_IS, A_DATE, A_SPAN, SECONDS, BYTES, COUNTS, NOT_HERE } form_t;

static form_t form_of(const char *field) {
    static const struct {
        const char *field;
        form_t form;
    } forms[] = {{"since", A_DATE},       {"oldest_age_ms", A_SPAN}, {"drain_seconds", SECONDS},
                 {"pinned_bytes", BYTES}, {"bytes", BYTES},          {"shed_by", COUNTS},
                 {"removed_by", COUNTS},  {"limit", NOT_HERE}, /* it is max_depth */
                 {"settings", NOT_HERE}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(forms[i].field, field) == 0)
            return forms[i].form;
    return AS_IT_IS;
}

/* What a figure is called where its unit is not in the value any more. */
static const char *label_of(const char *field) {
    return strcmp(field, "oldest_age_ms") == 0   ? "oldest_age"
           : strcmp(field, "drain_seconds") == 0 ? "drains_in"
           : strcmp(field, "pinned_bytes") == 0  ? "pinned"
                                                 : field;
}

static void date_text(json_int_t time_ms, char *out, size_t size) {
    fob_buf_t date = {0};
    if (time_ms > 0 && fob_show_time(&date, time_ms))
        snprintf(out, size, "%.*s", (int)date.size, (const char *)date.data);
    fob_buf_free(&date);
}

/* "5 drop-oldest, 2 drop-lowest-priority" */
static void counts_text(const json_t *counts, char *out, size_t size) {
    const char *name;
    json_t *count;
    size_t used = 0;
    out[0] = 0;
    json_object_foreach((json_t *)(uintptr_t)counts, name, count) {
        int more = snprintf(out + used, size - used, "%s%lld %.64s", used ? ", " : "",
                            (long long)json_integer_value(count), name);
        if (more < 0 || (size_t)more >= size - used)
            return;
        used += (size_t)more;
    }
}

static void value_text(form_t form, const json_t *value, char *out, size_t size) {
    fob_table_value(value, out, size);
    if (json_is_null(value))
        return;
    if (form == A_DATE)
        date_text(json_integer_value(value), out, size);
    else if (form == A_SPAN)
        fob_span_text(json_integer_value(value), out, size);
    else if (form == SECONDS && json_number_value(value) == 0)
        snprintf(out, size, "-");
    else if (form == SECONDS)
        fob_span_text((int64_t)(json_number_value(value) * 1000), out, size);
    else if (form == BYTES)
        fob_amount_about((uint64_t)json_integer_value(value), out, size);
    else if (form == COUNTS && json_object_size(value) > 0)
        counts_text(value, out, size);
}

/* As they are given to `fob group set`. */
static void print_settings(const json_t *settings) {
    const char *name;
    json_t *value;
    printf("\nsettings: change them with \"fob group set\"\n");
    json_object_foreach((json_t *)(uintptr_t)settings, name, value) {
        char text[64];
        unsigned number = fob_policy_find(fob_slice_str(name));
        fob_table_value(value, text, sizeof text);
        if (number && json_is_integer(value))
            fob_terms_text(number, (uint64_t)json_integer_value(value), text, sizeof text);
        printf("  %-14s %s", name, text);
        if (number == FOB_POLICY_max_bytes && text[strspn(text, "0123456789")] == 0) {
            fob_amount_about((uint64_t)json_integer_value(value), text, sizeof text);
            printf(" (%s)", text); /* a share of the disk is no round number */
        }
        putchar('\n');
    }
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
        form_t form = form_of(field);
        if (form == NOT_HERE)
            continue;
        value_text(form, value, text, sizeof text);
        printf("%-14s %s\n", label_of(field), text);
    }
    if (json_object_size(json_object_get(group, "settings")) > 0)
        print_settings(json_object_get(group, "settings"));
    return fob_print_end(cli);
}

int fob_group_show(const fob_cli_t *cli, const char *name) {
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
