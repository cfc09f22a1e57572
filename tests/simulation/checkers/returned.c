#include "returned.h"

#define SETTLED_NS (8 * FOB_SEC) /* longer than from a decision to its record */

static sim_returned_group_t *of(sim_returned_t *self, const sim_checker_t *checker,
                                const sim_group_t *group) {
    return sim_table_at(&self->groups, checker, group, 0, sizeof(sim_returned_group_t));
}

static size_t *place_of(sim_returned_t *self, const sim_checker_t *checker,
                        const sim_group_t *group, uint64_t offset) {
    return sim_table_at(&self->places, checker, group, offset, sizeof(size_t));
}

static void take(sim_returned_t *self, const sim_checker_t *checker, const sim_group_t *group,
                 uint64_t offset) {
    sim_returned_group_t *one = of(self, checker, group);
    size_t *place = place_of(self, checker, group, offset), at = *place;
    if (!at)
        return;
    *place = 0;
    one->all[at - 1] = one->all[--one->count];
    if (at - 1 < one->count)
        *place_of(self, checker, group, one->all[at - 1].offset) = at;
}

static void put(sim_returned_t *self, const sim_checker_t *checker, const sim_group_t *group,
                sim_returned_one_t entry) {
    sim_returned_group_t *one = of(self, checker, group);
    take(self, checker, group, entry.offset);
    one->all = sim_grow(one->all, one->count, &one->room, sizeof *one->all);
    one->all[one->count++] = entry;
    *place_of(self, checker, group, entry.offset) = one->count;
}

static void run(sim_returned_t *self, const sim_checker_t *checker, const sim_fact_t *fact) {
    const fob_run_record_t *run = fact->run;
    bool all = run->verb == FOB_RUN_REDRIVE;
    bool back = run->verb == FOB_RUN_RETURN || run->verb == FOB_RUN_REDRIVE;
    if (run->verb == FOB_RUN_COVER || run->verb == FOB_RUN_ACCEPT || run->verb == FOB_RUN_UNBURY ||
        run->flags & (FOB_RUN_DEBT | FOB_RUN_UNKNOWN))
        return;
    int64_t wait = run->verb == FOB_RUN_RETURN && run->due_ms ? run->due_ms - fact->time_ms : 0;
    int64_t ready = run->verb == FOB_RUN_RETURN && run->due_ms
                        ? fact->now_ns + wait * FOB_MS + wait * FOB_MS / 500
                        : 0;
    for (uint64_t o = all ? run->from : run->to - run->count + 1; o <= run->to; o++)
        if (back)
            put(self, checker, fact->group, (sim_returned_one_t){o, ready});
        else
            take(self, checker, fact->group, o);
}

static void clear(sim_returned_t *self, const sim_checker_t *checker, const sim_group_t *group) {
    sim_returned_group_t *one = of(self, checker, group);
    for (size_t i = 0; i < one->count; i++)
        *place_of(self, checker, group, one->all[i].offset) = 0;
    one->count = 0;
}

/* What waits for a wall time waits for another one where that jumped; and what is found at a start
 * was decided before the bus fell. */
static void bus_changes(sim_returned_t *self, const sim_checker_t *checker) {
    for (size_t g = 0; g < checker->ground->group_count; g++) {
        sim_returned_group_t *one = of(self, checker, &checker->ground->groups[g]);
        for (size_t i = 0; i < one->count; i++)
            if (one->all[i].ready_ns)
                one->all[i].ready_ns = FOB_NEVER;
    }
}

void sim_returned_fact(sim_returned_t *self, const sim_checker_t *checker, const sim_fact_t *fact) {
    if (fact->kind == SIM_RUN)
        run(self, checker, fact);
    else if (fact->kind == SIM_RESET)
        clear(self, checker, fact->group);
    else if (fact->kind == SIM_BUS_UP || fact->kind == SIM_BUS_DOWN)
        bus_changes(self, checker);
    else if (fact->kind == SIM_TROUBLE && fact->now_ns + (int64_t)fact->count > self->quiet_ns)
        self->quiet_ns = fact->now_ns + (int64_t)fact->count;
}

const sim_returned_group_t *sim_returned_of(sim_returned_t *self, const sim_checker_t *checker,
                                            const sim_group_t *group) {
    return of(self, checker, group);
}

bool sim_returned_has(sim_returned_t *self, const sim_checker_t *checker, const sim_group_t *group,
                      uint64_t offset) {
    return *place_of(self, checker, group, offset) != 0;
}

bool sim_returned_ready(const sim_returned_t *self, const sim_returned_one_t *one, int64_t now_ns) {
    int64_t since = one->ready_ns > self->quiet_ns ? one->ready_ns : self->quiet_ns;
    return !one->ready_ns || (one->ready_ns != FOB_NEVER && now_ns - since > SETTLED_NS);
}

void sim_returned_free(sim_returned_t *self, const sim_checker_t *checker) {
    for (size_t g = 0; g < checker->ground->group_count && g < self->groups.room; g++)
        if (self->groups.rooms[g])
            free(of(self, checker, &checker->ground->groups[g])->all);
    sim_table_free(&self->groups);
    sim_table_free(&self->places);
}
