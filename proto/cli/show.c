#include "proto/cli/show.h"

#include "proto/cli/json.h"
#include "proto/cli/utf8.h"
#include "proto/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define NARROW     100 /* columns of a terminal, below which padding is saved */
#define NAME_WIDE  24
#define NAME_LEAST 16

typedef enum { DATA_MSGPACK, DATA_JSON, DATA_TEXT, DATA_BYTES } data_kind_t;

static bool type_is(fob_slice_t type, const char *name) {
    size_t size = strlen(name);
    return type.size >= size && memcmp(type.data, name, size) == 0 &&
           (type.size == size || type.data[size] == ';');
}

static data_kind_t kind_of(const fob_envelope_t *event) {
    fob_slice_t type = event->datacontenttype;
    if (type.size == 0 || type_is(type, "application/msgpack"))
        return DATA_MSGPACK;
    if (type_is(type, "application/json"))
        return DATA_JSON;
    if (type.size > 5 && memcmp(type.data, "text/", 5) == 0)
        return DATA_TEXT;
    return DATA_BYTES;
}

/* Other clients may send JSON text as it is: shown in our form, on one line. */
static bool print_json_text(fob_slice_t data, fob_buf_t *out) {
    fob_buf_t packed = {0};
    fob_json_error_t error;
    bool ok = fob_json_pack(data, &packed, &error) == FOB_OK &&
              fob_json_print(fob_buf_slice(&packed), out);
    fob_buf_free(&packed);
    return ok;
}

/* Appends the data as JSON; false: it has no JSON form, nothing was appended. */
static bool print_data(const fob_envelope_t *event, fob_buf_t *out) {
    switch (kind_of(event)) {
    case DATA_MSGPACK:
        return fob_json_print(event->data, out);
    case DATA_JSON:
        return print_json_text(event->data, out);
    case DATA_TEXT:
        if (!fob_utf8_valid(event->data))
            return false;
        fob_json_string(out, event->data);
        return true;
    case DATA_BYTES:
        break;
    }
    return false;
}

bool fob_show_time(fob_buf_t *out, int64_t time_ms) {
    int64_t ms = time_ms % 1000;
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm date;
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    if (!gmtime_r(&seconds, &date) || date.tm_year < -1900 || date.tm_year > 9999 - 1900)
        return false;
    fob_textf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", date.tm_year + 1900, date.tm_mon + 1,
              date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec, (int)ms);
    return true;
}

static void put_time(fob_buf_t *out, int64_t time_ms) {
    size_t before = out->size;
    fob_text(out, "\"");
    if (fob_show_time(out, time_ms))
        fob_text(out, "\"");
    else {
        out->size = before;
        fob_text(out, "null");
    }
}

static void put_id(fob_buf_t *out, const fob_event_t *event, fob_slice_t id) {
    uint64_t offset = fob_event_offset(event);
    if (id.size > 0)
        fob_json_string(out, id);
    else if (offset > 0)
        fob_textf(out, "\"%" PRIu32 "-%" PRIu64 "\"", fob_event_shard(event), offset);
    else
        fob_text(out, "null");
}

static void put_headers(fob_buf_t *out, fob_slice_t headers) {
    fob_slice_t name, value;
    size_t at = 0;
    const char *before = "";
    fob_text(out, "{");
    while (fob_headers_next(headers, &at, &name, &value)) {
        fob_text(out, before);
        fob_json_string(out, name);
        fob_text(out, ":");
        fob_json_string(out, value);
        before = ",";
    }
    fob_text(out, "}");
}

void fob_show_json(fob_buf_t *out, const fob_event_t *event) {
    const fob_envelope_t *inside = fob_event_envelope(event);
    uint64_t offset = fob_event_offset(event), epoch = fob_event_epoch(event);
    fob_text(out, "{\"topic\":");
    fob_json_string(out, inside->topic);
    fob_textf(out, ",\"shard\":%" PRIu32 ",\"offset\":", fob_event_shard(event));
    if (offset > 0)
        fob_textf(out, "%" PRIu64, offset);
    else
        fob_text(out, "null");
    fob_text(out, ",\"epoch\":");
    if (epoch > 0)
        fob_textf(out, "%" PRIu64, epoch);
    else
        fob_text(out, "null");
    fob_text(out, ",\"id\":");
    put_id(out, event, inside->id);
    fob_text(out, ",\"time\":");
    put_time(out, fob_event_time(event));
    fob_text(out, ",\"key\":");
    if (inside->key.size > 0)
        fob_json_string(out, inside->key);
    else
        fob_text(out, "null");
    fob_textf(out, ",\"attempt\":%" PRIu32 ",\"headers\":", fob_event_attempt(event));
    put_headers(out, inside->headers);
    size_t before = out->size;
    fob_text(out, ",\"data\":");
    if (!print_data(inside, out)) {
        out->size = before;
        fob_text(out, ",\"data_base64\":");
        fob_json_base64(out, inside->data);
    }
    fob_text(out, "}");
}

