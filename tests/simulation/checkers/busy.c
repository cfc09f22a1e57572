/* A publisher is refused for a group only where that group is full, or behind such a refusal. */
#include "checker.h"

#define CONNECTIONS 128

typedef struct {
    uint32_t full[CONNECTIONS]; /* connections that were refused by a full group */
} own_t;

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind != SIM_BUSY)
        return;
    uint32_t *full = &own->full[fact->worker % CONNECTIONS];
    bool too_large = fact->token && fact->value && fact->value + fact->token > fact->count;
    if (fact->value >= fact->count || too_large)
        *full = fact->worker;
    SIM_HOLD(self, *full == fact->worker,
             "group %s is called full, with %llu of %llu, and was not before on that connection",
             fact->group ? fact->group->name : "?", (unsigned long long)fact->value,
             (unsigned long long)fact->count);
}

const sim_checker_ops_t sim_check_busy = {"a publisher is refused only where a group is full",
                                          sizeof(own_t), fact, NULL};
