/* wire: header frames, by the table of fields and the table of verbs. */
#include "proto/wire.h"

#define HEADER_ELEMENTS 3
#define FIELD_LEVELS    (FOB_CURSOR_DEPTH - 2) /* nesting left inside the header's array and map */
#define BIT(field)      ((uint64_t)1 << FOB_FIELD_##field)

_Static_assert(FOB_FIELD_COUNT <= 64, "one bit a field in fob_wire_t.present");

typedef enum { UINT, BOOL, STR, BIN, RAW } type_t;

typedef struct {
    const char *name;
    uint8_t size; /* of the name */
    uint8_t first;
    uint8_t type;
    uint16_t offset; /* in fob_wire_t */
} field_t;

static const field_t fields[FOB_FIELD_COUNT] = {
#define FIELD_X(name, type) {#name, sizeof #name - 1, #name[0], type, offsetof(fob_wire_t, name)},
    FOB_FIELD_MAP(FIELD_X)
#undef FIELD_X
};

/* The fields that a verb must have, as in PROTOCOL.md. */
static uint64_t required_fields(fob_verb_t verb) {
    switch (verb) {
    case FOB_VERB_HELLO:
        return BIT(version_min) | BIT(version_max);
    case FOB_VERB_WELCOME:
        return BIT(version) | BIT(heartbeat) | BIT(epoch) | BIT(head) | BIT(level) | BIT(shards) |
               BIT(max_event) | BIT(max_batch) | BIT(window);
    case FOB_VERB_ERROR:
        return BIT(code) | BIT(text);
    case FOB_VERB_PUBLISH:
        return BIT(first);
    case FOB_VERB_RECEIPT:
        return BIT(runs);
    case FOB_VERB_JOIN:
    case FOB_VERB_LEAVE:
        return BIT(group);
    case FOB_VERB_JOINED:
        return BIT(group) | BIT(code);
    case FOB_VERB_CREDIT:
        return BIT(group) | BIT(credit);
    case FOB_VERB_DELIVER:
    case FOB_VERB_LOST:
        return BIT(group) | BIT(runs);
    case FOB_VERB_SETTLE:
        return BIT(group) | BIT(seq) | BIT(runs);
    case FOB_VERB_SETTLED:
        return BIT(group) | BIT(seq);
    case FOB_VERB_GROUP_ADD:
        return BIT(req) | BIT(group) | BIT(pattern);
    case FOB_VERB_GROUP_SET:
        return BIT(req) | BIT(group) | BIT(settings);
    case FOB_VERB_DEAD_SHOW:
        return BIT(req) | BIT(group) | BIT(offset);
    case FOB_VERB_GROUP_REMOVE:
    case FOB_VERB_GROUP_RESET:
    case FOB_VERB_GROUP_PURGE:
    case FOB_VERB_DEAD_LIST:
    case FOB_VERB_DEAD_REDRIVE:
    case FOB_VERB_DEAD_PURGE:
        return BIT(req) | BIT(group);
    case FOB_VERB_GROUP_LIST:
    case FOB_VERB_STATS:
        return BIT(req);
    case FOB_VERB_FETCH:
        return BIT(req) | BIT(pattern);
    case FOB_VERB_WHOLE:
        return BIT(req) | BIT(pattern) | BIT(from) | BIT(upto);
    case FOB_VERB_REPLY:
    case FOB_VERB_FETCHED:
    case FOB_VERB_WHOLENESS:
        return BIT(req) | BIT(code);
    case FOB_VERB_BEAT:
    case FOB_VERB_GOODBYE:
        break;
    }
    return 0;
}

const char *fob_verb_name(unsigned verb) {
    switch (verb) {
#define VERB_X(number, name, direction)                                                            \
    case number:                                                                                   \
        return #name;
        FOB_VERB_MAP(VERB_X)
#undef VERB_X
    default:
        return NULL;
    }
}

static bool value_read(fob_cursor_t *cursor, const field_t *field, fob_wire_t *out) {
    void *to = (uint8_t *)out + field->offset;
    switch ((type_t)field->type) {
    case UINT:
        return fob_cursor_uint(cursor, to);
    case BOOL:
        return fob_cursor_bool(cursor, to);
    case STR:
        return fob_cursor_str(cursor, to);
    case BIN:
        return fob_cursor_bin(cursor, to);
    case RAW:
        return fob_cursor_skip_within(cursor, FIELD_LEVELS, to);
    }
    return false;
}

/* No name is empty. Most differ in size or in the first letter. */
static inline bool is_field(const field_t *field, fob_slice_t name) {
    return field->size == name.size && field->first == name.data[0] &&
           memcmp(field->name, name.data, name.size) == 0;
}

