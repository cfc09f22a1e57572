#include "bus/commands/table.h"

#include <stdio.h>
#include <string.h>

#define CELL 256

void fob_table_value(const json_t *value, char *out, size_t size) {
    char *text;
    out[0] = '\0';
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        snprintf(out, size, "%s", *json_string_value(value) ? json_string_value(value) : "-");
        break;
    case JSON_INTEGER:
        snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(out, size, "%.1f", json_real_value(value));
        break;
    case JSON_TRUE:
        snprintf(out, size, "yes");
        break;
    case JSON_FALSE:
        snprintf(out, size, "no");
        break;
    case JSON_NULL:
        snprintf(out, size, "-");
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        text = json_dumps(value, JSON_COMPACT);
        snprintf(out, size, "%s", text && strlen(text) > 2 ? text : "-");
        free(text);
    }
    for (; *out; out++)
        if ((unsigned char)*out < 0x20 || *out == 0x7f)
            *out = '?';
}

/* The value of one field, or the sum of several. */
static void cell(const json_t *row, const char *field, char *out) {
    char name[64];
    json_int_t sum = 0;
    if (!strchr(field, ',')) {
        fob_table_value(json_object_get(row, field), out, CELL);
        return;
    }
    while (*field) {
        size_t size = strcspn(field, ",");
        snprintf(name, sizeof name, "%.*s", (int)size, field);
        sum += json_integer_value(json_object_get(row, name));
        field += size + (field[size] != '\0');
    }
    snprintf(out, CELL, "%" JSON_INTEGER_FORMAT, sum);
}

static int width(const json_t *rows, const fob_column_t *column) {
    char text[CELL];
    size_t most = strlen(column->title);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        cell(json_array_get(rows, i), column->field, text);
        if (strlen(text) > most)
            most = strlen(text);
    }
    return (int)most;
}

static void print_cell(const char *text, int wide, const fob_column_t *column, int last) {
    if (column->right)
        printf("%*s", wide, text);
    else if (last)
        fputs(text, stdout);
    else
        printf("%-*s", wide, text);
    fputs(last ? "\n" : "  ", stdout);
}

void fob_table_print(const json_t *rows, const fob_column_t *columns, size_t count) {
    int widths[32] = {0};
    char text[CELL];
    count = count < 32 ? count : 32;
    for (size_t c = 0; c < count; c++) {
        widths[c] = width(rows, &columns[c]);
        print_cell(columns[c].title, widths[c], &columns[c], c + 1 == count);
    }
    for (size_t i = 0; i < json_array_size(rows); i++)
        for (size_t c = 0; c < count; c++) {
            cell(json_array_get(rows, i), columns[c].field, text);
            print_cell(text, widths[c], &columns[c], c + 1 == count);
        }
}
