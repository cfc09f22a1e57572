/* fuzz_event: any bytes as a batch of events, as they come in a PUBLISH, a DELIVER or a broadcast.
 */
#include "proto/event.h"
#include "proto/topic.h"
#include "tests/fuzz/fuzz.h"

static void same(fob_slice_t a, fob_slice_t b) {
    FUZZ_RULE(fob_slice_eq(a, b));
}

/* What was accepted can be written again, and then says the same. */
static void rewrite(const fob_envelope_t *event) {
    fob_buf_t out = {0};
    fob_envelope_t again;
    FUZZ_RULE(fob_envelope_write(&out, UINT64_MAX, event) == FOB_OK);
    fob_cursor_t cursor = fob_cursor(fob_buf_slice(&out));
    FUZZ_RULE(fob_envelope_read(&cursor, UINT64_MAX, &again) == FOB_OK);
    FUZZ_RULE(fob_cursor_end(&cursor));
    same(again.topic, event->topic);
    same(again.id, event->id);
    same(again.key, event->key);
    same(again.source, event->source);
    same(again.datacontenttype, event->datacontenttype);
    same(again.traceparent, event->traceparent);
    same(again.headers, event->headers);
    same(again.data, event->data);
    FUZZ_RULE(again.time_ms == event->time_ms && again.priority == event->priority);
    FUZZ_RULE(again.delay_ms == event->delay_ms && again.ttl_ms == event->ttl_ms);
    fob_buf_free(&out);
}

/* What a handler may ask for. */
static void hand_out(fob_blob_t *blob, fob_slice_t bytes) {
    const fob_event_place_t place = {.shard = UINT32_MAX, .offset = UINT64_MAX};
    fob_event_t *event = fob_event_new(NULL, blob, bytes, &place);
    const char *name, *value;
    size_t size = 0;
    FUZZ_RULE(event != NULL);
    for (size_t i = 0; fob_event_header_at(event, i, &name, &value); i++)
        FUZZ_RULE(i > 8 || fob_event_header(event, name) != NULL);
    FUZZ_RULE(fob_event_topic(event)[0] != 0);
    FUZZ_RULE(fob_event_id(event)[0] != 0);
    FUZZ_RULE(fob_event_content_type(event)[0] != 0);
    fob_event_traceparent(event);
    fob_event_source(event);
    fob_event_key(event);
    fob_event_data(event, &size);
    FUZZ_RULE(size <= bytes.size);
    fob_event_destroy(&event);
}

static void skim(fob_cursor_t from, const fob_envelope_t *event) {
    fob_slice_t topic, bytes;
    FUZZ_RULE(fob_envelope_skim(&from, &topic, &bytes));
    FUZZ_RULE(topic.data == event->topic.data && topic.size == event->topic.size);
    FUZZ_RULE(bytes.data == event->bytes.data && bytes.size == event->bytes.size);
}

static void glance(fob_cursor_t from, const fob_envelope_t *event) {
    fob_envelope_t seen;
    FUZZ_RULE(fob_envelope_glance(&from, &seen));
    FUZZ_RULE(seen.topic.data == event->topic.data && seen.bytes.size == event->bytes.size);
    FUZZ_RULE(seen.id.data == event->id.data && seen.id.size == event->id.size);
    FUZZ_RULE(seen.priority == event->priority && seen.data.data == event->data.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fob_blob_t *blob = fob_blob_copy(fob_slice(data, size));
    if (!blob)
        return 0;
    fob_cursor_t cursor = fob_cursor(fob_blob_slice(blob));
    while (!fob_cursor_end(&cursor) && !cursor.failed) {
        const fob_cursor_t before = cursor;
        fob_envelope_t event;
        fob_status_t status = fob_envelope_read(&cursor, 1000, &event);
        FUZZ_RULE(cursor.failed || cursor.at > before.at);
        FUZZ_RULE(status == FOB_BAD_EVENT || !cursor.failed);
        if (status == FOB_BAD_EVENT)
            continue;
        skim(before, &event);
        glance(before, &event);
        FUZZ_RULE((status == FOB_BAD_TOPIC) == !fob_topic_valid(event.topic));
        if (status == FOB_OK) {
            rewrite(&event);
            hand_out(blob, event.bytes);
        }
    }
    fob_blob_unref(&blob);
    return 0;
}