/* The number of a known field, or FOB_FIELD_COUNT. Looks from `hint` on first: ours come in the
 * table's order. */
static unsigned field_find(fob_slice_t name, unsigned hint) {
    for (unsigned i = hint; i < FOB_FIELD_COUNT; i++)
        if (is_field(&fields[i], name))
            return i;
    for (unsigned i = 0; i < hint; i++)
        if (is_field(&fields[i], name))
            return i;
    return FOB_FIELD_COUNT;
}

static bool fields_read(fob_cursor_t *cursor, fob_wire_t *out) {
    uint32_t count;
    unsigned hint = 0;
    if (!fob_cursor_map(cursor, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        fob_slice_t name;
        if (!fob_cursor_str(cursor, &name))
            return false;
        unsigned known = field_find(name, hint);
        if (known == FOB_FIELD_COUNT) {
            if (!fob_cursor_skip_within(cursor, FIELD_LEVELS, NULL))
                return false;
            continue;
        }
        uint64_t bit = (uint64_t)1 << known;
        if (out->present & bit || !value_read(cursor, &fields[known], out))
            return false;
        out->present |= bit;
        hint = known + 1;
    }
    return true;
}

static bool header_read(fob_cursor_t *cursor, fob_wire_t *out) {
    uint32_t count;
    uint64_t verb, shard;
    if (!fob_cursor_array(cursor, &count) || count < HEADER_ELEMENTS)
        return false;
    if (!fob_cursor_uint(cursor, &verb) || verb > UINT32_MAX)
        return false;
    if (!fob_cursor_uint(cursor, &shard) || shard > UINT32_MAX)
        return false;
    out->verb = (fob_verb_t)verb;
    out->shard = (uint32_t)shard;
    if (!fob_verb_name(out->verb) || !fields_read(cursor, out))
        return false;
    for (uint32_t i = HEADER_ELEMENTS; i < count; i++)
        if (!fob_cursor_skip_within(cursor, FOB_CURSOR_DEPTH - 1, NULL))
            return false;
    return fob_cursor_end(cursor);
}

fob_status_t fob_wire_read(fob_slice_t header, fob_wire_t *out) {
    memset(out, 0, sizeof *out);
    if (header.size > FOB_WIRE_HEADER_MAX)
        return FOB_PROTOCOL;
    fob_cursor_t cursor = fob_cursor(header);
    if (!header_read(&cursor, out))
        return FOB_PROTOCOL;
    if (FOB_HAS(out, session) && out->session.size != FOB_SESSION_SIZE)
        return FOB_PROTOCOL;
    uint64_t required = required_fields(out->verb);
    return (out->present & required) == required ? FOB_OK : FOB_PROTOCOL;
}

static void value_write(fob_buf_t *out, const field_t *field, const fob_wire_t *msg) {
    const void *from = (const uint8_t *)msg + field->offset;
    const fob_slice_t *slice = from;
    switch ((type_t)field->type) {
    case UINT:
        fob_pack_uint(out, *(const uint64_t *)from);
        break;
    case BOOL:
        fob_pack_bool(out, *(const bool *)from);
        break;
    case STR:
        fob_pack_str(out, *slice);
        break;
    case BIN:
        fob_pack_bin(out, *slice);
        break;
    case RAW:
        if (slice->size > 0)
            fob_buf_put(out, slice->data, slice->size);
        else
            fob_pack_array(out, 0); /* nothing given: still one whole value */
        break;
    }
}

static size_t bits_set(uint64_t bits) {
    size_t count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

fob_status_t fob_wire_write(fob_buf_t *out, const fob_wire_t *msg) {
    size_t before = out->size;
    fob_pack_array(out, HEADER_ELEMENTS);
    fob_pack_uint(out, (unsigned)msg->verb);
    fob_pack_uint(out, msg->shard);
    fob_pack_map(out, bits_set(msg->present));
    for (uint64_t left = msg->present; left; left &= left - 1) {
        const field_t *field = &fields[__builtin_ctzll(left)];
        fob_pack_str(out, fob_slice(field->name, field->size));
        value_write(out, field, msg);
    }
    if (!out->failed && out->size - before <= FOB_WIRE_HEADER_MAX)
        return FOB_OK;
    out->size = before;
    return out->failed ? FOB_NO_MEMORY : FOB_TOO_LARGE;
}

bool fob_wire_status_known(fob_status_t status) {
    switch (status) {
#define KNOWN_X(number, name, sentence) case FOB_##name:
        FOB_STATUS_MAP(KNOWN_X)
#undef KNOWN_X
        return true;
    }
    return false;
}
