/* fuzz_json: any bytes as a line of JSON, as a msgpack value, as text, and as a pointer. What was
 * packed prints, and packs again as the same. */
#include "proto/cli/json.h"
#include "proto/cli/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* What is msgpack prints as a line, or does not print at all. */
static bool print(fob_slice_t data, fob_buf_t *line) {
    bool good = fob_json_print(data, line);
    FUZZ_RULE(!line->failed);
    FUZZ_RULE(good || line->size == 0);
    FUZZ_RULE(!good || line->size > 0);
    FUZZ_RULE(!good ||
              (fob_utf8_valid(fob_buf_slice(line)) && !memchr(line->data, '\n', line->size)));
    return good;
}

static void text(fob_slice_t line) {
    fob_buf_t once = {0}, printed = {0}, twice = {0};
    fob_json_error_t error = {{0}, false};
    fob_status_t status = fob_json_pack(line, &once, &error);
    FUZZ_RULE(status == FOB_OK || status == FOB_BAD_EVENT);
    FUZZ_RULE(status == FOB_OK || (error.text[0] && once.size == 0));
    FUZZ_RULE(strnlen(error.text, sizeof error.text) < sizeof error.text);
    if (status == FOB_OK) {
        FUZZ_RULE(print(fob_buf_slice(&once), &printed));
        FUZZ_RULE(fob_json_pack(fob_buf_slice(&printed), &twice, &error) == FOB_OK);
        FUZZ_RULE(fob_slice_eq(fob_buf_slice(&once), fob_buf_slice(&twice)));
    }
    fob_buf_free(&once);
    fob_buf_free(&printed);
    fob_buf_free(&twice);
}

/* A value that prints packs; perhaps in fewer bytes. Then it prints as the same. */
static void value(fob_slice_t data) {
    fob_buf_t line = {0}, packed = {0}, again = {0};
    fob_json_error_t error;
    if (print(data, &line) && fob_json_pack(fob_buf_slice(&line), &packed, &error) == FOB_OK) {
        FUZZ_RULE(print(fob_buf_slice(&packed), &again));
        FUZZ_RULE(fob_slice_eq(fob_buf_slice(&line), fob_buf_slice(&again)));
    }
    fob_buf_free(&line);
    fob_buf_free(&packed);
    fob_buf_free(&again);
}

/* Whatever the bytes are, they are one JSON string. */
static void string(fob_slice_t bytes) {
    fob_buf_t line = {0}, packed = {0};
    fob_json_error_t error;
    fob_json_string(&line, bytes);
    fob_status_t status = fob_json_pack(fob_buf_slice(&line), &packed, &error);
    FUZZ_RULE(status == FOB_OK);
    fob_buf_clear(&line);
    fob_json_base64(&line, bytes);
    FUZZ_RULE(line.size == (bytes.size + 2) / 3 * 4 + 2);
    fob_buf_free(&line);
    fob_buf_free(&packed);
}

/* The first zero byte ends the pointer; the value is behind it. */
static void pointer(fob_slice_t bytes) {
    const uint8_t *end = bytes.size ? memchr(bytes.data, 0, bytes.size) : NULL;
    fob_buf_t out = {0};
    if (!end)
        return;
    const char *path = (const char *)bytes.data;
    size_t size = (size_t)(end - bytes.data) + 1;
    fob_status_t status =
        fob_json_pointer(fob_slice(bytes.data + size, bytes.size - size), path, &out);
    FUZZ_RULE(status == FOB_OK || status == FOB_INVALID || status == FOB_BAD_EVENT);
    FUZZ_RULE((status == FOB_INVALID) == !fob_json_pointer_valid(path));
    fob_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fob_slice_t bytes = fob_slice(data, size);
    text(bytes);
    value(bytes);
    string(bytes);
    pointer(bytes);
    return 0;
}
