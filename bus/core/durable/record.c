#include "bus/core/durable/record.h"

#include "bus/core/table/little.h"

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
    out[1] = record->flags;
    fob_put64(out + 8, (uint64_t)record->time_ms);
    fob_put64(out + 16, record->first_offset);
    memcpy(out + 24, record->session, FOB_SESSION_SIZE);
    fob_put64(out + 40, record->first_number);
    fob_put64(out + 48, record->low);
    fob_put64(out + 56, record->next_number);
}

bool fob_record_read_events(fob_slice_t bytes, fob_record_events_t *out) {
    if (bytes.size < FOB_RECORD_EVENTS_SIZE || bytes.data[0] != FOB_RECORD_EVENTS ||
        bytes.data[1] > (FOB_EVENTS_PRIORITY | FOB_EVENTS_ID) || bytes.data[2] || bytes.data[3])
        return false;
    out->flags = bytes.data[1];
    out->count = fob_get32(bytes.data + 4);
    out->time_ms = (int64_t)fob_get64(bytes.data + 8);
    out->first_offset = fob_get64(bytes.data + 16);
    memcpy(out->session, bytes.data + 24, FOB_SESSION_SIZE);
    out->first_number = fob_get64(bytes.data + 40);
    out->low = fob_get64(bytes.data + 48);
    out->next_number = fob_get64(bytes.data + 56);
    return out->first_number != 0 && out->next_number >= out->first_number &&
           out->next_number - out->first_number >= out->count && out->next_number <= INT64_MAX &&
           out->low <= out->next_number && (out->first_offset > 0 || out->count == 0) &&
           fob_record_number_fits(out->first_offset) && fob_record_time_fits(out->time_ms);
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
           out->name.size > 0 && out->pattern.size > 0 && out->start > 0 &&
           fob_record_number_fits(out->start) && fob_record_time_fits(out->time_ms);
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
    return bytes.size == FOB_RECORD_GROUP_REMOVE_SIZE && fob_record_time_fits(*time_ms);
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
    return bytes.size == FOB_RECORD_MARK_SIZE && fob_record_number_fits(out->offset) &&
           fob_record_number_fits(out->token);
}

void fob_record_write_runs(uint8_t *out, uint32_t group, int64_t time_ms) {
    head(out, FOB_RECORD_RUNS, group);
    fob_put64(out + 8, (uint64_t)time_ms);
}

static size_t up_to_8(size_t size) {
    return (size + 7) & ~(size_t)7;
}

size_t fob_record_noted_size(fob_slice_t worker, fob_slice_t text) {
    return FOB_RECORD_RUNS_SIZE + up_to_8(worker.size + text.size);
}

size_t fob_record_write_noted(uint8_t *out, uint32_t group, int64_t time_ms, fob_slice_t worker,
                              fob_slice_t text) {
    assert(worker.size <= UINT8_MAX && text.size <= UINT8_MAX);
    size_t size = fob_record_noted_size(worker, text);
    memset(out, 0, size);
    head(out, FOB_RECORD_NOTED, group);
    out[1] = (uint8_t)worker.size;
    out[2] = (uint8_t)text.size;
    fob_put64(out + 8, (uint64_t)time_ms);
    if (worker.size)
        memcpy(out + FOB_RECORD_RUNS_SIZE, worker.data, worker.size);
    if (text.size)
        memcpy(out + FOB_RECORD_RUNS_SIZE + worker.size, text.data, text.size);
    return size;
}

bool fob_record_read_runs(fob_slice_t bytes, fob_record_runs_t *out) {
    bool noted = bytes.size && bytes.data[0] == FOB_RECORD_NOTED;
    size_t at = FOB_RECORD_RUNS_SIZE;
    if (bytes.size < at || (noted ? bytes.data[3] != 0 : !head_is(bytes, FOB_RECORD_RUNS, at)))
        return false;
    out->group = fob_get32(bytes.data + 4);
    out->time_ms = (int64_t)fob_get64(bytes.data + 8);
    out->worker = out->text = (fob_slice_t){0};
    if (noted) {
        out->worker = fob_slice(bytes.data + at, bytes.data[1]);
        out->text = fob_slice(bytes.data + at + bytes.data[1], bytes.data[2]);
        at = fob_record_noted_size(out->worker, out->text);
        if (bytes.size < at)
            return false;
    }
    out->runs = bytes.data + at;
    out->count = (bytes.size - at) / FOB_RUN_SIZE;
    return (bytes.size - at) % FOB_RUN_SIZE == 0 && fob_record_time_fits(out->time_ms);
}

/* Whether the last field tells how many bytes the events have; else when they are due. */
static bool has_bytes(uint8_t verb) {
    return verb != FOB_RUN_RETURN;
}

