/* vectors: the golden bytes of proto/vectors.json, in both directions. The file was not written by
 * this code: it holds the code to PROTOCOL.md, and any other client can be held to the same file.
 */
#include "proto/envelope.h"
#include "proto/topic.h"
#include "proto/wire.h"
#include "tests/support/case.h"

#include <jansson.h>
#include <stdlib.h>

/* --- the file --- */

static json_t *root;

static json_t *vectors(const char *name) {
    if (!root) {
        const char *folder = getenv("FOB_SOURCE_DIR");
        char path[4096];
        json_error_t error;
        assert_non_null(folder);
        snprintf(path, sizeof path, "%s/proto/vectors.json", folder);
        root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
        if (!root)
            fail_msg("%s:%d: %s", path, error.line, error.text);
    }
    json_t *list = json_object_get(root, name);
    assert_true(json_array_size(list) > 0); /* a list that is gone must not pass */
    return list;
}

static int drop_root(void **state) {
    (void)state;
    json_decref(root);
    root = NULL;
    return 0;
}

static uint64_t uint_of(const json_t *value) {
    if (json_is_string(value))
        return strtoull(json_string_value(value), NULL, 10);
    assert_true(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

static uint64_t uint_at(const json_t *vector, const char *key) {
    const json_t *value = json_object_get(vector, key);
    return value ? uint_of(value) : 0;
}

static bool flag(const json_t *vector, const char *key) {
    return json_is_true(json_object_get(vector, key));
}

static fob_slice_t text_at(const json_t *vector, const char *key) {
    const json_t *value = json_object_get(vector, key);
    return value ? fob_slice(json_string_value(value), json_string_length(value))
                 : (fob_slice_t){0};
}

static unsigned nibble(char digit) {
    const char *digits = "0123456789abcdef", *at = strchr(digits, digit);
    assert_true(digit != 0 && at != NULL);
    return (unsigned)(at - digits);
}

/* Bytes of hexadecimal text, in a block of just that size, so that reading past it is seen. */
static fob_slice_t unhex(const char *text) {
    size_t size = strlen(text) / 2;
    uint8_t *bytes = malloc(size ? size : 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    return fob_slice(bytes, size);
}

static fob_slice_t hex_at(const json_t *vector, const char *key) {
    const char *text = json_string_value(json_object_get(vector, key));
    assert_non_null(text);
    return unhex(text);
}

static void drop(fob_slice_t bytes) {
    free((void *)(uintptr_t)bytes.data);
}

/* A failed check that says which vector it was. */
static const char *current;
#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            fail_msg("vector \"%s\": %s", current, #what);                                         \
    } while (0)

static const char *name_of(const json_t *vector, const char *key) {
    const char *name = json_string_value(json_object_get(vector, key));
    return name ? name : "(hex)";
}

static const char *status_of(const json_t *vector) {
    return name_of(vector, "status");
}

static void check_text(fob_slice_t got, const json_t *vector, const char *key) {
    fob_slice_t want = text_at(vector, key);
    if (!fob_slice_eq(got, want))
        fail_msg("vector \"%s\": %s is %.*s", current, key, (int)got.size, (const char *)got.data);
}

static void check_uint(uint64_t got, const json_t *vector, const char *key) {
    if (got != uint_at(vector, key))
        fail_msg("vector \"%s\": %s is %llu", current, key, (unsigned long long)got);
}

static void check_bytes(const fob_buf_t *got, fob_slice_t want) {
    CHECK(!got->failed);
    CHECK(fob_slice_eq(fob_buf_slice(got), want));
}

/* JSON as msgpack: what the RAW fields hold. */
static void pack_json(fob_buf_t *out, const json_t *value) {
    const char *key;
    json_t *inner;
    size_t i;
    switch (json_typeof(value)) {
    case JSON_ARRAY:
        fob_pack_array(out, json_array_size(value));
        json_array_foreach(value, i, inner) {
            pack_json(out, inner);
        }
        break;
    case JSON_OBJECT:
        fob_pack_map(out, json_object_size(value));
        json_object_foreach((json_t *)(uintptr_t)value, key, inner) {
            fob_pack_cstr(out, key);
            pack_json(out, inner);
        }
        break;
    case JSON_STRING:
        fob_pack_cstr(out, json_string_value(value));
        break;
    case JSON_INTEGER:
        fob_pack_int(out, json_integer_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        fob_pack_bool(out, json_is_true(value));
        break;
    default:
        fail_msg("vector \"%s\": a value that this test does not know", current);
    }
}

/* --- codes and verbs --- */

static void codes_and_verbs_have_the_numbers_of_the_protocol(void **state) {
    (void)state;
    size_t i;
    json_t *vector;
    json_array_foreach(vectors("codes"), i, vector) {
        current = name_of(vector, "name");
        CHECK(strcmp(fob_status_name((fob_status_t)uint_at(vector, "code")), current) == 0);
    }
    CHECK(i == FOB_INTERNAL + 1);
    json_array_foreach(vectors("verbs"), i, vector) {
        current = name_of(vector, "verb");
        const char *name = fob_verb_name((unsigned)uint_at(vector, "number"));
        CHECK(name && strcmp(name, current) == 0);
    }
}

/* --- topics and patterns --- */

static void topics_are_judged_as_the_vectors_say(void **state) {
    (void)state;
    size_t i;
    json_t *vector;
    json_array_foreach(vectors("topics"), i, vector) {
        bool hex = json_object_get(vector, "hex") != NULL;
        fob_slice_t topic = hex ? hex_at(vector, "hex") : text_at(vector, "topic");
        current = name_of(vector, "topic");
        CHECK(fob_topic_valid(topic) == flag(vector, "valid"));
        CHECK(fob_topic_is_sys(topic) == flag(vector, "sys"));
        if (hex)
            drop(topic);
    }
}

static void check_matches(const json_t *vector, const char *key, bool want) {
    fob_slice_t pattern = text_at(vector, "pattern");
    size_t i;
    json_t *topic;
    json_array_foreach(json_object_get(vector, key), i, topic) {
        fob_slice_t text = fob_slice_str(json_string_value(topic));
        if (fob_pattern_match(pattern, text) != want)
            fail_msg("pattern %s, topic %s", current, json_string_value(topic));
    }
    CHECK(i > 0);
}

static void patterns_match_what_the_vectors_say(void **state) {
    (void)state;
    size_t i;
    json_t *vector;
    json_array_foreach(vectors("patterns"), i, vector) {
        fob_slice_t pattern = text_at(vector, "pattern");
        current = name_of(vector, "pattern");
        CHECK(fob_pattern_valid(pattern) == flag(vector, "valid"));
        if (!flag(vector, "valid"))
            continue;
        uint8_t prefix[FOB_TOPIC_MAX + 1];
        fob_slice_t want = hex_at(vector, "prefix_hex");
        CHECK(fob_pattern_literal(pattern) == flag(vector, "literal"));
        CHECK(fob_slice_eq(fob_slice(prefix, fob_pattern_prefix(pattern, prefix)), want));
        check_matches(vector, "matches", true);
        check_matches(vector, "matches_not", false);
        drop(want);
    }
}

/* --- events --- */

static void check_headers(fob_slice_t headers, const json_t *want) {
    size_t at = 0, count = 0;
    fob_slice_t name, value;
    while (fob_headers_next(headers, &at, &name, &value)) {
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)name.size, (const char *)name.data);
        const json_t *text = json_object_get(want, key);
        CHECK(text && fob_slice_eq(value, fob_slice_str(json_string_value(text))));
        count++;
    }
    CHECK(count == json_object_size(want));
}

static void check_event(const fob_envelope_t *got, const json_t *want) {
    fob_slice_t data = hex_at(want, "data_hex");
    check_text(got->topic, want, "topic");
    if (json_object_get(want, "id_hex")) {
        fob_slice_t id = hex_at(want, "id_hex");
        CHECK(fob_slice_eq(got->id, id));
        drop(id);
    } else {
        check_text(got->id, want, "id");
    }
    check_text(got->key, want, "key");
    check_text(got->source, want, "source");
    check_text(got->datacontenttype, want, "datacontenttype");
    check_text(got->traceparent, want, "traceparent");
    check_uint((uint64_t)got->time_ms, want, "time");
    check_uint(got->priority, want, "priority");
    check_uint((uint64_t)got->delay_ms, want, "delay");
    check_uint((uint64_t)got->ttl_ms, want, "ttl");
    check_headers(got->headers, json_object_get(want, "headers"));
    CHECK(fob_slice_eq(got->data, data));
    drop(data);
}

/* The event as a client would fill it in, from the JSON alone. */
static fob_status_t write_event(const json_t *want, uint64_t max_data, fob_buf_t *out) {
    fob_buf_t headers = {0};
    fob_slice_t data = hex_at(want, "data_hex");
    bool hex = json_object_get(want, "id_hex") != NULL;
    fob_slice_t id = hex ? hex_at(want, "id_hex") : text_at(want, "id");
    if (json_object_get(want, "headers"))
        pack_json(&headers, json_object_get(want, "headers"));
    fob_envelope_t event = {
        .topic = text_at(want, "topic"),
        .id = id,
        .key = text_at(want, "key"),
        .source = text_at(want, "source"),
        .datacontenttype = text_at(want, "datacontenttype"),
        .traceparent = text_at(want, "traceparent"),
        .headers = fob_buf_slice(&headers),
        .time_ms = (int64_t)uint_at(want, "time"),
        .delay_ms = (int64_t)uint_at(want, "delay"),
        .ttl_ms = (int64_t)uint_at(want, "ttl"),
        .priority = (uint8_t)uint_at(want, "priority"),
        .data = data,
    };
    fob_status_t status = fob_envelope_write(out, max_data, &event);
    fob_buf_free(&headers);
    drop(data);
    if (hex)
        drop(id);
    return status;
}

static void events_are_read_as_the_vectors_say(void **state) {
    (void)state;
    size_t i;
    json_t *vector;
    json_array_foreach(vectors("events"), i, vector) {
        current = name_of(vector, "name");
        fob_slice_t bytes = hex_at(vector, "hex"), topic, skimmed;
        fob_cursor_t cursor = fob_cursor(bytes), again = cursor;
        fob_envelope_t got;
        fob_status_t status = fob_envelope_read(&cursor, uint_at(vector, "max_data"), &got);
        CHECK(strcmp(fob_status_name(status), status_of(vector)) == 0);
        if (status == FOB_OK) {
            check_event(&got, json_object_get(vector, "event"));
            CHECK(fob_envelope_skim(&again, &topic, &skimmed));
            CHECK(fob_slice_eq(skimmed, bytes) && fob_slice_eq(topic, got.topic));
            CHECK(fob_cursor_end(&cursor));
        } else {
            CHECK((!cursor.failed && fob_cursor_end(&cursor)) == flag(vector, "goes_on"));
        }
        drop(bytes);
    }
}

static void events_are_written_as_the_vectors_say(void **state) {
    (void)state;
    size_t i, written = 0;
    json_t *vector;
    json_array_foreach(vectors("events"), i, vector) {
        if (!flag(vector, "canonical"))
            continue;
        current = name_of(vector, "name");
        fob_slice_t want = hex_at(vector, "hex");
        fob_buf_t out = {0};
        const json_t *event = json_object_get(vector, "event");
        CHECK(write_event(event, uint_at(vector, "max_data"), &out) == FOB_OK);
        check_bytes(&out, want);
        fob_buf_free(&out);
        drop(want);
        written++;
    }
    assert_true(written > 5);
}

/* --- headers --- */

typedef enum { UINT, BOOL, STR, BIN, RAW } type_t;

static const struct {
    const char *name;
    type_t type;
    size_t offset;
} fields[] = {
#define FIELD_X(name, type) {#name, type, offsetof(fob_wire_t, name)},
    FOB_FIELD_MAP(FIELD_X)
#undef FIELD_X
};

/* Fills a field in from JSON; what it points to lies in `memory`. */
static void field_set(fob_wire_t *msg, size_t field, const json_t *value, fob_buf_t *memory) {
    void *at = (uint8_t *)msg + fields[field].offset;
    switch (fields[field].type) {
    case UINT:
        *(uint64_t *)at = uint_of(value);
        break;
    case BOOL:
        *(bool *)at = json_is_true(value);
        break;
    case STR:
        *(fob_slice_t *)at = fob_slice_str(json_string_value(value));
        break;
    case BIN: {
        fob_slice_t bytes = unhex(json_string_value(value));
        fob_buf_put(memory, bytes.data, bytes.size);
        drop(bytes);
        *(fob_slice_t *)at = fob_buf_slice(memory);
        break;
    }
    case RAW:
        pack_json(memory, value);
        *(fob_slice_t *)at = fob_buf_slice(memory);
        break;
    }
    msg->present |= (uint64_t)1 << field;
}

static void header_make(const json_t *vector, fob_wire_t *msg, fob_buf_t memory[FOB_FIELD_COUNT]) {
    const json_t *values = json_object_get(vector, "fields");
    size_t set = 0;
    *msg = (fob_wire_t){.verb = (fob_verb_t)uint_at(vector, "number"),
                        .shard = (uint32_t)uint_at(vector, "shard")};
    for (size_t field = 0; field < FOB_FIELD_COUNT; field++) {
        const json_t *value = json_object_get(values, fields[field].name);
        if (value)
            field_set(msg, field, value, &memory[field]);
        set += value != NULL;
    }
    CHECK(set == json_object_size(values));
}

static void check_header(const fob_wire_t *got, const fob_wire_t *want) {
    CHECK(got->verb == want->verb && got->shard == want->shard);
    CHECK(got->present == want->present);
    for (size_t field = 0; field < FOB_FIELD_COUNT; field++) {
        const void *a = (const uint8_t *)got + fields[field].offset;
        const void *b = (const uint8_t *)want + fields[field].offset;
        if (fields[field].type == UINT)
            CHECK(*(const uint64_t *)a == *(const uint64_t *)b);
        else if (fields[field].type == BOOL)
            CHECK(*(const bool *)a == *(const bool *)b);
        else
            CHECK(fob_slice_eq(*(const fob_slice_t *)a, *(const fob_slice_t *)b));
    }
}

static void headers_are_read_and_written_as_the_vectors_say(void **state) {
    (void)state;
    size_t i, written = 0;
    json_t *vector;
    json_array_foreach(vectors("headers"), i, vector) {
        current = name_of(vector, "name");
        fob_slice_t bytes = hex_at(vector, "hex");
        fob_wire_t got, want;
        fob_status_t status = fob_wire_read(bytes, &got);
        CHECK(strcmp(fob_status_name(status), status_of(vector)) == 0);
        fob_buf_t memory[FOB_FIELD_COUNT] = {{0}}, out = {0};
        if (status == FOB_OK) {
            header_make(vector, &want, memory);
            check_header(&got, &want);
        }
        if (flag(vector, "canonical")) {
            CHECK(fob_wire_write(&out, &want) == FOB_OK);
            check_bytes(&out, bytes);
            written++;
        }
        for (size_t field = 0; field < FOB_FIELD_COUNT; field++)
            fob_buf_free(&memory[field]);
        fob_buf_free(&out);
        drop(bytes);
    }
    assert_true(written > 20);
}

static void every_verb_and_every_field_has_a_vector(void **state) {
    (void)state;
    size_t i;
    json_t *vector;
    uint64_t present = 0, verbs = 0;
    json_array_foreach(vectors("headers"), i, vector) {
        fob_slice_t bytes = hex_at(vector, "hex");
        fob_wire_t got;
        if (fob_wire_read(bytes, &got) == FOB_OK) {
            present |= got.present;
            verbs |= (uint64_t)1 << got.verb;
        }
        drop(bytes);
    }
    for (unsigned field = 0; field < FOB_FIELD_COUNT; field++)
        if (!(present >> field & 1))
            fail_msg("no vector has the field %s", fields[field].name);
    for (unsigned verb = 0; verb < 64; verb++)
        if (fob_verb_name(verb) && !(verbs >> verb & 1))
            fail_msg("no vector has the verb %s", fob_verb_name(verb));
}

/* --- runs --- */

static void check_row(const fob_run_t *run, const json_t *vector, size_t row) {
    const json_t *numbers = json_array_get(json_object_get(vector, "rows"), row);
    const json_t *hex = json_array_get(json_object_get(vector, "details_hex"), row);
    fob_slice_t detail = unhex(json_string_value(hex));
    for (size_t i = 0; i < FOB_RUN_WIDTH; i++)
        CHECK(run->at[i] == uint_of(json_array_get(numbers, i)));
    CHECK(fob_slice_eq(run->detail, detail));
    drop(detail);
}

static void runs_are_read_and_written_as_the_vectors_say(void **state) {
    (void)state;
    size_t i;
    json_t *vector;
    json_array_foreach(vectors("runs"), i, vector) {
        current = name_of(vector, "name");
        fob_slice_t bytes = hex_at(vector, "hex");
        fob_buf_t out = {0};
        fob_runs_t runs;
        fob_run_t run;
        size_t rows = 0;
        fob_runs(bytes, &runs);
        fob_pack_array(&out, runs.left);
        for (; fob_runs_next(&runs, &run); rows++) {
            if (flag(vector, "good"))
                check_row(&run, vector, rows);
            fob_run_write(&out, run.at, (unsigned)uint_at(vector, "width"));
        }
        CHECK(!runs.cursor.failed == flag(vector, "good"));
        if (flag(vector, "good"))
            CHECK(rows == json_array_size(json_object_get(vector, "rows")));
        if (flag(vector, "canonical"))
            check_bytes(&out, bytes);
        fob_buf_free(&out);
        drop(bytes);
    }
}

/* --- casts --- */

static void check_cast(const fob_cast_t *got, const json_t *vector) {
    check_text(got->topic, vector, "topic");
    check_uint(got->kind, vector, "kind");
    check_uint(got->shard, vector, "shard");
    check_uint(got->epoch, vector, "epoch");
    check_uint(got->offset, vector, "offset");
    check_uint(got->count, vector, "count");
    check_uint(got->prev, vector, "prev");
    check_uint((uint64_t)got->time_ms, vector, "time");
    check_uint(got->source, vector, "source");
    check_uint(got->seq, vector, "seq");
}

static void casts_are_read_and_written_as_the_vectors_say(void **state) {
    (void)state;
    size_t i;
    json_t *vector;
    json_array_foreach(vectors("casts"), i, vector) {
        current = name_of(vector, "name");
        fob_slice_t bytes = hex_at(vector, "hex");
        fob_cast_t got;
        fob_status_t status = fob_cast_read(bytes, &got);
        CHECK(strcmp(fob_status_name(status), status_of(vector)) == 0);
        if (status == FOB_OK)
            check_cast(&got, vector);
        if (flag(vector, "canonical")) {
            fob_buf_t out = {0};
            CHECK(fob_cast_write(&out, &got) == FOB_OK);
            check_bytes(&out, bytes);
            fob_buf_free(&out);
        }
        drop(bytes);
    }
}

FOB_MAIN(FOB_CASE_WITH(codes_and_verbs_have_the_numbers_of_the_protocol, NULL, drop_root),
         FOB_CASE_WITH(topics_are_judged_as_the_vectors_say, NULL, drop_root),
         FOB_CASE_WITH(patterns_match_what_the_vectors_say, NULL, drop_root),
         FOB_CASE_WITH(events_are_read_as_the_vectors_say, NULL, drop_root),
         FOB_CASE_WITH(events_are_written_as_the_vectors_say, NULL, drop_root),
         FOB_CASE_WITH(headers_are_read_and_written_as_the_vectors_say, NULL, drop_root),
         FOB_CASE_WITH(every_verb_and_every_field_has_a_vector, NULL, drop_root),
         FOB_CASE_WITH(runs_are_read_and_written_as_the_vectors_say, NULL, drop_root),
         FOB_CASE_WITH(casts_are_read_and_written_as_the_vectors_say, NULL, drop_root))
