#include "bus/core/record.h"

#include "bus/core/little.h"

#include <assert.h>

static_assert(FOB_RECORD_EVENTS_SIZE == 56 + 8, "the last field ends the head");
static_assert(FOB_RECORD_EVENTS_SIZE % 8 == 0, "the batch behind it begins aligned");
static_assert(FOB_RECORD_MARK_SIZE == 16 + 8, "the last field ends the record");
static_assert(FOB_RUN_SIZE == 32 + 8, "the last field ends the run");
static_assert(FOB_SESSION_SIZE == 16, "as laid out above");

static void head(uint8_t *out, uint8_t kind, uint32_t number) {
    out[0] = kind;
    out[1] = out[2] = out[3] = 0;
    fob_put32(out + 4, number);
}

static bool head_is(fob_slice_t bytes, uint8_t kind, size_t size) {
    return bytes.size >= size && bytes.data[0] == kind && bytes.data[1] == 0 &&
           bytes.data[2] == 0 && bytes.data[3] == 0;
}

void fob_record_write_events(uint8_t *out, const fob_record_events_t *record) {
    head(out, FOB_RECORD_EVENTS, record->count);
    fob_put64(out + 8, (uint64_t)record->time_ms);
    fob_put64(out + 16, record->first_offset);
    memcpy(out + 24, record->session, FOB_SESSION_SIZE);
    fob_put64(out + 40, record->first_number);
    fob_put64(out + 48, record->low);
    fob_put64(out + 56, record->next_number);
}

bool fob_record_read_events(fob_slice_t bytes, fob_record_events_t *out) {
    if (!head_is(bytes, FOB_RECORD_EVENTS, FOB_RECORD_EVENTS_SIZE))
        return false;
    out->count = fob_get32(bytes.data + 4);
    out->time_ms = (int64_t)fob_get64(bytes.data + 8);
    out->first_offset = fob_get64(bytes.data + 16);
    memcpy(out->session, bytes.data + 24, FOB_SESSION_SIZE);
    out->first_number = fob_get64(bytes.data + 40);
    out->low = fob_get64(bytes.data + 48);
    out->next_number = fob_get64(bytes.data + 56);
    return out->first_number != 0 && out->next_number >= out->first_number &&
           out->next_number - out->first_number >= out->count;
}

void fob_record_write_forget(uint8_t *out, const uint8_t *const *sessions, uint32_t count) {
    head(out, FOB_RECORD_FORGET, count);
    for (uint32_t i = 0; i < count; i++)
        memcpy(out + FOB_RECORD_FORGET_SIZE + i * FOB_SESSION_SIZE, sessions[i], FOB_SESSION_SIZE);
}

bool fob_record_read_forget(fob_slice_t bytes, uint32_t *count) {
    if (!head_is(bytes, FOB_RECORD_FORGET, FOB_RECORD_FORGET_SIZE))
        return false;
    *count = fob_get32(bytes.data + 4);
    return *count > 0 && bytes.size == FOB_RECORD_FORGET_SIZE + (uint64_t)*count * FOB_SESSION_SIZE;
}

void fob_record_write_group_add(uint8_t *out, const fob_record_group_add_t *record) {
    assert(record->name.size <= UINT8_MAX && record->pattern.size <= UINT8_MAX);
    head(out, FOB_RECORD_GROUP_ADD, record->id);
    out[1] = record->temporary ? 1 : 0;
    out[2] = (uint8_t)record->name.size;
    out[3] = (uint8_t)record->pattern.size;
    fob_put64(out + 8, (uint64_t)record->time_ms);
    fob_put64(out + 16, record->start);
    memcpy(out + FOB_RECORD_GROUP_ADD_SIZE, record->name.data, record->name.size);
    memcpy(out + FOB_RECORD_GROUP_ADD_SIZE + record->name.size, record->pattern.data,
           record->pattern.size);
}

