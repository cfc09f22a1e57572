/* core_effect: an effect of the core, copied, so that a test can look at it after its turn is given
 * back. */
#ifndef FOB_TESTS_CORE_EFFECT_H
#define FOB_TESTS_CORE_EFFECT_H

#include "bus/core/core.h"

/* What a row of a RECEIPT says besides. */
typedef struct {
    bool duplicate, differs;
    char group[64], text[256];
    uint64_t depth, limit, retry_after;
} kit_detail_t;

/* An effect, its bytes its own. */
typedef struct {
    fob_effect_kind_t kind;
    uint64_t after, conn, seq, req;
    char group[256], text[512];
    fob_status_t status;
    bool created;
    uint64_t (*rows)[5]; /* of runs, or of refused; for DELIVER: offset, token, attempt, 1, time */
    kit_detail_t *details; /* RECEIPT: by row */
    size_t runs_size;      /* bytes of the runs */
    size_t row_count;
    char topic[256];
    uint64_t prev, nth, born, offset, count;
    uint64_t need_offset, lease_ms;
    uint8_t **events; /* DELIVER, STORED: their bytes */
    size_t *sizes;
    fob_buf_t value; /* REPLY */
} kit_effect_t;

/* A copy; kit_effect_free frees what it holds. Fails the test where the effect's bytes are not what
 * its kind and counts say. */
kit_effect_t kit_effect_copy(const fob_effect_t *effect);
void kit_effect_free(kit_effect_t *effect);

#endif
