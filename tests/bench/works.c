/* works: the lists, put together. Each of works_*.c has those of its kind, and the targets that
 * they are held against. */
#include "tests/bench/works.h"

#include <string.h>

static const work_list_t *const lists[] = {&works_cast, &works_queue, &works_latency, &works_floor};
#define LISTS (sizeof lists / sizeof lists[0])

const figure_name_t figure_names[FIGURES] = {
    [FIGURE_RATE] = {"rate", "events/s", true},
    [FIGURE_CONFIRMED] = {"confirmed", "events/s", true},
    [FIGURE_DRAINED] = {"drained", "events/s", true},
    [FIGURE_P50] = {"p50", "us", false},
    [FIGURE_P99] = {"p99", "us", false},
    [FIGURE_MOST] = {"longest", "us", false},
    [FIGURE_CONFIRM_P50] = {"confirm p50", "us", false},
    [FIGURE_CONFIRM_P99] = {"confirm p99", "us", false},
    [FIGURE_MEMORY] = {"memory", "MiB", false},
    [FIGURE_IDLE] = {"idle", "MiB", false},
    [FIGURE_DISK] = {"disk", "B/B", false},
    [FIGURE_RESTART] = {"restart", "ms", false},
    [FIGURE_LOST] = {"lost", "events", false},
    [FIGURE_TWICE] = {"twice", "events", false},
    [FIGURE_DISORDERED] = {"out of order", "events", false},
    [FIGURE_CPU_BROKER] = {"broker", "us/event", false},
    [FIGURE_CPU_CLIENTS] = {"clients", "us/event", false},
};

const work_t *works_at(size_t n) {
    for (size_t i = 0; i < LISTS; n -= lists[i++]->works_count)
        if (n < lists[i]->works_count)
            return &lists[i]->works[n];
    return NULL;
}

const target_t *targets_at(size_t n) {
    for (size_t i = 0; i < LISTS; n -= lists[i++]->targets_count)
        if (n < lists[i]->targets_count)
            return &lists[i]->targets[n];
    return NULL;
}

const work_t *works_find(const char *name) {
    const work_t *work;
    for (size_t i = 0; (work = works_at(i)); i++)
        if (strcmp(work->name, name) == 0)
            return work;
    return NULL;
}
