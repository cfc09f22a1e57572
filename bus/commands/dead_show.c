/* dead_show: `fob dead ls` and `show`. */
#include "bus/commands/dead.h"
#include "bus/commands/table.h"
#include "bus/commands/value.h"
#include "proto/cli/show.h"
#include "proto/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MOST 1000 /* rows of a table, where -n says nothing */

#define COUNT_COLUMN 4 /* only where a letter is of several events */

static const fob_column_t columns[] = {
    {"OFFSET", "offset", 1, 0}, {"TOPIC", "topic", 0, 0}, {"KEY", "key", 0, 1},
    {"REASON", "reason", 0, 0}, {"COUNT", "more", 1, 1},  {"ATTEMPTS", "attempts", 1, 0},
    {"DIED", "died", 0, 0},     {"TEXT", "text", 0, 0},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

/* --- a letter --- */

/* Unix ms under one name as a date under another. */
static void date(json_t *row, const char *from, const char *to) {
    fob_buf_t text = {0};
    json_t *value = json_object_get(row, from), *word = NULL;
    if (json_is_integer(value) && fob_show_time(&text, json_integer_value(value)) && !text.failed)
        word = json_stringn((const char *)text.data, text.size);
    fob_buf_free(&text);
    json_object_del(row, from);
    json_object_set_new(row, to, word ? word : json_null());
}

static void dates(json_t *row) {
    size_t i;
    json_t *attempt;
    date(row, "stored", "stored");
    date(row, "time", "died");
    json_array_foreach(json_object_get(row, "history"), i, attempt) date(attempt, "time", "time");
}

static void dump(const json_t *value, size_t flags) {
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17) | flags);
}

static int unreadable(const fob_cli_t *cli, const fob_answer_t *answer) {
    return fob_fail(cli, FOB_EXIT_PROTOCOL,
                    "the bus's answer cannot be read: is it of another version (%s)?", answer->bus);
}

/* --- ls --- */

typedef struct {
    fob_dead_pages_t pages;
    const fob_cli_t *cli;
    json_t *rows;    /* of the table */
    uint64_t listed; /* so far */
    uint64_t left;   /* of those wanted */
    uint64_t next;   /* where more are; 0: nowhere */
    bool several;    /* a letter is of several events */
} list_t;

/* Events whose place is not known are one letter. */
static void tell_count(list_t *self, json_t *row) {
    json_int_t count = json_integer_value(json_object_get(row, "count"));
    if (count > 1) {
        json_object_set_new(row, "more", json_integer(count));
        self->several = true;
    }
    if (json_integer_value(json_object_get(row, "offset")) == 0)
        json_object_set_new(row, "offset", json_null());
}

static void list_row(list_t *self, json_t *row) {
    dates(row);
    self->listed++;
    if (self->cli->json) {
        if (self->listed > 1)
            putchar(',');
        dump(row, 0);
        return;
    }
    tell_count(self, row);
    json_array_append(self->rows, row);
}

static int list_page(list_t *self, uint64_t from) {
    fob_status_t status;
    uint64_t limit = self->left < FOB_DEAD_PAGE ? self->left : FOB_DEAD_PAGE;
    int code = fob_dead_pages_ask(&self->pages, FOB_VERB_DEAD_LIST, from, limit, false, &status);
    if (code != FOB_EXIT_OK)
        return code;
    if (status != FOB_OK)
        return fob_fail_status(self->cli, status, self->pages.answer.text);
    json_t *root = fob_value_tree(fob_dead_pages_value(&self->pages)), *row;
    json_t *rows = json_object_get(root, "dead");
    size_t i;
    if (!json_is_array(rows)) {
        json_decref(root);
        return unreadable(self->cli, &self->pages.answer);
    }
    if (self->cli->json && from == 0)
        putchar('[');
    json_array_foreach(rows, i, row) list_row(self, row);
    self->next = fob_dead_pages_number(&self->pages, "next");
    uint64_t got = json_array_size(rows);
    self->left -= got < self->left ? got : self->left;
    json_decref(root);
    return FOB_EXIT_OK;
}

static void print_table(const list_t *self) {
    fob_column_t shown[COLUMNS];
    size_t count = 0;
    for (size_t i = 0; i < COLUMNS; i++)
        if (i != COUNT_COLUMN || self->several)
            shown[count++] = columns[i];
    fob_table_print(self->rows, shown, count, fob_table_screen());
}

static int list_end(const list_t *self) {
    if (self->cli->json)
        puts("]");
    else if (self->listed)
        print_table(self);
    if (self->listed == 0)
        fob_note(self->cli, "no dead letter matches");
    if (self->next && !self->cli->json)
        fob_note(self->cli, "there are more: -n lists more of them, a filter fewer");
    return fob_print_end(self->cli);
}

