/* page: PROTOCOL.md says what the code does. Its tables are read, and its worked bytes are golden
 * vectors. */
#include "proto/wire.h"
#include "tests/support/case.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>

static char *load(const char *name) {
    const char *folder = getenv("FOB_SOURCE_DIR");
    char path[4096];
    assert_non_null(folder);
    snprintf(path, sizeof path, "%s/proto/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size > 0);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
    text[size] = 0;
    fclose(file);
    return text;
}

/* The text behind a heading, up to the next of that level; to be freed. */
static char *section(const char *heading) {
    char *page = load("PROTOCOL.md");
    char *from = strstr(page, heading);
    if (!from)
        fail_msg("PROTOCOL.md has no \"%s\"", heading);
    char *copy = strdup(from + strlen(heading));
    free(page);
    char *end = strstr(copy, "\n## ");
    char *sub = strstr(copy, "\n### ");
    if (sub && (!end || sub < end))
        end = sub;
    if (end)
        end[1] = 0;
    return copy;
}

/* The index-th cell of a table's row, without the spaces around it. */
static void cell(const char *row, int index, char *out, size_t size) {
    for (int i = 0; i <= index; i++) {
        row = strchr(row, '|');
        assert_non_null(row);
        row++;
    }
    const char *end = strchr(row, '|');
    assert_non_null(end);
    while (*row == ' ')
        row++;
    while (end > row && end[-1] == ' ')
        end--;
    snprintf(out, size, "%.*s", (int)(end - row), row);
}

/* --- the tables --- */

static void every_code_is_in_the_table_of_codes(void **state) {
    (void)state;
    char *text = section("\n## Codes\n"), *rest = text;
    int rows = 0;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        char number[64], name[64];
        if (strncmp(line, "| ", 2) != 0 || !isdigit((unsigned char)line[2]))
            continue;
        cell(line, 0, number, sizeof number);
        cell(line, 1, name, sizeof name);
        assert_int_equal(atoi(number), rows);
        assert_string_equal(fob_status_name((fob_status_t)rows), name);
        rows++;
    }
    assert_int_equal(rows, FOB_INTERNAL + 1);
    free(text);
}

static int field_of(const char *name, size_t size) {
#define FIELD_X(field, type)                                                                       \
    if (size == strlen(#field) && memcmp(name, #field, size) == 0)                                 \
        return FOB_FIELD_##field;
    FOB_FIELD_MAP(FIELD_X)
#undef FIELD_X
    return -1;
}

/* The fields in bold. */
static uint64_t bold_fields(const char *cell) {
    uint64_t fields = 0;
    for (const char *from = strstr(cell, "**"); from; from = strstr(from, "**")) {
        const char *end = strstr(from + 2, "**");
        assert_non_null(end);
        int field = field_of(from + 2, (size_t)(end - from - 2));
        if (field < 0)
            fail_msg("PROTOCOL.md has no such field: %s", from);
        fields |= (uint64_t)1 << field;
        from = end + 2;
    }
    return fields;
}

static fob_status_t read_with(unsigned verb, uint64_t fields) {
    fob_wire_t msg = {.verb = (fob_verb_t)verb, .present = fields}, got;
    fob_buf_t out = {0};
    assert_int_equal(fob_wire_write(&out, &msg), FOB_OK);
    fob_status_t status = fob_wire_read(fob_buf_slice(&out), &got);
    fob_buf_free(&out);
    return status;
}

/* The bold fields are enough, and not one of them can be left out. */
static void check_verb(const char *name, unsigned verb, uint64_t bold) {
    const char *known = fob_verb_name(verb);
    if (!known || strcmp(known, name) != 0)
        fail_msg("%s is not verb %u", name, verb);
    if (read_with(verb, bold) != FOB_OK)
        fail_msg("%s must have more fields than those in bold", name);
    for (unsigned field = 0; field < FOB_FIELD_COUNT; field++) {
        uint64_t bit = (uint64_t)1 << field;
        if (bold & bit && read_with(verb, bold & ~bit) == FOB_OK)
            fail_msg("%s need not have its field %u", name, field);
    }
}

static void every_verb_is_in_the_table_of_verbs_with_what_it_must_have(void **state) {
    (void)state;
    char *text = section("\n### Verbs\n"), *rest = text;
    unsigned rows = 0, verbs = 0;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        char name[64], number[64], fields[512];
        if (strncmp(line, "| ", 2) != 0 || !isupper((unsigned char)line[2]))
            continue;
        cell(line, 0, name, sizeof name);
        cell(line, 1, number, sizeof number);
        cell(line, 3, fields, sizeof fields);
        check_verb(name, (unsigned)atoi(number), bold_fields(fields));
        rows++;
    }
    for (unsigned verb = 0; verb < 256; verb++)
        verbs += fob_verb_name(verb) != NULL;
    assert_int_equal(rows, verbs);
    free(text);
}

static void every_field_is_in_the_table_of_fields(void **state) {
    (void)state;
    char *text = section("\n### Fields\n"), *rest = text;
    uint64_t seen = 0;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        char names[128], *at = names;
        if (strncmp(line, "| ", 2) != 0 || strncmp(line, "| field |", 9) == 0)
            continue;
        cell(line, 0, names, sizeof names);
        if (names[0] == '-')
            continue;
        for (char *name = strsep(&at, ", "); name; name = strsep(&at, ", ")) {
            int field = name[0] ? field_of(name, strlen(name)) : -1;
            if (name[0] && field < 0)
                fail_msg("there is no field %s", name);
            if (field >= 0)
                seen |= (uint64_t)1 << field;
        }
    }
    for (unsigned field = 0; field < FOB_FIELD_COUNT; field++)
        if (!(seen >> field & 1))
            fail_msg("field %u is not in the table", field);
    free(text);
}

