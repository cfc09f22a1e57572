/* receipts: see receipts.h. Records lie one after the other in one buffer that is used again once
 * it is read empty. */
#include "publishers/receipts.h"

#include <assert.h>
#include <stdlib.h>

/* A record: this, then topic, id and text, each with its zero byte; in all a multiple of
 * 8 bytes. */
typedef struct {
    uint64_t number;
    uint64_t offset;
    void *tag;
    uint32_t size; /* of the whole record */
    uint32_t groups;
    uint16_t status;
    uint16_t text; /* bytes, without its zero */
    uint8_t topic; /* likewise */
    uint8_t id;    /* likewise; RECORD_ID tells an empty one from none */
    uint8_t flags;
    uint8_t level;
} record_t;

enum { RECORD_ID = 1, RECORD_DUPLICATE = 2, RECORD_DIFFERS = 4 };

_Static_assert(sizeof(record_t) % 8 == 0, "the next record stays aligned");
_Static_assert(sizeof(record_t) + 2 * 256 + FOB_RECEIPT_TEXT + 8 <= FOB_RECEIPT_MAX, "fits");

static const char *const level_names[] = {NULL, "none", "memory", "os", "disk", "replicated"};

fob_level_t fob_level_of(fob_slice_t name) {
    for (unsigned i = 1; i < sizeof level_names / sizeof level_names[0]; i++)
        if (fob_slice_eq(name, fob_slice_str(level_names[i])))
            return (fob_level_t)i;
    return FOB_LEVEL_UNKNOWN;
}

void fob_receipts_free(fob_receipts_t *self) {
    free(self->data);
    self->data = NULL;
    self->at = self->size = self->capacity = 0;
}

static size_t record_size(size_t topic, size_t id, size_t text) {
    return (sizeof(record_t) + topic + id + text + 3 + 7) & ~(size_t)7;
}

/* Room for `more` bytes behind what is there: moves what waits to the front, or grows. */
static bool room(fob_receipts_t *self, size_t more) {
    if (self->capacity - self->size >= more)
        return true;
    size_t live = self->size - self->at;
    if (self->at >= live && self->capacity - live >= more) {
        memmove(self->data, self->data + self->at, live);
    } else {
        size_t capacity = self->capacity ? self->capacity : 4096;
        while (capacity < live + more)
            capacity *= 2;
        uint8_t *data = malloc(capacity);
        if (!data)
            return false;
        if (live)
            memcpy(data, self->data + self->at, live);
        free(self->data);
        self->data = data;
        self->capacity = capacity;
    }
    self->at = 0;
    self->size = live;
    return true;
}

bool fob_receipts_promise(fob_receipts_t *self, size_t topic, size_t id) {
    if (self->wanted) {
        size_t size = record_size(topic, id, 0);
        if (!room(self, self->reserved + size))
            return false;
        self->reserved += size;
    }
    self->owed++;
    return true;
}

static uint8_t *string_put(uint8_t *to, fob_slice_t text) {
    size_t size = text.data ? text.size : 0;
    if (size)
        memcpy(to, text.data, size);
    to[size] = 0;
    return to + size + 1;
}

static void record_put(fob_receipts_t *self, record_t *record, const fob_receipt_event_t *event,
                       fob_slice_t text) {
    size_t promised = record_size(event->topic.size, event->id.size, 0);
    self->reserved -= promised;
    text.size = text.size > FOB_RECEIPT_TEXT ? FOB_RECEIPT_TEXT : text.size;
    size_t size = record_size(event->topic.size, event->id.size, text.size);
    if (!room(self, self->reserved + size)) {
        text.size = 0; /* the status's own sentence must do */
        size = promised;
    }
    record->size = (uint32_t)size;
    record->text = (uint16_t)text.size;
    uint8_t *to = self->data + self->size;
    memcpy(to, record, sizeof *record);
    to = string_put(to + sizeof *record, event->topic);
    to = string_put(to, event->id);
    string_put(to, text);
    self->size += size;
}

void fob_receipts_keep(fob_receipts_t *self, const fob_receipt_event_t *event,
                       const fob_receipt_fate_t *fate) {
    assert(self->owed > 0);
    self->owed--;
    self->waiting++;
    if (fate->status != FOB_OK && self->failed == FOB_OK)
        self->failed = fate->status;
    if (!self->wanted)
        return;
    int flags = (event->id.data ? RECORD_ID : 0) | (fate->duplicate ? RECORD_DUPLICATE : 0) |
                (fate->differs ? RECORD_DIFFERS : 0);
    record_t record = {.number = event->number,
                       .offset = fate->offset,
                       .tag = event->tag,
                       .groups = fate->groups,
                       .status = (uint16_t)fate->status,
                       .topic = (uint8_t)event->topic.size,
                       .id = (uint8_t)event->id.size,
                       .flags = (uint8_t)flags,
                       .level = (uint8_t)fate->level};
    record_put(self, &record, event, fate->text);
}

size_t fob_receipts_take(fob_receipts_t *self, uint8_t *out, size_t size, size_t *count) {
    *count = 0;
    size_t end = self->at;
    while (end < self->size) {
        record_t record;
        memcpy(&record, self->data + end, sizeof record);
        if (end - self->at + record.size > size)
            break;
        end += record.size;
        ++*count;
    }
    size_t taken = end - self->at;
    if (taken)
        memcpy(out, self->data + self->at, taken);
    self->at = end;
    self->waiting -= *count;
    if (self->at == self->size)
        self->at = self->size = 0;
    return taken;
}

bool fob_receipts_read(const uint8_t *bytes, size_t size, size_t *at, fob_receipt_t *out) {
    if (*at >= size)
        return false;
    record_t record;
    memcpy(&record, bytes + *at, sizeof record);
    const char *topic = (const char *)bytes + *at + sizeof record;
    const char *id = topic + record.topic + 1;
    const char *text = id + record.id + 1;
    *at += record.size;
    *out = (fob_receipt_t){.status = (fob_status_t)record.status,
                           .topic = topic,
                           .id = record.flags & RECORD_ID ? id : NULL,
                           .level = level_names[record.level],
                           .number = record.number,
                           .offset = record.offset,
                           .duplicate_of = record.flags & RECORD_DUPLICATE ? record.offset : 0,
                           .groups = record.groups,
                           .differs = (record.flags & RECORD_DIFFERS) != 0,
                           .tag = record.tag};
    if (out->status != FOB_OK)
        out->text = record.text ? text : fob_status_text(out->status);
    return true;
}

fob_status_t fob_receipts_verdict(fob_receipts_t *self) {
    fob_status_t failed = self->failed;
    self->failed = FOB_OK;
    return failed;
}
