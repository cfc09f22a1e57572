/* cast: frame 1 of a broadcast: topic, a zero byte, nine numbers. */
#include "proto/topic.h"
#include "proto/wire.h"

#define CAST_ELEMENTS 9

static bool small_read(fob_cursor_t *cursor, uint32_t *out) {
    uint64_t value;
    if (!fob_cursor_uint(cursor, &value) || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool numbers_read(fob_cursor_t *cursor, fob_cast_t *out) {
    uint32_t elements;
    if (!fob_cursor_array(cursor, &elements) || elements < CAST_ELEMENTS)
        return false;
    bool good = small_read(cursor, &out->kind) && small_read(cursor, &out->shard) &&
                fob_cursor_uint(cursor, &out->epoch) && fob_cursor_uint(cursor, &out->offset) &&
                fob_cursor_uint(cursor, &out->count) && fob_cursor_uint(cursor, &out->prev) &&
                fob_cursor_int(cursor, &out->time_ms) && fob_cursor_uint(cursor, &out->source) &&
                fob_cursor_uint(cursor, &out->seq);
    if (!good)
        return false;
    for (uint32_t i = CAST_ELEMENTS; i < elements; i++)
        if (!fob_cursor_skip_within(cursor, FOB_CURSOR_DEPTH - 1, NULL))
            return false;
    return fob_cursor_end(cursor);
}

/* Whether `count` events can be numbered from `first` on without running over. */
static bool numbers_fit(uint64_t first, uint64_t count) {
    return count > 0 && first > 0 && count - 1 <= UINT64_MAX - first;
}

static bool cast_valid(const fob_cast_t *cast) {
    switch (cast->kind) {
    case FOB_CAST_STORED:
        return (fob_topic_valid(cast->topic) || fob_topic_is_sys(cast->topic)) &&
               numbers_fit(cast->offset, cast->count) && numbers_fit(cast->seq, cast->count) &&
               cast->prev < cast->offset;
    case FOB_CAST_FIRE:
        return fob_topic_valid(cast->topic) && numbers_fit(cast->seq, cast->count) &&
               cast->epoch == 0 && cast->offset == 0 && cast->prev == 0;
    case FOB_CAST_PROBE:
        return fob_topic_is_sys(cast->topic);
    default:
        return false;
    }
}

fob_status_t fob_cast_read(fob_slice_t frame, fob_cast_t *out) {
    memset(out, 0, sizeof *out);
    size_t reach = frame.size < FOB_TOPIC_MAX + 1 ? frame.size : FOB_TOPIC_MAX + 1;
    const uint8_t *zero = reach > 0 ? memchr(frame.data, 0, reach) : NULL;
    if (!zero)
        return FOB_PROTOCOL;
    out->topic = fob_slice(frame.data, (size_t)(zero - frame.data));
    size_t rest = frame.size - out->topic.size - 1;
    fob_cursor_t cursor = fob_cursor(fob_slice(zero + 1, rest));
    return numbers_read(&cursor, out) && cast_valid(out) ? FOB_OK : FOB_PROTOCOL;
}

fob_status_t fob_cast_write(fob_buf_t *out, const fob_cast_t *cast) {
    size_t before = out->size;
    fob_buf_put(out, cast->topic.data, cast->topic.size);
    fob_buf_put(out, "", 1);
    fob_pack_array(out, CAST_ELEMENTS);
    fob_pack_uint(out, cast->kind);
    fob_pack_uint(out, cast->shard);
    fob_pack_uint(out, cast->epoch);
    fob_pack_uint(out, cast->offset);
    fob_pack_uint(out, cast->count);
    fob_pack_uint(out, cast->prev);
    fob_pack_int(out, cast->time_ms);
    fob_pack_uint(out, cast->source);
    fob_pack_uint(out, cast->seq);
    if (!out->failed)
        return FOB_OK;
    out->size = before;
    return FOB_NO_MEMORY;
}
