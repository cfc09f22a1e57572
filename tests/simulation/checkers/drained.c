/* Once faults stop everything that can be handled is: the books show nothing under way. */
#include "checker.h"

typedef struct {
    bool quiet;
} own_t;

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_END)
        own->quiet = true;
    if (fact->kind != SIM_BOOKS || !own->quiet)
        return;
    const sim_books_t *b = fact->books;
    SIM_HOLD(self, b->ready + b->leased + b->delayed == 0,
             "group %s does not drain: ready %llu, leased %llu, delayed %llu", fact->group->name,
             (unsigned long long)b->ready, (unsigned long long)b->leased,
             (unsigned long long)b->delayed);
}

const sim_checker_ops_t sim_check_drained = {"once faults stop all that can be handled is",
                                             sizeof(own_t), fact, NULL};
