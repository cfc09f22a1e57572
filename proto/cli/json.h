/* json: JSON text in, msgpack out, and back. Nothing is rounded in silence: what has no exact form
 * on the other side is refused. Pure; any thread. */
#ifndef FOB_CLI_JSON_H
#define FOB_CLI_JSON_H

#include "proto/buf.h"
#include "proto/cursor.h"
#include <fob/fob_status.h>

#define FOB_JSON_DEPTH 512 /* nesting of arrays and objects, both ways */

/* What is wrong with a text. */
typedef struct {
    char text[200]; /* "column 7: ...", or what cannot be kept */
    bool syntax;    /* it is not JSON at all; false: JSON that we refuse (a number too big, a name
                       twice) */
} fob_json_error_t;

/* Appends the one JSON value of `text` (any value, also a lone number or string) as msgpack.
 * Integers that fit 64 bits (signed or unsigned) stay exact, bigger ones are refused, other numbers
 * become doubles; objects keep their order; a name twice in an object is refused. FOB_OK;
 * FOB_BAD_EVENT: *error says why; FOB_NO_MEMORY. On failure the buffer is as it was. */
fob_status_t fob_json_pack(fob_slice_t text, fob_buf_t *out, fob_json_error_t *error) FOB_MUST_USE;

/* Appends the one msgpack value of `data` as JSON text on one line; doubles with 17 digits. False:
 * it has no JSON form (bytes, ext, a map's key that is no string, NaN, infinity, text that is no
 * UTF-8, nesting above FOB_JSON_DEPTH, more or less than one value), or no memory (out->failed).
 * Then the buffer is as it was. */
bool fob_json_print(fob_slice_t data, fob_buf_t *out) FOB_MUST_USE;

/* Appends a JSON string of UTF-8 text. What is no UTF-8 becomes U+FFFD; control characters, also
 * those above 0x7e that a terminal might obey, become \u00XX. */
void fob_json_string(fob_buf_t *out, fob_slice_t text);
/* Appends a JSON string of the bytes in base64. */
void fob_json_base64(fob_buf_t *out, fob_slice_t bytes);

/* Appends the bytes of a C string; of printf's. */
void fob_text(fob_buf_t *out, const char *text);
void fob_textf(fob_buf_t *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends the data of the event at a /json/pointer (RFC 6901) within a msgpack value: strings as
 * they are, integers as digits. FOB_OK; FOB_INVALID: not a pointer; FOB_BAD_EVENT: nothing is
 * there, or nothing that can name an event. */
fob_status_t fob_json_pointer(fob_slice_t data, const char *pointer, fob_buf_t *out) FOB_MUST_USE;
/* True if the text is a /json/pointer. */
bool fob_json_pointer_valid(const char *pointer);

#endif
