/* A publisher is refused for a group only where that group is full, or behind such a refusal. */
#include "bus/core/group/policy.h"
#include "checker.h"

#define CONNECTIONS 128
#define OFFER_MOST  262144 /* bytes, as the simulated bus has it */

typedef struct {
    uint32_t id;
    bool full; /* it was refused for a group that was full: others may be behind that */
} conn_t;

typedef struct {
    conn_t conns[CONNECTIONS];
} own_t;

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind != SIM_BUSY)
        return;
    conn_t *conn = &own->conns[fact->worker % CONNECTIONS];
    if (conn->id != fact->worker)
        *conn = (conn_t){.id = fact->worker};
    /* What is stored of the same offer is not in what it tells of bytes. */
    bool bytes =
        fact->token || (fact->group && fact->count == fact->group->settings[FOB_POLICY_max_bytes]);
    bool too_large = bytes && fact->value && fact->value + fact->token + OFFER_MOST > fact->count;
    if (fact->value >= fact->count || too_large)
        conn->full = true;
    SIM_HOLD(self, conn->full,
             "group %s is called full, with %llu of %llu, and was not before on that connection",
             fact->group ? fact->group->name : "?", (unsigned long long)fact->value,
             (unsigned long long)fact->count);
}

const sim_checker_ops_t sim_check_busy = {"a publisher is refused only where a group is full",
                                          sizeof(own_t), fact, NULL};
