/* envelope: the table of attributes, used by the reader and the writer. */
#include "proto/envelope.h"
#include "proto/topic.h"

#include <stddef.h>

#define EVENT_ELEMENTS   3
#define EVENT_LEVELS     (FOB_CURSOR_DEPTH - 1) /* nesting left inside the event's array */
#define ATTRIBUTE_LEVELS (FOB_CURSOR_DEPTH - 2) /* and inside the map of attributes */

typedef enum { TEXT, NUMBER, DIGIT, HEADERS } kind_t;

/* A known attribute: where it lies in fob_envelope_t, and its bounds: bytes of a TEXT, value of a
 * number. */
typedef struct {
    const char *name;
    uint8_t size; /* of the name */
    uint8_t kind;
    uint16_t offset;
    int64_t min;
    int64_t max;
} attribute_t;

#define ATTRIBUTE(name, member, kind, min, max)                                                    \
    { name, sizeof name - 1, kind, offsetof(fob_envelope_t, member), min, max }

/* In the order in which they are written. */
static const attribute_t attributes[] = {
    ATTRIBUTE("id", id, TEXT, 1, FOB_ID_MAX),
    ATTRIBUTE("key", key, TEXT, 1, FOB_ID_MAX),
    ATTRIBUTE("source", source, TEXT, 0, INT64_MAX),
    ATTRIBUTE("datacontenttype", datacontenttype, TEXT, 0, INT64_MAX),
    ATTRIBUTE("traceparent", traceparent, TEXT, 0, INT64_MAX),
    ATTRIBUTE("time", time_ms, NUMBER, INT64_MIN, INT64_MAX),
    ATTRIBUTE("priority", priority, DIGIT, 0, 9),
    ATTRIBUTE("delay", delay_ms, NUMBER, 0, FOB_SPAN_MAX_MS),
    ATTRIBUTE("ttl", ttl_ms, NUMBER, 0, FOB_SPAN_MAX_MS),
    ATTRIBUTE("headers", headers, HEADERS, 0, INT64_MAX),
};
#define ATTRIBUTE_COUNT (sizeof attributes / sizeof attributes[0])

static fob_slice_t *slice_of(fob_envelope_t *event, const attribute_t *attribute) {
    return (void *)((uint8_t *)event + attribute->offset);
}

static fob_slice_t slice_in(const fob_envelope_t *event, const attribute_t *attribute) {
    return *(const fob_slice_t *)(const void *)((const uint8_t *)event + attribute->offset);
}

static int64_t number_in(const fob_envelope_t *event, const attribute_t *attribute) {
    const void *at = (const uint8_t *)event + attribute->offset;
    return attribute->kind == DIGIT ? *(const uint8_t *)at : *(const int64_t *)at;
}

static bool in_bounds(const attribute_t *attribute, int64_t value) {
    return value >= attribute->min && value <= attribute->max;
}

/* Handlers get strings that end in a zero byte: one within would cut them in silence. */
static bool text_valid(fob_slice_t text) {
    return text.size == 0 || !memchr(text.data, 0, text.size);
}

