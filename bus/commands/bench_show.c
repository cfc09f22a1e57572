#include "bus/commands/bench.h"
#include "bus/commands/figure.h"
#include "bus/commands/table.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 10

static json_int_t count_of(const json_t *object, const char *name) {
    return json_integer_value(json_object_get(object, name));
}

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "-";
}

/* "2 publishers" */
static void print_many(const char *before, json_int_t count, const char *what) {
    char text[32];
    fob_figure_count((uint64_t)count, text, sizeof text);
    printf("%s%s %s%s", before, text, what, count == 1 ? "" : "s");
}

static void print_head(const json_t *figures) {
    const json_t *bus = json_object_get(figures, "bus");
    const json_t *options = json_object_get(figures, "options");
    json_int_t groups = count_of(options, "groups"), rate = count_of(options, "rate");
    bool stored = strcmp(text_of(options, "confirm"), "stored") == 0;
    printf("fob bench %s: %s, fob %s, level %s\n", text_of(figures, "work"),
           text_of(bus, "endpoint"), text_of(bus, "version"),
           stored ? text_of(bus, "level") : "none");
    print_many("", count_of(options, "publishers"), "publisher");
    if (count_of(options, "subscribers") > 0)
        print_many(", ", count_of(options, "subscribers"), "subscriber");
    if (groups > 0) {
        print_many(", ", groups, "group");
        print_many(" of ", count_of(options, "workers"), "worker");
    }
    print_many(", ", count_of(options, "size"), "byte");
    if (count_of(options, "topics") > 1)
        print_many(", ", count_of(options, "topics"), "topic");
    if (rate > 0)
        print_many(", ", rate, "event"), fputs("/s", stdout);
    printf("; %.1f s\n\n", json_number_value(json_object_get(figures, "seconds")));
}

/* --- the table of events --- */

static void put_count(json_t *row, const char *name, const json_t *value) {
    char text[32];
    if (!json_is_number(value))
        return;
    fob_figure_count((uint64_t)(json_number_value(value) + 0.5), text, sizeof text);
    json_object_set_new(row, name, json_string(text));
}

static void add_flow(json_t *rows, const json_t *figures, const char *name) {
    static const char *const counts[] = {"events",     "per_second",   "refused", "lost",
                                         "duplicated", "out_of_order", "foreign"};
    const json_t *flow = json_object_get(figures, name);
    char text[32];
    if (!json_is_object(flow))
        return;
    json_t *row = json_object();
    json_object_set_new(row, "what", json_string(name));
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++)
        put_count(row, counts[i], json_object_get(flow, counts[i]));
    const json_t *bytes = json_object_get(flow, "bytes_per_second");
    if (json_is_number(bytes)) {
        snprintf(text, sizeof text, "%.1f", json_number_value(bytes) / 1e6);
        json_object_set_new(row, "megabytes", json_string(text));
    }
    if (count_of(flow, "pending") > 0)
        put_count(row, "pending", json_object_get(flow, "pending"));
    json_array_append_new(rows, row);
}

static bool any(const json_t *figures, const char *what) {
    static const char *const flows[] = {"confirmed", "delivered", "handled"};
    json_int_t sum = 0;
    for (unsigned i = 0; i < sizeof flows / sizeof flows[0]; i++)
        sum += count_of(json_object_get(figures, flows[i]), what);
    return sum > 0;
}

/* What seldom happens has a column where it did. */
static size_t choose(const json_t *figures, fob_column_t *columns) {
    static const fob_column_t always[] = {
        {"", "what", 0, 0},
        {"EVENTS", "events", 1, 0},
        {"EVENTS/S", "per_second", 1, 0},
        {"MB/S", "megabytes", 1, 0},
        {"LOST", "lost", 1, 0},
        {"TWICE", "duplicated", 1, 0},
        {"DISORDER", "out_of_order", 1, 0},
    };
    static const fob_column_t seldom[] = {
        {"REFUSED", "refused", 1, 0}, {"PENDING", "pending", 1, 0}, {"FOREIGN", "foreign", 1, 0}};
    size_t count = sizeof always / sizeof always[0];
    memcpy(columns, always, sizeof always);
    for (size_t i = 0; i < sizeof seldom / sizeof seldom[0]; i++)
        if (any(figures, seldom[i].field))
            columns[count++] = seldom[i];
    return count;
}

static void print_flows(const json_t *figures) {
    fob_column_t columns[COLUMNS];
    json_t *rows = json_array();
    add_flow(rows, figures, "published");
    add_flow(rows, figures, "confirmed");
    add_flow(rows, figures, "delivered");
    add_flow(rows, figures, "handled");
    fob_table_print(rows, columns, choose(figures, columns), fob_table_screen());
    json_decref(rows);
}

/* --- the table of times --- */

static void add_times(json_t *rows, const json_t *times, const char *what) {
    const char *point;
    const json_t *us;
    char text[32];
    if (!json_is_object(times))
        return;
    json_t *row = json_pack("{s:s}", "what", what);
    for (void *at = json_object_iter((json_t *)times); at;
         at = json_object_iter_next((json_t *)times, at)) {
        point = json_object_iter_key(at);
        us = json_object_iter_value(at);
        fob_figure_span(json_number_value(us), text, sizeof text);
        json_object_set_new(row, point, json_string(text));
    }
    json_array_append_new(rows, row);
}

static const json_t *times_of(const json_t *figures, const char *who) {
    return json_object_get(json_object_get(figures, who), "latency_us");
}

static void print_times(const json_t *figures) {
    static const fob_column_t columns[] = {
        {"", "what", 0, 0},   {"P50", "p50", 1, 0},     {"P90", "p90", 1, 0},
        {"P99", "p99", 1, 0}, {"P99.9", "p99_9", 1, 0}, {"MAX", "max", 1, 0},
    };
    json_t *rows = json_array();
    add_times(rows, times_of(figures, "confirmed"), "to confirm");
    add_times(rows, times_of(figures, "delivered"), "to subscriber");
    add_times(rows, times_of(figures, "handled"), "to handler");
    add_times(rows, json_object_get(figures, "late_us"), "sent late");
    if (json_array_size(rows) > 0) {
        putchar('\n');
        fob_table_print(rows, columns, sizeof columns / sizeof columns[0], fob_table_screen());
    }
    json_decref(rows);
}

/* What the figures do not say by themselves. */
static void print_remarks(const json_t *figures) {
    const json_t *options = json_object_get(figures, "options");
    json_int_t asked = count_of(options, "rate");
    double reached =
        json_number_value(json_object_get(json_object_get(figures, "published"), "per_second"));
    if (strcmp(text_of(figures, "end"), "interrupted") == 0)
        puts("\nInterrupted: the figures so far.");
    if (strcmp(text_of(figures, "end"), "failed") == 0)
        puts("\nIt did not end as planned: the figures so far.");
    if (asked > 0 && reached > 0 && reached < 0.95 * (double)asked)
        printf("\nThe rate was not reached: %.0f of %lld events/s. Times count from when an event\n"
               "was due.\n",
               reached, (long long)asked);
    if (asked == 0 && json_is_object(times_of(figures, "confirmed")))
        puts("\nAt full speed an event waits for all before it: --rate N shows what one takes.");
}

void fob_bench_show(const json_t *figures) {
    print_head(figures);
    print_flows(figures);
    print_times(figures);
    print_remarks(figures);
}
