/* event: one allocation: the struct and, behind it, room for the strings, which are made when asked
 * for. */
#include "proto/event.h"
#include "proto/topic.h"

#include <inttypes.h>
#include <stdio.h>

#define PLACE_SIZE sizeof "4294967295-18446744073709551615"

typedef struct fob_event_strings {
    const char *topic;
    const char *id;
    const char *key;
    const char *content_type;
    const char *source;
    const char *traceparent;
} fob_event_strings_t;

/* Handlers hold a const pointer: what is filled in lazily lies behind `lazy`. */
typedef struct {
    fob_event_strings_t strings; /* NULL: not made yet, or absent */
    char *free;                  /* the next free byte of the room */
    char *headers;               /* name, zero, value, zero, ...; NULL: not made yet */
    char *headers_end;
    size_t walk_index; /* the header at `walk`: asking for one after the other costs no search */
    const char *walk;
} lazy_t;

struct fob_event {
    fob_blob_t *blob;
    fob_event_place_t place;
    fob_envelope_t envelope;
    lazy_t *lazy; /* the struct behind this one, in the same allocation */
};

typedef struct {
    fob_event_t event;
    lazy_t lazy;
    char room[];
} whole_t;

/* Every string there may be, each with its zero byte. An encoded header string is longer than its
 * bytes, so the zero bytes of these are paid for. */
static size_t room_size(const fob_envelope_t *e) {
    return e->topic.size + 1 + (e->id.size > 0 ? e->id.size + 1 : PLACE_SIZE) + e->key.size + 1 +
           e->datacontenttype.size + 1 + e->source.size + 1 + e->traceparent.size + 1 +
           e->headers.size;
}

fob_event_t *fob_event_new(fob_pool_t *pool, fob_blob_t *blob, fob_slice_t bytes,
                           const fob_event_place_t *place) {
    fob_envelope_t envelope;
    fob_cursor_t cursor = fob_cursor(bytes);
    /* The bus's own topics are not for publishing, but they are delivered. */
    fob_status_t status = fob_envelope_read(&cursor, UINT64_MAX, &envelope);
    bool own = status == FOB_BAD_TOPIC && fob_topic_is_sys(envelope.topic);
    if (status != FOB_OK && !own)
        return NULL;
    whole_t *whole = fob_pool_take(pool, sizeof *whole + room_size(&envelope));
    if (!whole)
        return NULL;
    whole->lazy = (lazy_t){.free = whole->room};
    whole->event = (fob_event_t){
        .blob = fob_blob_ref(blob),
        .place = *place,
        .envelope = envelope,
        .lazy = &whole->lazy,
    };
    return &whole->event;
}

void fob_event_destroy(fob_event_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_event_t *self = *self_p;
    *self_p = NULL;
    fob_blob_unref(&self->blob);
    fob_pool_give(self); /* it is the first in its whole_t */
}

const fob_envelope_t *fob_event_envelope(const fob_event_t *self) {
    return &self->envelope;
}

/* Copies the slice to `at` with a zero byte behind; returns the byte after it. */
static char *string_put(char *at, fob_slice_t slice) {
    if (slice.size > 0)
        memcpy(at, slice.data, slice.size);
    at[slice.size] = 0;
    return at + slice.size + 1;
}

/* The string of an attribute, made once; NULL: absent. */
static const char *string_of(lazy_t *lazy, const char **string, fob_slice_t slice) {
    if (*string || slice.size == 0)
        return *string;
    *string = lazy->free;
    lazy->free = string_put(lazy->free, slice);
    return *string;
}

const char *fob_event_topic(const fob_event_t *self) {
    return string_of(self->lazy, &self->lazy->strings.topic, self->envelope.topic);
}

const char *fob_event_id(const fob_event_t *self) {
    lazy_t *lazy = self->lazy;
    if (self->envelope.id.size > 0)
        return string_of(lazy, &lazy->strings.id, self->envelope.id);
    if (!lazy->strings.id) {
        snprintf(lazy->free, PLACE_SIZE, "%" PRIu32 "-%" PRIu64, self->place.shard,
                 self->place.offset);
        lazy->strings.id = lazy->free;
        lazy->free += PLACE_SIZE;
    }
    return lazy->strings.id;
}

const char *fob_event_key(const fob_event_t *self) {
    return string_of(self->lazy, &self->lazy->strings.key, self->envelope.key);
}

const char *fob_event_content_type(const fob_event_t *self) {
    const char *type =
        string_of(self->lazy, &self->lazy->strings.content_type, self->envelope.datacontenttype);
    return type ? type : "application/msgpack";
}

const char *fob_event_source(const fob_event_t *self) {
    return string_of(self->lazy, &self->lazy->strings.source, self->envelope.source);
}

const char *fob_event_traceparent(const fob_event_t *self) {
    return string_of(self->lazy, &self->lazy->strings.traceparent, self->envelope.traceparent);
}

/* Lays out the headers' strings one after the other, once. */
static void headers_make(const fob_event_t *self) {
    lazy_t *lazy = self->lazy;
    if (lazy->headers)
        return;
    lazy->headers = lazy->free;
    fob_slice_t name, value;
    size_t at = 0;
    while (fob_headers_next(self->envelope.headers, &at, &name, &value)) {
        lazy->free = string_put(lazy->free, name);
        lazy->free = string_put(lazy->free, value);
    }
    lazy->headers_end = lazy->free;
    lazy->walk = lazy->headers;
}

static const char *string_after(const char *string) {
    return string + strlen(string) + 1;
}

const char *fob_event_header(const fob_event_t *self, const char *name) {
    headers_make(self);
    const char *at = self->lazy->headers;
    while (at < self->lazy->headers_end) {
        const char *value = string_after(at);
        if (strcmp(at, name) == 0)
            return value;
        at = string_after(value);
    }
    return NULL;
}

int fob_event_header_at(const fob_event_t *self, size_t index, const char **name,
                        const char **value) {
    headers_make(self);
    lazy_t *lazy = self->lazy;
    if (index < lazy->walk_index) {
        lazy->walk_index = 0;
        lazy->walk = lazy->headers;
    }
    for (; lazy->walk < lazy->headers_end && lazy->walk_index < index; lazy->walk_index++)
        lazy->walk = string_after(string_after(lazy->walk));
    if (lazy->walk >= lazy->headers_end)
        return 0;
    *name = lazy->walk;
    *value = string_after(lazy->walk);
    return 1;
}

const void *fob_event_data(const fob_event_t *self, size_t *size) {
    if (size)
        *size = self->envelope.data.size;
    return self->envelope.data.data;
}

uint32_t fob_event_shard(const fob_event_t *self) {
    return self->place.shard;
}

uint64_t fob_event_offset(const fob_event_t *self) {
    return self->place.offset;
}

uint64_t fob_event_epoch(const fob_event_t *self) {
    return self->place.epoch;
}

int64_t fob_event_time(const fob_event_t *self) {
    return self->place.time_ms;
}

uint32_t fob_event_attempt(const fob_event_t *self) {
    return self->place.attempt;
}

uint64_t fob_event_token(const fob_event_t *self) {
    return self->place.token;
}
