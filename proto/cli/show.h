/* show: events for eyes and for scripts. One thread per event. */
#ifndef FOB_CLI_SHOW_H
#define FOB_CLI_SHOW_H

#include "proto/buf.h"
#include <fob/fob_event.h>

/* Appends the event as one JSON object, without a newline:
 * {"topic","shard","offset","epoch","id","time","key","attempt","headers","data"}; data without a
 * JSON form is "data_base64" instead. A fire-and-forget event has offset and epoch null, and id
 * null if it was given none. Check out->failed. */
void fob_show_json(fob_buf_t *out, const fob_event_t *event);

/* Appends the data as a handler reads it: msgpack as JSON text with a newline, everything else
 * (also msgpack without a JSON form) as its bytes. Check out->failed. */
void fob_show_data(fob_buf_t *out, const fob_event_t *event);

/* Appends one line for eyes, with its newline: time, topic, offset, size, type, data; attempt where
 * it is above 1. What a terminal could obey is escaped. `columns` above 0 cuts the data there.
 * Check out->failed. */
void fob_show_eyes(fob_buf_t *out, const fob_event_t *event, bool colour, size_t columns);

/* Appends Unix ms as RFC 3339, UTC, with ms: 2026-11-20T06:28:44.123Z. False, and nothing appended:
 * no such date. */
bool fob_show_time(fob_buf_t *out, int64_t time_ms);

#endif
