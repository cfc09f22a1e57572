#include "subscribers/lease/claims.h"

#include "proto/planted.h"
#include "subscribers/lease/asks.h"

#include <stdlib.h>

_Static_assert(FOB_CLAIMS_MAX *FOB_RUN_BYTES(3) + FOB_ASK_REST <= FOB_WIRE_HEADER_MAX, "fits");

typedef struct {
    uint64_t offset, count, token;
} claim_t;

static int by_token(const void *a, const void *b) {
    const claim_t *x = a, *y = b;
    return x->token < y->token ? -1 : x->token > y->token;
}

static size_t running(claim_t *claims, const fob_holding_t *holding) {
    size_t count = 0;
    for (size_t i = 0; i < holding->capacity; i++)
        if (holding->slots[i].event && !holding->slots[i].lost)
            claims[count++] = (claim_t){holding->slots[i].offset, 1, holding->slots[i].token};
    qsort(claims, count, sizeof *claims, by_token);
    return count;
}

static size_t waiting(claim_t *claims, const fob_prefetch_t *prefetch) {
    size_t count = 0;
    const fob_fetched_t *run;
    for (size_t i = 0; (run = fob_prefetch_at(prefetch, i)); i++)
        if (run->count)
            claims[count++] = (claim_t){run->offset, run->count, run->token};
    return count;
}

static size_t settled(claim_t *claims, const fob_settles_t *settles) {
    size_t count = 0;
    const fob_settle_row_t *row;
    for (size_t i = 0; (row = fob_settles_at(settles, i)); i++)
        if (row->count)
            claims[count++] = (claim_t){row->offset, row->count, row->token};
    qsort(claims, count, sizeof *claims, by_token);
    return count;
}

/* Joins neighbours. */
static size_t merge(claim_t *claims, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        claim_t *last = kept ? &claims[kept - 1] : NULL;
        if (last && last->offset + last->count == claims[i].offset &&
            last->token + last->count == claims[i].token)
            last->count += claims[i].count;
        else
            claims[kept++] = claims[i];
    }
    return kept;
}

/* The bus takes the first for begun, as many as there are jobs. */
static size_t gather(claim_t *claims, const fob_prefetch_t *prefetch, const fob_holding_t *holding,
                     const fob_settles_t *settles) {
    bool turned = FOB_PLANTED(WAITING_CLAIMED_FIRST);
    size_t count = turned ? waiting(claims, prefetch) : running(claims, holding);
    count += turned ? running(claims + count, holding) : waiting(claims + count, prefetch);
    count += settled(claims + count, settles);
    return merge(claims, count);
}

bool fob_claims_pack(fob_buf_t *out, fob_prefetch_t *prefetch, const fob_holding_t *holding,
                     const fob_settles_t *settles) {
    size_t most = prefetch->runs + holding->count + settles->rows;
    claim_t *claims = malloc((most ? most : 1) * sizeof *claims);
    if (!claims)
        return false;
    size_t count = gather(claims, prefetch, holding, settles);
    if (count > FOB_CLAIMS_MAX) {
        fob_prefetch_clear(prefetch);
        count = gather(claims, prefetch, holding, settles);
    }
    if (count > FOB_CLAIMS_MAX)
        count = FOB_CLAIMS_MAX;
    fob_pack_array(out, count);
    for (size_t i = 0; i < count; i++)
        fob_run_write(out, (uint64_t[]){claims[i].offset, claims[i].count, claims[i].token}, 3);
    free(claims);
    return !out->failed;
}
