#include "bus/commands/table.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CELL       512
#define MOST       32 /* columns */
#define WORD_LEAST 8  /* words are not cut shorter */
#define WORD_GOOD  16 /* room for a name that is worth narrower gaps */

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

typedef struct {
    const json_t *rows;
    const fob_column_t *columns;
    size_t count, last; /* last: the one that ends a line */
    size_t widths[MOST];
    bool hidden[MOST];
    bool beneath; /* the last column stands on lines of its own */
    size_t gap;
} table_t;

static size_t width(const json_t *rows, const fob_column_t *column) {
    char text[CELL];
    size_t most = strlen(column->title);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        cell(json_array_get(rows, i), column->field, text);
        if (strlen(text) > most)
            most = strlen(text);
    }
    return most;
}

static bool nothing_in(const json_t *rows, const fob_column_t *column) {
    char text[CELL];
    for (size_t i = 0; i < json_array_size(rows); i++) {
        cell(json_array_get(rows, i), column->field, text);
        if (strcmp(text, "0") != 0 && strcmp(text, "-") != 0)
            return false;
    }
    return true;
}

static size_t total(const table_t *self) {
    size_t sum = 0;
    for (size_t c = 0; c <= self->last; c++)
        if (!self->hidden[c])
            sum += self->widths[c] + (sum > 0 ? self->gap : 0);
    return sum;
}

/* Takes from the widest column of words until the line fits, or none has more than it needs. */
static void shorten(table_t *self, size_t screen) {
    while (total(self) > screen) {
        size_t widest = self->count;
        for (size_t c = 0; c <= self->last; c++)
            if (!self->columns[c].right && self->widths[c] > WORD_LEAST &&
                (widest == self->count || self->widths[c] > self->widths[widest]))
                widest = c;
        if (widest == self->count)
            return;
        self->widths[widest]--;
    }
}

static void fit(table_t *self, size_t screen) {
    if (screen == 0 || total(self) <= screen)
        return;
    if (self->last > 0 && !self->columns[self->last].right) {
        self->beneath = true;
        self->last--;
    }
    for (size_t c = self->last + 1; c-- > 0 && total(self) > screen;)
        self->hidden[c] = self->columns[c].spare && nothing_in(self->rows, &self->columns[c]);
    if (total(self) - self->widths[0] + WORD_GOOD > screen)
        self->gap = 1;
    shorten(self, screen);
}

/* Cuts in place; `wide` counts characters, which are bytes in the names that get this long. */
static void cut(char *text, size_t wide) {
    size_t size = strlen(text);
    if (size <= wide || wide < 1)
        return;
    size = wide - 1;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--; /* not within a character */
    static const char ellipsis[] =
        "\xe2\x80\xa6"; /* a cell's buffer is longer than any screen's name */
    memcpy(text + size, ellipsis, sizeof ellipsis);
}

static void print_cell(const table_t *self, size_t c, char *text) {
    int wide = (int)self->widths[c];
    bool ends = c == self->last;
    if (self->hidden[c])
        return;
    if (self->columns[c].right) {
        printf("%*s", wide, text);
    } else {
        if (!ends || self->beneath)
            cut(text, self->widths[c]);
        size_t extra = strstr(text, "\xe2\x80\xa6") ? 2 : 0; /* bytes of the ellipsis unseen */
        printf("%-*s", ends ? 0 : wide + (int)extra, text);
    }
    if (!ends)
        printf("%*s", (int)self->gap, "");
}

static void print_row(const table_t *self, const json_t *row) {
    char text[CELL];
    for (size_t c = 0; c <= self->last; c++) {
        if (row)
            cell(row, self->columns[c].field, text);
        else
            snprintf(text, sizeof text, "%s", self->columns[c].title);
        print_cell(self, c, text);
    }
    putchar('\n');
    if (!row || !self->beneath)
        return;
    cell(row, self->columns[self->last + 1].field, text);
    if (strcmp(text, "-") != 0)
        printf("  %s\n", text);
}

size_t fob_table_screen(void) {
    struct winsize size = {0};
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

void fob_table_print(const json_t *rows, const fob_column_t *columns, size_t count, size_t screen) {
    table_t self = {.rows = rows, .columns = columns, .count = count, .gap = 2};
    assert(count > 0 && count <= MOST);
    self.last = count - 1;
    for (size_t c = 0; c < count; c++)
        self.widths[c] = width(rows, &columns[c]);
    fit(&self, screen);
    print_row(&self, NULL);
    for (size_t i = 0; i < json_array_size(rows); i++)
        print_row(&self, json_array_get(rows, i));
}