void fob_record_write_run(uint8_t *out, const fob_run_record_t *run) {
    out[0] = run->verb;
    out[1] = run->flags;
    out[2] = run->reason;
    out[3] = run->detail;
    fob_put32(out + 4, run->count);
    fob_put64(out + 8, run->from);
    fob_put64(out + 16, run->to);
    fob_put64(out + 24, run->token);
    fob_put64(out + 32, has_bytes(run->verb) ? run->bytes : (uint64_t)run->due_ms);
}

bool fob_record_read_run(const uint8_t *bytes, fob_run_record_t *out) {
    *out = (fob_run_record_t){.verb = bytes[0],
                              .flags = bytes[1],
                              .reason = bytes[2],
                              .detail = bytes[3],
                              .count = fob_get32(bytes + 4),
                              .from = fob_get64(bytes + 8),
                              .to = fob_get64(bytes + 16),
                              .token = fob_get64(bytes + 24)};
    uint64_t last = fob_get64(bytes + 32);
    if (has_bytes(out->verb))
        out->bytes = last;
    else
        out->due_ms = (int64_t)last;
    if (out->verb < FOB_RUN_ACK || out->verb > FOB_RUN_ACCEPT || out->from > out->to ||
        (out->from == 0 && out->verb != FOB_RUN_UNBURY) || !fob_record_number_fits(out->to) ||
        !fob_record_number_fits(out->token) || !fob_record_time_fits(out->due_ms))
        return false;
    if (out->verb == FOB_RUN_COVER)
        return out->count == 0;
    if (out->verb == FOB_RUN_UNBURY && out->from == 0)
        return out->to == 0 && out->count > 0;
    /* No event has more than 4 GiB, so that the sum of them does not run over. */
    return out->count > 0 && out->count - 1 <= out->to - out->from &&
           (!has_bytes(out->verb) || out->bytes / out->count <= UINT32_MAX);
}

/* --- settings, answers, resets, the seed --- */

void fob_record_write_set(uint8_t *out, uint32_t group, int64_t time_ms, uint8_t count) {
    head(out, FOB_RECORD_SET, group);
    out[1] = count;
    fob_put64(out + 8, (uint64_t)time_ms);
}

void fob_record_write_set_item(uint8_t *out, uint32_t number, uint64_t value) {
    fob_put32(out, number);
    fob_put32(out + 4, 0);
    fob_put64(out + 8, value);
}

bool fob_record_read_set(fob_slice_t bytes, uint32_t *group, int64_t *time_ms, uint8_t *count) {
    if (bytes.size < FOB_RECORD_SET_SIZE || bytes.data[0] != FOB_RECORD_SET || bytes.data[2] ||
        bytes.data[3])
        return false;
    *count = bytes.data[1];
    *group = fob_get32(bytes.data + 4);
    *time_ms = (int64_t)fob_get64(bytes.data + 8);
    return bytes.size == FOB_RECORD_SET_SIZE + (size_t)*count * FOB_RECORD_SET_ITEM &&
           fob_record_time_fits(*time_ms);
}

bool fob_record_read_set_item(const uint8_t *bytes, uint32_t *number, uint64_t *value) {
    *number = fob_get32(bytes);
    *value = fob_get64(bytes + 8);
    return fob_get32(bytes + 4) == 0;
}

void fob_record_write_answers(uint8_t *out, const fob_record_answers_t *record) {
    head(out, FOB_RECORD_ANSWERS, record->rows);
    fob_put64(out + 8, (uint64_t)record->time_ms);
    memcpy(out + 16, record->session, FOB_SESSION_SIZE);
    fob_put64(out + 32, record->low);
    fob_put64(out + 40, record->next_number);
}

void fob_record_write_answer(uint8_t *out, const fob_record_answer_t *row) {
    fob_put64(out, row->number);
    fob_put64(out + 8, row->offset);
    fob_put32(out + 16, row->count);
    fob_put32(out + 20, row->groups);
    fob_put32(out + 24, row->flags);
    fob_put32(out + 28, 0);
}

bool fob_record_read_answers(fob_slice_t bytes, fob_record_answers_t *out) {
    if (!head_is(bytes, FOB_RECORD_ANSWERS, FOB_RECORD_ANSWERS_SIZE))
        return false;
    out->rows = fob_get32(bytes.data + 4);
    out->time_ms = (int64_t)fob_get64(bytes.data + 8);
    memcpy(out->session, bytes.data + 16, FOB_SESSION_SIZE);
    out->low = fob_get64(bytes.data + 32);
    out->next_number = fob_get64(bytes.data + 40);
    return bytes.size == FOB_RECORD_ANSWERS_SIZE + (size_t)out->rows * FOB_RECORD_ANSWERS_ROW &&
           out->low <= out->next_number && out->next_number <= INT64_MAX &&
           fob_record_time_fits(out->time_ms);
}

