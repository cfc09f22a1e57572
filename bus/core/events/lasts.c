#include "bus/core/events/lasts.h"

#include "proto/planted.h"
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
static uint32_t write_one(const fob_chain_t *chain, const fob_lasts_of_t *of, fob_buf_t *rows,
                          fob_lasts_t *out) {
    const fob_tail_t *tail = fob_chain_find(chain, of->pattern);
    *out = (fob_lasts_t){.floor = tail ? 0 : chain->floor, .looked = 1, .parts = 1};
    if (!tail || tail->last <= of->from || fob_chain_part(of->pattern) % of->parts != of->part)
        return 0;
    write_row(rows, tail);
    return 1;
}

/* The smallest number of parts of which each would take half of what it may, about. */
static uint32_t advise(size_t looked, size_t most, size_t bytes) {
    uint32_t parts = 1;
    while (parts < FOB_CHAIN_PARTS &&
           (looked / parts > most / 2 || bytes / parts > FOB_LASTS_BYTES / 2))
        parts *= 2;
    return parts;
}

/* What of one list is above an offset. */
static uint32_t write_kin(const fob_tail_t *tail, uint64_t above, const fob_lasts_of_t *of,
                          size_t most, size_t began, fob_buf_t *rows, fob_lasts_t *out) {
    uint32_t count = 0;
    for (; tail && tail->last > above; tail = tail->kin_older) {
        out->more = out->looked == most || rows->size - began + ROW_BYTES > FOB_LASTS_BYTES;
        if (out->more)
            break;
        out->looked++;
        if (!fob_pattern_match(of->pattern, fob_tail_topic(tail)))
            continue;
        write_row(rows, tail);
        count++;
    }
    return count;
}

static uint32_t write_matching(const fob_chain_t *chain, const fob_lasts_of_t *of, size_t most,
                               fob_buf_t *rows, fob_lasts_t *out) {
    uint64_t above = of->from > chain->floor ? of->from : chain->floor;
    size_t began = rows->size;
    uint32_t count = 0;
    *out = (fob_lasts_t){.floor = chain->floor};
    uint32_t step = FOB_PLANTED(PART_HALF_TOLD) ? 2 * of->parts : of->parts;
    for (uint32_t i = of->part; i < FOB_CHAIN_PARTS && !out->more; i += step)
        count += write_kin(chain->kin[i], above, of, most, began, rows, out);
    if (out->more)
        out->floor = chain->newest->last; /* of any list there may be something left */
    out->parts = out->more
                     ? FOB_CHAIN_PARTS
                     : advise(out->looked * of->parts, most, (rows->size - began) * of->parts);
    return count;
}

void fob_lasts_write(const fob_chain_t *chain, const fob_lasts_of_t *of, size_t most,
                     fob_buf_t *rows, fob_lasts_t *out) {
    size_t at = begin_rows(rows);
    uint32_t count = fob_pattern_literal(of->pattern) ? write_one(chain, of, rows, out)
                                                      : write_matching(chain, of, most, rows, out);
    end_rows(rows, at, count);
}
