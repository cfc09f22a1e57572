#include "bus/core/events/lasts.h"

#include "proto/topic.h"

#define ARRAY32   0xdd
#define ROW_BYTES (1 + 2 + FOB_TOPIC_MAX + 9) /* of a row at the most */

static void write_row(fob_buf_t *rows, const fob_tail_t *tail) {
    fob_pack_array(rows, 2);
    fob_pack_str(rows, fob_tail_topic(tail));
    fob_pack_uint(rows, tail->last);
}

/* The head of an array whose length is known at the end. */
static size_t begin_rows(fob_buf_t *rows) {
    static const uint8_t head[5] = {ARRAY32};
    fob_buf_put(rows, head, sizeof head);
    return rows->size;
}

static void end_rows(fob_buf_t *rows, size_t at, uint32_t count) {
    for (int i = 1; !rows->failed && i <= 4; i++, count >>= 8)
        rows->data[at - (size_t)i] = (uint8_t)count;
}

/* One topic: all is known of it, or nothing above the floor. */
static uint32_t write_one(const fob_chain_t *chain, fob_slice_t topic, uint64_t from,
                          fob_buf_t *rows, fob_lasts_t *out) {
    const fob_tail_t *tail = fob_chain_find(chain, topic);
    *out = (fob_lasts_t){.floor = tail ? 0 : chain->floor, .looked = 1};
    if (!tail || tail->last <= from)
        return 0;
    write_row(rows, tail);
    return 1;
}

static uint32_t write_matching(const fob_chain_t *chain, fob_slice_t pattern, uint64_t from,
                               fob_buf_t *rows, fob_lasts_t *out) {
    uint64_t above = from > chain->floor ? from : chain->floor;
    size_t began = rows->size;
    uint32_t count = 0;
    *out = (fob_lasts_t){.floor = chain->floor};
    for (const fob_tail_t *tail = chain->newest; tail && tail->last > above; tail = tail->older) {
        if (out->looked == FOB_LASTS_LOOKED || rows->size - began + ROW_BYTES > FOB_LASTS_BYTES) {
            out->floor = tail->last;
            out->more = true;
            break;
        }
        out->looked++;
        if (!fob_pattern_match(pattern, fob_tail_topic(tail)))
            continue;
        write_row(rows, tail);
        count++;
    }
    return count;
}

void fob_lasts_write(const fob_chain_t *chain, fob_slice_t pattern, uint64_t from, fob_buf_t *rows,
                     fob_lasts_t *out) {
    size_t at = begin_rows(rows);
    uint32_t count = fob_pattern_literal(pattern) ? write_one(chain, pattern, from, rows, out)
                                                  : write_matching(chain, pattern, from, rows, out);
    end_rows(rows, at, count);
}

static size_t find_one(const fob_chain_t *chain, fob_slice_t topic, uint64_t from,
                       uint64_t *offset) {
    const fob_tail_t *tail = fob_chain_find(chain, topic);
    if (!tail || tail->last < from)
        return 0;
    *offset = tail->last;
    return 1;
}

size_t fob_lasts_from(const fob_chain_t *chain, fob_slice_t pattern, uint64_t from,
                      uint64_t *offsets, size_t room, size_t *looked) {
    size_t count = 0;
    *looked = 1;
    if (fob_pattern_literal(pattern))
        return room ? find_one(chain, pattern, from, offsets) : 0;
    for (const fob_tail_t *tail = chain->oldest; tail && count < room; tail = tail->newer) {
        ++*looked;
        if (tail->last >= from && fob_pattern_match(pattern, fob_tail_topic(tail)))
            offsets[count++] = tail->last;
    }
    return count;
}
