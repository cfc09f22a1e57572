/* envelope: an event's encoding, read in place and written once.
 *
 *   event      = [topic, attributes, data]        a msgpack array of three (more are skipped)
 *   topic      = str, a valid topic
 *   attributes = map of str to value; known keys below, unknown keys skipped
 *   data       = bin, opaque to the bus
 *
 * The same bytes go from the publisher's batch to the segment to the delivery: the bus checks and
 * copies, it never re-encodes. A batch is events one after the other with nothing between. */
#ifndef FOB_ENVELOPE_H
#define FOB_ENVELOPE_H

#include "proto/buf.h"
#include "proto/cursor.h"
#include <fob/fob_status.h>

#define FOB_ATTRIBUTES_MAX 16384                  /* bytes of the encoded attributes map */
#define FOB_ID_MAX         255                    /* bytes of id and of key */
#define FOB_SPAN_MAX_MS    INT64_C(3155760000000) /* delay, ttl: a century, so that sums fit */

typedef struct {
    fob_slice_t topic;
    fob_slice_t id;              /* "id": dedup key; absent: empty */
    fob_slice_t key;             /* "key": ordering key; absent: empty */
    fob_slice_t source;          /* "source" */
    fob_slice_t datacontenttype; /* "datacontenttype"; absent means application/msgpack */
    fob_slice_t traceparent;     /* "traceparent" */
    fob_slice_t headers;         /* "headers": the encoded map of str to str; absent: empty */
    int64_t time_ms;             /* "time": the producer's, Unix ms; absent: 0 */
    int64_t delay_ms;            /* "delay": ms; absent: 0 */
    int64_t ttl_ms;              /* "ttl": ms; absent: 0 */
    uint8_t priority;            /* "priority": 0-9; absent: 0 */
    fob_slice_t data;
    fob_slice_t bytes; /* read: the whole event as encoded; ignored by write */
    bool topic_known;  /* write: the topic was found to be valid before; else false */
} fob_envelope_t;

/* Reads the event at the cursor and steps past it. Slices point into the cursor's bytes.
 * FOB_OK; FOB_BAD_EVENT: not an event, or an attribute of the wrong type or over its limit;
 * FOB_BAD_TOPIC; FOB_TOO_LARGE: data above `max_data` bytes or attributes above FOB_ATTRIBUTES_MAX.
 * With FOB_BAD_TOPIC and FOB_TOO_LARGE the cursor still stands behind the event, and `out` is
 * filled. With FOB_BAD_EVENT it stands behind the value if that is whole msgpack; else it is
 * failed, and what follows is lost too. */
fob_status_t fob_envelope_read(fob_cursor_t *cursor, uint64_t max_data,
                               fob_envelope_t *out) FOB_MUST_USE;

/* The same, but whether the topic is a valid one is left to the caller: who reads a batch has
 * mostly seen the same one just before. Never FOB_BAD_TOPIC. */
fob_status_t fob_envelope_read_any(fob_cursor_t *cursor, uint64_t max_data,
                                   fob_envelope_t *out) FOB_MUST_USE;

/* Steps over one event that was checked before, giving its topic and bytes: the fast way. False:
 * not an event (the bytes were not checked before, or damaged since). */
bool fob_envelope_skim(fob_cursor_t *cursor, fob_slice_t *topic, fob_slice_t *bytes);

/* The same, giving also id, datacontenttype, priority and data; all else in `out` is not set. */
bool fob_envelope_glance(fob_cursor_t *cursor, fob_envelope_t *out);

/* Appends the event. FOB_OK; FOB_BAD_TOPIC; FOB_INVALID: an attribute over its limit;
 * FOB_TOO_LARGE; FOB_NO_MEMORY. On failure the buffer is as it was. */
fob_status_t fob_envelope_write(fob_buf_t *out, uint64_t max_data,
                                const fob_envelope_t *event) FOB_MUST_USE;

/* Steps through encoded headers: *at starts at 0; false at the end. */
bool fob_headers_next(fob_slice_t headers, size_t *at, fob_slice_t *name, fob_slice_t *value);

#endif