/* --- the worked bytes --- */

static bool is_hex(char c) {
    return isdigit((unsigned char)c) || (c >= 'a' && c <= 'f');
}

/* Takes the bytes at the beginning of an indented line; returns how many hex digits there were. */
static size_t take_hex(const char *line, char *out) {
    size_t digits = 0;
    if (strncmp(line, "    ", 4) != 0)
        return 0;
    for (line += 4; is_hex(line[0]) && is_hex(line[1]) && (line[2] == ' ' || line[2] == 0);) {
        out[digits++] = line[0];
        out[digits++] = line[1];
        line += line[2] ? 3 : 2;
    }
    out[digits] = 0;
    return digits;
}

static bool is_vector(const json_t *root, const char *hex) {
    static const char *const lists[] = {"events", "headers", "casts"};
    for (size_t i = 0; i < 3; i++) {
        size_t at;
        json_t *vector;
        json_array_foreach(json_object_get(root, lists[i]), at, vector) {
            const char *text = json_string_value(json_object_get(vector, "hex"));
            const char *status = json_string_value(json_object_get(vector, "status"));
            if (strcmp(text, hex) == 0 && strcmp(status, "OK") == 0)
                return true;
        }
    }
    return false;
}

static void the_worked_bytes_are_golden_vectors(void **state) {
    (void)state;
    char *vectors = load("vectors.json"), *page = load("PROTOCOL.md"), *rest = page;
    json_t *root = json_loads(vectors, 0, NULL);
    char hex[4096] = "";
    size_t size = 0;
    int examples = 0;
    assert_non_null(root);
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        assert_true(size + strlen(line) < sizeof hex);
        size_t more = take_hex(line, hex + size);
        size += more;
        if (more > 0 || size == 0)
            continue;
        if (!is_vector(root, hex))
            fail_msg("the worked bytes %s are no vector", hex);
        examples++;
        size = 0;
    }
    assert_true(examples >= 7);
    json_decref(root);
    free(vectors);
    free(page);
}

FOB_MAIN(FOB_CASE(every_code_is_in_the_table_of_codes),
         FOB_CASE(every_verb_is_in_the_table_of_verbs_with_what_it_must_have),
         FOB_CASE(every_field_is_in_the_table_of_fields),
         FOB_CASE(the_worked_bytes_are_golden_vectors))