bool fob_record_read_answer(const uint8_t *bytes, fob_record_answer_t *out) {
    out->number = fob_get64(bytes);
    out->offset = fob_get64(bytes + 8);
    out->count = fob_get32(bytes + 16);
    out->groups = fob_get32(bytes + 20);
    out->flags = fob_get32(bytes + 24);
    return out->number > 0 && out->number <= INT64_MAX && out->offset > 0 &&
           fob_record_number_fits(out->offset) && out->count > 0 && out->flags <= 3 &&
           fob_get32(bytes + 28) == 0;
}

void fob_record_write_reset(uint8_t *out, const fob_record_reset_t *record) {
    head(out, FOB_RECORD_RESET, record->group);
    out[1] = record->mode;
    fob_put64(out + 8, (uint64_t)record->time_ms);
    fob_put64(out + 16, record->offset);
    fob_put64(out + 24, record->head);
}

bool fob_record_read_reset(fob_slice_t bytes, fob_record_reset_t *out) {
    if (bytes.size != FOB_RECORD_RESET_SIZE || bytes.data[0] != FOB_RECORD_RESET || bytes.data[2] ||
        bytes.data[3])
        return false;
    out->mode = bytes.data[1];
    out->group = fob_get32(bytes.data + 4);
    out->time_ms = (int64_t)fob_get64(bytes.data + 8);
    out->offset = fob_get64(bytes.data + 16);
    out->head = fob_get64(bytes.data + 24);
    return out->offset > 0 && out->mode < FOB_RESETS && fob_record_number_fits(out->offset) &&
           fob_record_number_fits(out->head) && fob_record_time_fits(out->time_ms);
}

void fob_record_write_seed(uint8_t *out, uint64_t seed) {
    head(out, FOB_RECORD_SEED, 0);
    fob_put64(out + 8, seed);
}

bool fob_record_read_seed(fob_slice_t bytes, uint64_t *seed) {
    if (!head_is(bytes, FOB_RECORD_SEED, FOB_RECORD_SEED_SIZE) || fob_get32(bytes.data + 4) != 0)
        return false;
    *seed = fob_get64(bytes.data + 8);
    return bytes.size == FOB_RECORD_SEED_SIZE;
}

/* --- moved events --- */

void fob_record_write_moved(uint8_t *out, const fob_record_moved_t *record) {
    head(out, FOB_RECORD_MOVED, 1);
    fob_put64(out + 8, (uint64_t)record->stored_ms);
    fob_put64(out + 16, record->place);
    fob_put64(out + 24, record->origin);
    fob_put64(out + 32, (uint64_t)record->time_ms);
}

bool fob_record_read_moved(fob_slice_t bytes, fob_record_moved_t *out) {
    if (!head_is(bytes, FOB_RECORD_MOVED, FOB_RECORD_MOVED_SIZE) || fob_get32(bytes.data + 4) != 1)
        return false;
    out->stored_ms = (int64_t)fob_get64(bytes.data + 8);
    out->place = fob_get64(bytes.data + 16);
    out->origin = fob_get64(bytes.data + 24);
    out->time_ms = (int64_t)fob_get64(bytes.data + 32);
    return out->origin > 0 && out->origin < out->place && fob_record_number_fits(out->place) &&
           fob_record_time_fits(out->stored_ms) && fob_record_time_fits(out->time_ms);
}

/* --- names --- */

static const char *const reasons[] = {"",      "lost",  "retry",    "release", "reject",  "damaged",
                                      "leave", "lease", "attempts", "age",     "overflow"};
_Static_assert(sizeof reasons / sizeof reasons[0] == FOB_REASON_END, "a name for each");

const char *fob_reason_name(unsigned reason) {
    return reason < FOB_REASON_END ? reasons[reason] : NULL;
}

bool fob_reason_find(fob_slice_t name, uint8_t *reason) {
    for (unsigned i = 1; i < FOB_REASON_END; i++) {
        if (fob_slice_eq(name, fob_slice_str(reasons[i]))) {
            *reason = (uint8_t)i;
            return true;
        }
    }
    return false;
}

const char *fob_removal_name(unsigned removal) {
    static const char *const names[] = {"purge", "reset", "dead_purge", "dead_max", "dead_max_age"};
    _Static_assert(sizeof names / sizeof names[0] == FOB_REMOVALS, "a name for each");
    return removal < FOB_REMOVALS ? names[removal] : NULL;
}