int fob_dead_ls(const fob_cli_t *cli, const fob_args_t *args, const fob_dead_options_t *options) {
    uint64_t most = cli->json ? UINT64_MAX : TABLE_MOST;
    list_t self = {
        .cli = cli, .rows = json_array(), .left = options->count ? options->count : most};
    int code = fob_dead_pages_init(&self.pages, cli, args->args[0], options);
    if (code == FOB_EXIT_OK)
        do
            code = list_page(&self, self.next);
        while (code == FOB_EXIT_OK && self.next && self.left);
    if (code == FOB_EXIT_OK)
        code = list_end(&self);
    json_decref(self.rows);
    fob_dead_pages_free(&self.pages);
    return code;
}

/* --- show --- */

/* The letter's event as JSON; nothing is appended where it cannot be read. */
static void event_json(fob_buf_t *out, const fob_answer_t *answer, const json_t *letter) {
    fob_slice_t bytes;
    fob_cursor_t cursor = fob_cursor(fob_value_field(fob_blob_slice(answer->body), "event"));
    if (!fob_cursor_bin(&cursor, &bytes))
        return;
    fob_event_place_t place = {
        .offset = (uint64_t)json_integer_value(json_object_get(letter, "offset")),
        .time_ms = (int64_t)json_integer_value(json_object_get(letter, "stored")),
        .attempt = (uint32_t)json_integer_value(json_object_get(letter, "attempts")),
        .epoch = answer->epoch};
    fob_event_t *event = fob_event_new(NULL, answer->body, bytes, &place);
    if (event)
        fob_show_json(out, event);
    fob_event_destroy(&event);
}

/* "TIME  reason   worker: text" */
static void print_attempt(const json_t *attempt) {
    char time[64], reason[64], worker[300], text[512];
    fob_table_value(json_object_get(attempt, "time"), time, sizeof time);
    fob_table_value(json_object_get(attempt, "reason"), reason, sizeof reason);
    fob_table_value(json_object_get(attempt, "worker"), worker, sizeof worker);
    fob_table_value(json_object_get(attempt, "text"), text, sizeof text);
    bool counted = !json_is_false(json_object_get(attempt, "counted"));
    printf("%s  %-8s %s%s%s%s\n", time, reason, worker, strcmp(text, "-") ? ": " : "",
           strcmp(text, "-") ? text : "", counted ? "" : " (not counted)");
}

static void print_death(const json_t *letter) {
    char time[64], reason[64];
    json_int_t attempts = json_integer_value(json_object_get(letter, "attempts"));
    fob_table_value(json_object_get(letter, "died"), time, sizeof time);
    fob_table_value(json_object_get(letter, "reason"), reason, sizeof reason);
    printf("%s  dead     %s, after %" JSON_INTEGER_FORMAT " attempt%s\n", time, reason, attempts,
           attempts == 1 ? "" : "s");
}

/* The event on the first line, then each attempt, then its death. */
static void print_letter(const fob_cli_t *cli, const json_t *letter, const fob_buf_t *event) {
    size_t i;
    const json_t *attempt;
    if (event->size)
        printf("%.*s\n", (int)event->size, (const char *)event->data);
    else
        fob_note(cli, "its event cannot be read from the journal");
    json_array_foreach(json_object_get(letter, "history"), i, attempt) print_attempt(attempt);
    print_death(letter);
}

/* The event's text is joined on as it is: its numbers may be larger than jansson's. */
static void print_object(const json_t *letter, const fob_buf_t *event) {
    putchar('{');
    dump(letter, JSON_EMBED);
    printf(",\"event\":%.*s}\n", event->size ? (int)event->size : 4,
           event->size ? (const char *)event->data : "null");
}

static int print_answer(const fob_cli_t *cli, const fob_answer_t *answer) {
    json_t *letter = answer->body ? fob_value_tree(fob_blob_slice(answer->body)) : NULL;
    fob_buf_t event = {0};
    if (!json_is_object(letter)) {
        json_decref(letter);
        return unreadable(cli, answer);
    }
    event_json(&event, answer, letter);
    json_object_del(letter, "event");
    dates(letter);
    if (cli->json)
        print_object(letter, &event);
    else
        print_letter(cli, letter, &event);
    fob_buf_free(&event);
    json_decref(letter);
    return fob_print_end(cli);
}

int fob_dead_show(const fob_cli_t *cli, const fob_args_t *args, const fob_dead_options_t *options) {
    fob_dead_pages_t pages;
    fob_status_t status;
    fob_dead_options_t which = *options;
    which.offset = args->args[1];
    int code = fob_dead_pages_init(&pages, cli, args->args[0], &which);
    if (code == FOB_EXIT_OK) {
        fob_cursor_t cursor = fob_cursor(fob_value_field(fob_buf_slice(&pages.filter), "offset"));
        uint64_t offset = 0;
        (void)fob_cursor_uint(&cursor, &offset); /* it was just packed */
        FOB_SET(&pages.question, offset, offset);
        code = fob_dead_pages_ask(&pages, FOB_VERB_DEAD_SHOW, 0, 0, false, &status);
    }
    if (code == FOB_EXIT_OK)
        code = status == FOB_OK ? print_answer(cli, &pages.answer)
                                : fob_fail_status(cli, status, pages.answer.text);
    fob_dead_pages_free(&pages);
    return code;
}