void fob_show_data(fob_buf_t *out, const fob_event_t *event) {
    const fob_envelope_t *inside = fob_event_envelope(event);
    if (kind_of(inside) == DATA_MSGPACK && fob_json_print(inside->data, out))
        fob_text(out, "\n");
    else
        fob_buf_put(out, inside->data.data, inside->data.size);
}

/* --- for eyes --- */

#define DIM   "\033[2m"
#define BOLD  "\033[1m"
#define CYAN  "\033[36m"
#define PLAIN "\033[0m"

static void paint(fob_buf_t *out, bool colour, const char *code) {
    if (colour)
        fob_text(out, code);
}

static const char *kind_name(const fob_envelope_t *event) {
    static const char *const names[] = {"msgpack", "json", "text", "bytes"};
    return names[kind_of(event)];
}

/* Cuts what was appended since `from` to `columns` characters; an ellipsis is the last of them. */
static void cut(fob_buf_t *out, size_t from, size_t columns) {
    size_t at = from, shown = 0, last = from;
    while (at < out->size && shown < columns) {
        size_t step = fob_utf8_step(out->data + at, out->size - at);
        last = at;
        at += step ? step : 1;
        shown++;
    }
    if (at < out->size) {
        out->size = last;
        fob_text(out, "\xe2\x80\xa6");
    }
}

/* HH:MM:SS.mmm in local time. */
static void put_clock(fob_buf_t *out, int64_t time_ms) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm date;
    if (time_ms >= 0 && localtime_r(&seconds, &date))
        fob_textf(out, "%02d:%02d:%02d.%03d", date.tm_hour, date.tm_min, date.tm_sec,
                  (int)(time_ms % 1000));
    else
        fob_text(out, "--:--:--.---");
}

/* On a narrow screen less is for names and padding, so that some data is seen, and a third of it is
 * the most for a name. Returns how many of the bytes take no column. */
static size_t put_name(fob_buf_t *out, fob_slice_t name, bool narrow, size_t columns) {
    size_t most = columns / 3 > NAME_LEAST ? columns / 3 : NAME_LEAST;
    int wide = narrow ? NAME_LEAST : NAME_WIDE;
    if (columns == 0 || name.size <= most) {
        fob_textf(out, "%-*.*s", wide, (int)name.size, (const char *)name.data);
        return 0;
    }
    fob_textf(out, "%.*s\xe2\x80\xa6", (int)most - 1, (const char *)name.data);
    return 2;
}

void fob_show_eyes(fob_buf_t *out, const fob_event_t *event, bool colour, size_t columns) {
    const fob_envelope_t *inside = fob_event_envelope(event);
    size_t start = out->size, painted;
    bool narrow = columns > 0 && columns < NARROW;
    char place[32];
    paint(out, colour, DIM);
    put_clock(out, fob_event_time(event));
    paint(out, colour, PLAIN CYAN);
    fob_text(out, "  ");
    size_t unseen = put_name(out, inside->topic, narrow, columns);
    paint(out, colour, PLAIN BOLD);
    snprintf(place, sizeof place, fob_event_offset(event) ? "%" PRIu64 : "-",
             fob_event_offset(event));
    fob_textf(out, " %*s", narrow ? 6 : 9, place);
    paint(out, colour, PLAIN DIM);
    fob_textf(out, " %*zu B  %-7s  ", narrow ? 5 : 7, inside->data.size, kind_name(inside));
    paint(out, colour, PLAIN);
    /* What the colours take is not seen. */
    painted = colour ? strlen(DIM PLAIN CYAN PLAIN BOLD PLAIN DIM PLAIN) : 0;
    size_t used = out->size - start - painted - unseen, data_at = out->size;
    if (!print_data(inside, out))
        fob_json_base64(out, inside->data);
    if (columns > 0)
        cut(out, data_at, columns > used + 8 ? columns - used : 8);
    fob_text(out, "\n");
}