static bool headers_read(fob_cursor_t *cursor, fob_slice_t *out) {
    const uint8_t *start = cursor->at;
    uint32_t count;
    if (!fob_cursor_map(cursor, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        fob_slice_t name, value;
        if (!fob_cursor_str(cursor, &name) || !fob_cursor_str(cursor, &value))
            return false;
        if (!text_valid(name) || !text_valid(value))
            return false;
    }
    *out = fob_slice(start, (size_t)(cursor->at - start));
    return true;
}

static bool text_read(fob_cursor_t *cursor, const attribute_t *attribute, fob_slice_t *out) {
    return fob_cursor_str(cursor, out) && in_bounds(attribute, (int64_t)out->size) &&
           text_valid(*out);
}

static bool number_read(fob_cursor_t *cursor, const attribute_t *attribute, fob_envelope_t *out) {
    int64_t value;
    if (!fob_cursor_int(cursor, &value) || !in_bounds(attribute, value))
        return false;
    void *at = (uint8_t *)out + attribute->offset;
    if (attribute->kind == DIGIT)
        *(uint8_t *)at = (uint8_t)value;
    else
        *(int64_t *)at = value;
    return true;
}

static bool attribute_read(fob_cursor_t *cursor, const attribute_t *attribute,
                           fob_envelope_t *out) {
    switch ((kind_t)attribute->kind) {
    case TEXT:
        return text_read(cursor, attribute, slice_of(out, attribute));
    case HEADERS:
        return headers_read(cursor, slice_of(out, attribute));
    case NUMBER:
    case DIGIT:
        return number_read(cursor, attribute, out);
    }
    return false;
}

/* The number of a known attribute, or ATTRIBUTE_COUNT. */
static size_t attribute_find(fob_slice_t name) {
    size_t i = 0;
    while (i < ATTRIBUTE_COUNT && !(attributes[i].size == name.size &&
                                    memcmp(attributes[i].name, name.data, name.size) == 0))
        i++;
    return i;
}

/* False: not a map of str to value, or a known attribute twice or not as it must be. */
static bool attributes_read(fob_cursor_t *cursor, fob_envelope_t *out) {
    uint32_t count, seen = 0;
    if (!fob_cursor_map(cursor, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        fob_slice_t name;
        if (!fob_cursor_str(cursor, &name))
            return false;
        size_t known = attribute_find(name);
        if (known == ATTRIBUTE_COUNT) {
            if (!fob_cursor_skip_within(cursor, ATTRIBUTE_LEVELS, NULL))
                return false;
            continue;
        }
        if (seen & 1u << known || !attribute_read(cursor, &attributes[known], out))
            return false;
        seen |= 1u << known;
    }
    return true;
}

static bool elements_skip(fob_cursor_t *cursor, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!fob_cursor_skip_within(cursor, EVENT_LEVELS, NULL))
            return false;
    return true;
}

static fob_status_t event_read(fob_cursor_t *cursor, uint64_t max_data, fob_envelope_t *out) {
    const uint8_t *start = cursor->at;
    uint32_t count;
    if (!fob_cursor_array(cursor, &count) || count < EVENT_ELEMENTS)
        return FOB_BAD_EVENT;
    if (!fob_cursor_str(cursor, &out->topic))
        return FOB_BAD_EVENT;
    const uint8_t *map = cursor->at;
    if (!attributes_read(cursor, out))
        return FOB_BAD_EVENT;
    size_t map_size = (size_t)(cursor->at - map);
    if (!fob_cursor_bin(cursor, &out->data) || !elements_skip(cursor, count - EVENT_ELEMENTS))
        return FOB_BAD_EVENT;
    out->bytes = fob_slice(start, (size_t)(cursor->at - start));
    if (map_size > FOB_ATTRIBUTES_MAX || out->data.size > max_data)
        return FOB_TOO_LARGE;
    return FOB_OK;
}

fob_status_t fob_envelope_read_any(fob_cursor_t *cursor, uint64_t max_data, fob_envelope_t *out) {
    fob_cursor_t start = *cursor;
    memset(out, 0, sizeof *out);
    fob_status_t status = event_read(cursor, max_data, out);
    if (status == FOB_BAD_EVENT) {
        *cursor = start;
        if (!fob_cursor_skip(cursor, NULL))
            cursor->at = start.at;
    }
    return status;
}

fob_status_t fob_envelope_read(fob_cursor_t *cursor, uint64_t max_data, fob_envelope_t *out) {
    fob_status_t status = fob_envelope_read_any(cursor, max_data, out);
    return status == FOB_BAD_EVENT || fob_topic_valid(out->topic) ? status : FOB_BAD_TOPIC;
}

/* Steps over the map of attributes, whose first byte says that it is empty in most events. */
static bool attributes_skip(fob_cursor_t *cursor) {
    if (fob_cursor_left(cursor) && *cursor->at == 0x80) {
        cursor->at++;
        return true;
    }
    return fob_cursor_skip_within(cursor, EVENT_LEVELS, NULL);
}

bool fob_envelope_skim(fob_cursor_t *cursor, fob_slice_t *topic, fob_slice_t *bytes) {
    const uint8_t *start = cursor->at;
    fob_slice_t data;
    uint32_t count;
    if (!fob_cursor_array(cursor, &count) || count < EVENT_ELEMENTS ||
        !fob_cursor_str(cursor, topic) || !attributes_skip(cursor) ||
        !fob_cursor_bin(cursor, &data) || !elements_skip(cursor, count - EVENT_ELEMENTS)) {
        cursor->failed = true;
        return false;
    }
    *bytes = fob_slice(start, (size_t)(cursor->at - start));
    return true;
}

/* One attribute of an event that was checked before: kept where a glance gives it. */
static bool attribute_glance(fob_cursor_t *cursor, fob_envelope_t *out) {
    fob_slice_t name;
    int64_t value;
    if (!fob_cursor_str(cursor, &name))
        return false;
    if (name.size == 2 && memcmp(name.data, "id", 2) == 0)
        return fob_cursor_str(cursor, &out->id) && out->id.size <= FOB_ID_MAX;
    if (name.size == 15 && memcmp(name.data, "datacontenttype", 15) == 0)
        return fob_cursor_str(cursor, &out->datacontenttype);
    if (name.size != 8 || memcmp(name.data, "priority", 8) != 0)
        return fob_cursor_skip_within(cursor, ATTRIBUTE_LEVELS, NULL);
    if (!fob_cursor_int(cursor, &value) || value < 0 || value > 9)
        return false;
    out->priority = (uint8_t)value;
    return true;
}

bool fob_envelope_glance(fob_cursor_t *cursor, fob_envelope_t *out) {
    const uint8_t *start = cursor->at;
    uint32_t count, attributes_left;
    out->id = out->datacontenttype = (fob_slice_t){0};
    out->priority = 0;
    bool good = fob_cursor_array(cursor, &count) && count >= EVENT_ELEMENTS &&
                fob_cursor_str(cursor, &out->topic) && fob_cursor_map(cursor, &attributes_left);
    for (; good && attributes_left > 0; attributes_left--)
        good = attribute_glance(cursor, out);
    if (!good || !fob_cursor_bin(cursor, &out->data) ||
        !elements_skip(cursor, count - EVENT_ELEMENTS)) {
        cursor->failed = true;
        return false;
    }
    out->bytes = fob_slice(start, (size_t)(cursor->at - start));
    return true;
}

static bool headers_valid(fob_slice_t headers) {
    fob_cursor_t cursor = fob_cursor(headers);
    fob_slice_t all;
    return headers_read(&cursor, &all) && fob_cursor_end(&cursor);
}

/* Whether an attribute of an event to write is there: absent is empty or zero. */
static bool attribute_present(const fob_envelope_t *event, const attribute_t *attribute) {
    if (attribute->kind == TEXT || attribute->kind == HEADERS)
        return slice_in(event, attribute).size > 0;
    return number_in(event, attribute) != 0;
}

/* Whether a present attribute is as it must be. */
static bool attribute_valid(const fob_envelope_t *event, const attribute_t *attribute) {
    if (attribute->kind == HEADERS)
        return headers_valid(slice_in(event, attribute));
    if (attribute->kind != TEXT)
        return in_bounds(attribute, number_in(event, attribute));
    fob_slice_t text = slice_in(event, attribute);
    return text.size <= (uint64_t)attribute->max && text_valid(text);
}

/* The bytes that an attribute's value holds; a number's do not matter. */
static size_t attribute_size(const fob_envelope_t *event, const attribute_t *attribute) {
    bool bytes = attribute->kind == TEXT || attribute->kind == HEADERS;
    return bytes ? slice_in(event, attribute).size : 0;
}

static void attribute_write(fob_buf_t *out, const fob_envelope_t *event,
                            const attribute_t *attribute) {
    fob_pack_str(out, fob_slice(attribute->name, attribute->size));
    if (attribute->kind == TEXT) {
        fob_pack_str(out, slice_in(event, attribute));
    } else if (attribute->kind == HEADERS) {
        fob_slice_t headers = slice_in(event, attribute);
        fob_buf_put(out, headers.data, headers.size);
    } else {
        fob_pack_int(out, number_in(event, attribute));
    }
}

/* Whether it has none at all, as most have. The test of the table below, in one go. */
static bool attributes_absent(const fob_envelope_t *e) {
    return !(e->id.size | e->key.size | e->source.size | e->datacontenttype.size |
             e->traceparent.size | e->headers.size | (uint64_t)e->time_ms | e->priority |
             (uint64_t)e->delay_ms | (uint64_t)e->ttl_ms);
}

static fob_status_t attributes_write(fob_buf_t *out, const fob_envelope_t *event) {
    bool present[ATTRIBUTE_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        present[i] = attribute_present(event, &attributes[i]);
        if (present[i] && !attribute_valid(event, &attributes[i]))
            return FOB_INVALID;
        if (present[i] && attribute_size(event, &attributes[i]) > FOB_ATTRIBUTES_MAX)
            return FOB_TOO_LARGE; /* before it is copied */
        count += present[i];
    }
    size_t start = out->size;
    fob_pack_map(out, count);
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        if (present[i])
            attribute_write(out, event, &attributes[i]);
    return out->size - start > FOB_ATTRIBUTES_MAX ? FOB_TOO_LARGE : FOB_OK;
}

/* Whether all of it has a short form: most events. */
static bool is_plain(const fob_envelope_t *event) {
    return event->topic.size <= 0x1f && event->data.size <= 0xffff && attributes_absent(event);
}

/* A plain event at once, as the same bytes that the general way writes. */
static fob_status_t plain_write(fob_buf_t *out, const fob_envelope_t *event) {
    size_t topic = event->topic.size, data = event->data.size;
    if (!fob_buf_room(out, topic + data + 6)) {
        out->failed = false;
        return FOB_NO_MEMORY;
    }
    uint8_t *at = out->data + out->size;
    *at++ = 0x90 | EVENT_ELEMENTS;
    *at++ = (uint8_t)(0xa0 | topic);
    memcpy(at, event->topic.data, topic);
    at += topic;
    *at++ = 0x80; /* no attributes */
    *at++ = data <= 0xff ? 0xc4 : 0xc5;
    if (data > 0xff)
        *at++ = (uint8_t)(data >> 8);
    *at++ = (uint8_t)data;
    if (data)
        memcpy(at, event->data.data, data);
    out->size = (size_t)(at - out->data) + data;
    return FOB_OK;
}

fob_status_t fob_envelope_write(fob_buf_t *out, uint64_t max_data, const fob_envelope_t *event) {
    if (out->failed)
        return FOB_NO_MEMORY;
    if (!event->topic_known && !fob_topic_valid(event->topic))
        return FOB_BAD_TOPIC;
    if (event->data.size > max_data || event->data.size > UINT32_MAX)
        return FOB_TOO_LARGE;
    if (is_plain(event))
        return plain_write(out, event);
    size_t before = out->size;
    fob_pack_array(out, EVENT_ELEMENTS);
    fob_pack_str(out, event->topic);
    fob_status_t status = attributes_write(out, event);
    if (status == FOB_OK)
        fob_pack_bin(out, event->data);
    if (status == FOB_OK && out->failed)
        status = FOB_NO_MEMORY;
    if (status != FOB_OK) {
        out->size = before;
        out->failed = false;
    }
    return status;
}

bool fob_headers_next(fob_slice_t headers, size_t *at, fob_slice_t *name, fob_slice_t *value) {
    fob_cursor_t cursor = fob_cursor(headers);
    uint32_t count;
    if (*at == 0) {
        if (!fob_cursor_map(&cursor, &count))
            return false;
    } else {
        cursor.at += *at;
    }
    if (!fob_cursor_str(&cursor, name) || !fob_cursor_str(&cursor, value))
        return false;
    *at = (size_t)(cursor.at - headers.data);
    return true;
}
