/* uniform: see uniform.h. */
#include "proto/uniform.h"

#include "proto/envelope.h"

/* Bytes of an event before its data, where it has no attributes: the array's head, the topic and
 * its head, an empty map. */
#define PLAIN_MOST (1 + 2 + 255 + 1)
#define EMPTY_MAP  0x80
#define BIN8       0xc4
#define BIN16      0xc5

/* How an event without attributes begins, if the last one had none. */
typedef struct {
    const uint8_t *bytes; /* of an earlier event */
    size_t size;          /* 0: not known */
} plain_t;

/* What is known of this one, which was skimmed. */
static plain_t plain_of(fob_slice_t event, fob_slice_t topic) {
    size_t size = (size_t)(topic.data - event.data) + topic.size + 1;
    bool plain = event.data[0] == 0x93 && size <= PLAIN_MOST && event.data[size - 1] == EMPTY_MAP;
    return (plain_t){event.data, plain ? size : 0};
}

/* The size of an event that begins like that and has short data, as most have; 0: it is not so, or
 * not whole. */
static size_t plain_size(const plain_t *plain, const uint8_t *at, size_t left) {
    size_t head = plain->size;
    if (!head || left < head + 3 || memcmp(at, plain->bytes, head) != 0)
        return 0;
    size_t size = 0;
    if (at[head] == BIN8)
        size = head + 2 + at[head + 1];
    else if (at[head] == BIN16)
        size = head + 3 + ((size_t)at[head + 1] << 8 | at[head + 2]);
    return size <= left ? size : 0;
}

fob_status_t fob_uniform(fob_slice_t body, fob_slice_t topic, uint64_t count, uint64_t most) {
    fob_cursor_t cursor = fob_cursor(body);
    plain_t plain = {0};
    for (uint64_t i = 0; i < count; i++) {
        fob_slice_t name, event;
        size_t size = plain_size(&plain, cursor.at, (size_t)(cursor.end - cursor.at));
        if (size) {
            cursor.at += size;
        } else {
            if (!fob_envelope_skim(&cursor, &name, &event) || !fob_slice_eq(name, topic))
                return FOB_BAD_EVENT;
            plain = plain_of(event, name);
            size = event.size;
        }
        if (size > most)
            return FOB_TOO_LARGE;
    }
    return fob_cursor_end(&cursor) ? FOB_OK : FOB_BAD_EVENT;
}