bool fob_record_read_group_add(fob_slice_t bytes, fob_record_group_add_t *out) {
    if (bytes.size < FOB_RECORD_GROUP_ADD_SIZE || bytes.data[0] != FOB_RECORD_GROUP_ADD ||
        bytes.data[1] > 1)
        return false;
    out->temporary = bytes.data[1] & 1;
    out->id = fob_get32(bytes.data + 4);
    out->time_ms = (int64_t)fob_get64(bytes.data + 8);
    out->start = fob_get64(bytes.data + 16);
    const uint8_t *text = bytes.data + FOB_RECORD_GROUP_ADD_SIZE;
    out->name = fob_slice(text, bytes.data[2]);
    out->pattern = fob_slice(text + bytes.data[2], bytes.data[3]);
    return bytes.size == FOB_RECORD_GROUP_ADD_SIZE + out->name.size + out->pattern.size &&
           out->name.size > 0 && out->pattern.size > 0;
}

void fob_record_write_group_remove(uint8_t *out, uint32_t id, int64_t time_ms) {
    head(out, FOB_RECORD_GROUP_REMOVE, id);
    fob_put64(out + 8, (uint64_t)time_ms);
}

bool fob_record_read_group_remove(fob_slice_t bytes, uint32_t *id, int64_t *time_ms) {
    if (!head_is(bytes, FOB_RECORD_GROUP_REMOVE, FOB_RECORD_GROUP_REMOVE_SIZE))
        return false;
    *id = fob_get32(bytes.data + 4);
    *time_ms = (int64_t)fob_get64(bytes.data + 8);
    return bytes.size == FOB_RECORD_GROUP_REMOVE_SIZE;
}

void fob_record_write_mark(uint8_t *out, const fob_record_mark_t *record) {
    head(out, FOB_RECORD_MARK, record->group);
    fob_put64(out + 8, record->offset);
    fob_put64(out + 16, record->token);
}

bool fob_record_read_mark(fob_slice_t bytes, fob_record_mark_t *out) {
    if (!head_is(bytes, FOB_RECORD_MARK, FOB_RECORD_MARK_SIZE))
        return false;
    out->group = fob_get32(bytes.data + 4);
    out->offset = fob_get64(bytes.data + 8);
    out->token = fob_get64(bytes.data + 16);
    return bytes.size == FOB_RECORD_MARK_SIZE;
}

void fob_record_write_runs(uint8_t *out, uint32_t group, int64_t time_ms) {
    head(out, FOB_RECORD_RUNS, group);
    fob_put64(out + 8, (uint64_t)time_ms);
}

bool fob_record_read_runs(fob_slice_t bytes, uint32_t *group, int64_t *time_ms, size_t *count) {
    if (!head_is(bytes, FOB_RECORD_RUNS, FOB_RECORD_RUNS_SIZE))
        return false;
    *group = fob_get32(bytes.data + 4);
    *time_ms = (int64_t)fob_get64(bytes.data + 8);
    *count = (bytes.size - FOB_RECORD_RUNS_SIZE) / FOB_RUN_SIZE;
    return (bytes.size - FOB_RECORD_RUNS_SIZE) % FOB_RUN_SIZE == 0;
}

void fob_record_write_run(uint8_t *out, const fob_run_record_t *run) {
    out[0] = run->verb;
    out[1] = run->flags;
    out[2] = run->reason;
    out[3] = 0;
    fob_put32(out + 4, run->count);
    fob_put64(out + 8, run->from);
    fob_put64(out + 16, run->to);
    fob_put64(out + 24, run->token);
    fob_put64(out + 32, (uint64_t)run->due_ms);
}

bool fob_record_read_run(const uint8_t *bytes, fob_run_record_t *out) {
    out->verb = bytes[0];
    out->flags = bytes[1];
    out->reason = bytes[2];
    out->count = fob_get32(bytes + 4);
    out->from = fob_get64(bytes + 8);
    out->to = fob_get64(bytes + 16);
    out->token = fob_get64(bytes + 24);
    out->due_ms = (int64_t)fob_get64(bytes + 32);
    if (bytes[3] != 0 || out->verb < FOB_RUN_ACK || out->verb > FOB_RUN_COVER || out->from == 0 ||
        out->from > out->to)
        return false;
    return out->verb == FOB_RUN_COVER ? out->count == 0
                                      : out->count > 0 && out->count - 1 <= out->to - out->from;
}
