/* JSON text to msgpack: jansson parses, we pack. */
#include "proto/cli/json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* jansson's integers are signed. Those from 2^63 to 2^64-1 fit msgpack all the same: they are put
 * aside before the second parse, with a 0 in their place, and found again by their number among the
 * text's numbers. */
typedef struct {
    size_t nth; /* which of the text's numbers it is, from 0 */
    uint64_t value;
} big_t;

typedef struct {
    big_t *items;
    size_t count, capacity, next;
    size_t seen; /* numbers packed so far */
} bigs_t;

static fob_status_t pack(const json_t *value, fob_buf_t *out, bigs_t *bigs, int depth);

static fob_slice_t text_of(const json_t *string) {
    return fob_slice(json_string_value(string), json_string_length(string));
}

static void pack_integer(const json_t *value, fob_buf_t *out, bigs_t *bigs) {
    size_t nth = bigs->seen++;
    if (bigs->next < bigs->count && bigs->items[bigs->next].nth == nth)
        fob_pack_uint(out, bigs->items[bigs->next++].value);
    else
        fob_pack_int(out, json_integer_value(value));
}

static fob_status_t pack_array(const json_t *array, fob_buf_t *out, bigs_t *bigs, int depth) {
    size_t count = json_array_size(array);
    fob_pack_array(out, count);
    fob_status_t status = FOB_OK;
    for (size_t i = 0; i < count && status == FOB_OK; i++)
        status = pack(json_array_get(array, i), out, bigs, depth + 1);
    return status;
}

static fob_status_t pack_object(const json_t *object, fob_buf_t *out, bigs_t *bigs, int depth) {
    const char *name;
    json_t *member;
    fob_pack_map(out, json_object_size(object));
    json_object_foreach((json_t *)object, name, member) {
        fob_pack_cstr(out, name);
        fob_status_t status = pack(member, out, bigs, depth + 1);
        if (status != FOB_OK)
            return status;
    }
    return FOB_OK;
}

/* FOB_OK, or FOB_BAD_EVENT: nested too deep. */
static fob_status_t pack(const json_t *value, fob_buf_t *out, bigs_t *bigs, int depth) {
    if (depth > FOB_JSON_DEPTH)
        return FOB_BAD_EVENT;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return pack_object(value, out, bigs, depth);
    case JSON_ARRAY:
        return pack_array(value, out, bigs, depth);
    case JSON_STRING:
        fob_pack_str(out, text_of(value));
        break;
    case JSON_INTEGER:
        pack_integer(value, out, bigs);
        break;
    case JSON_REAL:
        bigs->seen++;
        fob_pack_double(out, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        fob_pack_bool(out, json_is_true(value));
        break;
    case JSON_NULL:
        fob_pack_nil(out);
        break;
    }
    return FOB_OK;
}

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

static bool big_value(const char *at, size_t size, uint64_t *out) {
    uint64_t value = 0;
    if (size < 19 || size > 20)
        return false;
    for (size_t i = 0; i < size; i++) {
        uint64_t one = (uint64_t)(at[i] - '0');
        if (!digit(at[i]) || value > (UINT64_MAX - one) / 10)
            return false;
        value = value * 10 + one;
    }
    *out = value;
    return value > INT64_MAX;
}

static bool big_add(bigs_t *self, size_t nth, uint64_t value) {
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 16;
        big_t *items = realloc(self->items, capacity * sizeof *items);
        if (!items)
            return false;
        self->items = items;
        self->capacity = capacity;
    }
    self->items[self->count++] = (big_t){nth, value};
    return true;
}

static bool number_char(char c) {
    return digit(c) || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E';
}

static size_t skip_string(const char *text, size_t size, size_t at) {
    for (at++; at < size && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at + 1;
}

/* Writes 0 over each unsigned integer that jansson cannot hold, and remembers it. False:
 * no memory. */
static bool big_collect(char *text, size_t size, bigs_t *bigs) {
    size_t nth = 0;
    for (size_t at = 0; at < size;) {
        if (text[at] == '"') {
            at = skip_string(text, size, at);
            continue;
        }
        if (text[at] != '-' && !digit(text[at])) {
            at++;
            continue;
        }
        size_t end = at;
        while (end < size && number_char(text[end]))
            end++;
        uint64_t value;
        if (big_value(text + at, end - at, &value)) {
            if (!big_add(bigs, nth, value))
                return false;
            text[at] = '0';
            memset(text + at + 1, ' ', end - at - 1);
        }
        nth++;
        at = end;
    }
    return true;
}

#define FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES)

/* False: no memory. *root: NULL where the text is still refused. */
static bool load_with_bigs(fob_slice_t text, bigs_t *bigs, json_t **root, json_error_t *problem) {
    char *copy = malloc(text.size);
    if (!copy)
        return false;
    memcpy(copy, text.data, text.size);
    bool done = big_collect(copy, text.size, bigs);
    if (done && bigs->count > 0)
        *root = json_loadb(copy, text.size, FLAGS, problem);
    free(copy);
    return done;
}

/* Most texts are one line: then its number says nothing. */
static void put_place(const json_error_t *problem, char *out, size_t size) {
    if (problem->line > 1)
        snprintf(out, size, "line %d, column %d", problem->line, problem->column);
    else
        snprintf(out, size, "column %d", problem->column);
}

static void explain(const json_error_t *problem, fob_json_error_t *error) {
    char place[64];
    enum json_error_code code = json_error_code(problem);
    put_place(problem, place, sizeof place);
    error->syntax = false;
    if (code == json_error_numeric_overflow)
        snprintf(error->text, sizeof error->text,
                 "the number at %s does not fit 64 bits and is not rounded: send it as a string",
                 place);
    else if (code == json_error_duplicate_key)
        snprintf(error->text, sizeof error->text, "an object has the same name twice, at %s",
                 place);
    else if (code == json_error_stack_overflow)
        snprintf(error->text, sizeof error->text, "it is nested deeper than %d", FOB_JSON_DEPTH);
    else {
        error->syntax = true;
        snprintf(error->text, sizeof error->text, "%s: %.120s", place, problem->text);
    }
}

fob_status_t fob_json_pack(fob_slice_t text, fob_buf_t *out, fob_json_error_t *error) {
    json_error_t problem = {0};
    bigs_t bigs = {0};
    size_t before = out->size;
    json_t *root = json_loadb(text.size ? (const char *)text.data : "", text.size, FLAGS, &problem);
    bool memory = true;
    if (!root && json_error_code(&problem) == json_error_numeric_overflow)
        memory = load_with_bigs(text, &bigs, &root, &problem);
    if (!root) {
        free(bigs.items);
        if (!memory || json_error_code(&problem) == json_error_out_of_memory)
            return FOB_NO_MEMORY;
        explain(&problem, error);
        return FOB_BAD_EVENT;
    }
    fob_status_t status = pack(root, out, &bigs, 0);
    json_decref(root);
    free(bigs.items);
    if (status == FOB_OK && out->failed)
        status = FOB_NO_MEMORY;
    if (status == FOB_BAD_EVENT) {
        error->syntax = false;
        snprintf(error->text, sizeof error->text, "it is nested deeper than %d", FOB_JSON_DEPTH);
    }
    if (status != FOB_OK)
        out->size = before;
    return status;
}
