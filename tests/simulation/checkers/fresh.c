#include "fresh.h"

static sim_fresh_group_t *of(sim_fresh_t *self, const sim_checker_t *checker,
                             const sim_group_t *group) {
    size_t index = (size_t)(group - checker->ground->groups);
    while (index >= self->room)
        self->groups = sim_grow(self->groups, self->room, &self->room, sizeof *self->groups);
    return &self->groups[index];
}

static uint8_t *gone(sim_fresh_group_t *self, uint64_t offset) {
    while (offset >= self->room)
        self->gone = sim_grow(self->gone, self->room, &self->room, 1);
    return &self->gone[offset];
}

static void put(sim_fresh_t *self, const sim_checker_t *checker, const sim_group_t *group,
                uint64_t offset) {
    const sim_stored_t *event = &checker->ground->events[offset];
    if (group->gone || !event->there || !group->matches[event->topic] || offset < group->start)
        return;
    sim_line_t *line = &of(self, checker, group)->lines[event->priority];
    line->offsets = sim_grow(line->offsets, line->count, &line->room, sizeof *line->offsets);
    line->offsets[line->count++] = offset;
}

/* A dead letter is not found a second time where the group begins anew. */
enum { OUT = 1, DEAD };

static void take(sim_fresh_group_t *self, uint64_t from, uint64_t to, uint8_t as) {
    for (uint64_t o = from; o <= to; o++)
        *gone(self, o) = as;
}

/* Nothing that was never out is left there. */
static void cover(sim_fresh_group_t *self, uint64_t from, uint64_t to) {
    for (uint64_t o = from; o <= to; o++)
        if (!*gone(self, o))
            *gone(self, o) = OUT;
}

static void run(sim_fresh_group_t *self, const fob_run_record_t *run) {
    if (run->flags & FOB_RUN_DEBT)
        self->debt += run->count;
    else if (run->flags & FOB_RUN_PAID)
        self->debt -= run->count < self->debt ? run->count : self->debt;
    if (run->flags & (FOB_RUN_FRESH | FOB_RUN_DAMAGED))
        cover(self, run->from, run->to);
    if (run->flags & FOB_RUN_UNKNOWN)
        return;
    if (run->verb == FOB_RUN_DEAD)
        take(self, run->to - run->count + 1, run->to, DEAD);
    if (run->verb == FOB_RUN_REDRIVE || run->verb == FOB_RUN_UNBURY)
        take(self, run->from, run->to, OUT);
}

static void reset(sim_fresh_t *self, const sim_checker_t *checker, const sim_fact_t *fact) {
    sim_fresh_group_t *group = of(self, checker, fact->group);
    for (unsigned p = 0; p < SIM_PRIORITIES; p++)
        group->lines[p].first = group->lines[p].count;
    group->quiet_ns = fact->now_ns;
    group->debt = 0;
    if (fact->reset->mode != FOB_RESET_ANEW)
        return; /* what is left of them may be in any line: none is watched */
    for (uint64_t o = fact->reset->offset; o <= checker->ground->head; o++) {
        if (*gone(group, o) == DEAD)
            continue;
        *gone(group, o) = 0;
        put(self, checker, fact->group, o);
    }
}

void sim_fresh_fact(sim_fresh_t *self, const sim_checker_t *checker, const sim_fact_t *fact) {
    switch (fact->kind) {
    case SIM_STORED:
        for (size_t i = 0; i < checker->ground->group_count; i++)
            put(self, checker, &checker->ground->groups[i], fact->offset);
        break;
    case SIM_GROUP_MADE:
        of(self, checker, fact->group)->quiet_ns = fact->now_ns;
        for (uint64_t o = fact->group->start; o <= checker->ground->head; o++)
            put(self, checker, fact->group, o);
        break;
    case SIM_RUN:
        run(of(self, checker, fact->group), fact->run);
        if (fact->run->verb == FOB_RUN_ACCEPT) /* a census, which may have waited for room */
            of(self, checker, fact->group)->quiet_ns = fact->now_ns;
        break;
    case SIM_RESET:
        reset(self, checker, fact);
        break;
    case SIM_DELIVERED:
        take(of(self, checker, fact->group), fact->offset, fact->offset + fact->count - 1, OUT);
        break;
    case SIM_BUS_UP:
        self->quiet_ns = fact->now_ns > self->quiet_ns ? fact->now_ns : self->quiet_ns;
        break;
    case SIM_TROUBLE:
        if (fact->now_ns + (int64_t)fact->count > self->quiet_ns)
            self->quiet_ns = fact->now_ns + (int64_t)fact->count;
        break;
    default:
        break;
    }
}

uint64_t sim_fresh_first(sim_fresh_t *self, const sim_checker_t *checker, const sim_group_t *group,
                         unsigned priority) {
    sim_fresh_group_t *one = of(self, checker, group);
    sim_line_t *line = &one->lines[priority];
    while (line->first < line->count && *gone(one, line->offsets[line->first]))
        line->first++;
    return line->first < line->count ? line->offsets[line->first] : 0;
}

bool sim_fresh_owes(sim_fresh_t *self, const sim_checker_t *checker, const sim_group_t *group) {
    return of(self, checker, group)->debt > 0;
}

int64_t sim_fresh_quiet_ns(sim_fresh_t *self, const sim_checker_t *checker,
                           const sim_group_t *group) {
    int64_t own = of(self, checker, group)->quiet_ns;
    return own > self->quiet_ns ? own : self->quiet_ns;
}

void sim_fresh_free(sim_fresh_t *self) {
    for (size_t i = 0; i < self->room; i++) {
        for (unsigned p = 0; p < SIM_PRIORITIES; p++)
            free(self->groups[i].lines[p].offsets);
        free(self->groups[i].gone);
    }
    free(self->groups);
}
