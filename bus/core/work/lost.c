#include "bus/core/work/lost.h"

#define LOST_ROWS 1500 /* in one LOST */

/* Adds the leases of a list from *at on to `out`, neighbours joined: up to LOST_ROWS rows, whose
 * number it gives. */
static uint32_t lost_rows(const fob_grants_t *grants, uint32_t *at, fob_buf_t *out) {
    uint64_t row[3] = {0};
    uint32_t rows = 0;
    for (; *at != FOB_GRANT_NONE; *at = grants->slab[*at].next) {
        const fob_grant_t *grant = &grants->slab[*at];
        if (row[1] && row[0] + row[1] == grant->offset && row[2] + row[1] == grant->token) {
            row[1]++;
            continue;
        }
        if (rows == LOST_ROWS)
            break;
        if (row[1])
            fob_run_write(out, row, 3);
        rows++;
        row[0] = grant->offset;
        row[1] = 1;
        row[2] = grant->token;
    }
    if (row[1])
        fob_run_write(out, row, 3);
    return rows;
}

/* The rows of the next LOST, in the turn's memory; no data: no memory. */
static fob_slice_t next_rows(fob_core_t *self, const fob_grants_t *grants, uint32_t *at) {
    fob_buf_t *heads = &self->row_heads, *rows = &self->rows;
    fob_buf_clear(rows);
    fob_buf_clear(heads);
    fob_pack_array(heads, lost_rows(grants, at, rows));
    fob_buf_put(heads, rows->data, rows->size);
    if (heads->failed || rows->failed)
        return (fob_slice_t){0};
    return fob_turn_copy(self->open, fob_buf_slice(heads));
}

bool fob_lost_tell(fob_core_t *self, const fob_group_t *group, uint64_t conn, uint32_t first,
                   fob_slice_t text, uint64_t after) {
    fob_open_turn_t *turn = fob_core_open(self);
    fob_slice_t name = turn ? fob_turn_copy(turn, group->name) : (fob_slice_t){0};
    if (!name.data)
        return false;
    for (uint32_t at = first; at != FOB_GRANT_NONE;) {
        fob_slice_t runs = next_rows(self, &group->grants, &at);
        /* The second is the answer's that follows: its place must not be taken. */
        if (!runs.data || !fob_turn_reserve(turn, 0, 2, 0, 0))
            return false;
        fob_effect_t *effect = fob_turn_effect(turn, FOB_EFF_LOST);
        effect->conn = conn;
        effect->group = name;
        effect->runs = runs;
        effect->text = text;
        effect->after = after;
    }
    return true;
}
