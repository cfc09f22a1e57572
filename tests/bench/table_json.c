/* table_json: the same for programs. */
#include "tests/bench/table_inside.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

static json_t *number(double value) {
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *cell_json(const cell_t *cell) {
    json_t *figures = json_object();
    for (unsigned i = 0; i < FIGURES; i++) {
        double low, high, median = cell_median(cell, (figure_t)i, &low, &high);
        if (!isnan(median))
            json_object_set_new(figures, figure_names[i].name,
                                json_pack("{s:o,s:o,s:o,s:s}", "median", number(median), "lowest",
                                          number(low), "highest", number(high), "unit",
                                          figure_names[i].unit));
    }
    const char *trouble = cell_trouble(cell);
    return json_pack("{s:s,s:i,s:s?,s:o}", "peer", cell->peer->name, "rounds", (int)cell->rounds,
                     "failed", trouble, "figures", figures);
}

static json_t *works_json(const table_t *self, bool *good) {
    json_t *list = json_array();
    for (size_t w = 0; w < self->works_count; w++) {
        json_t *cells = json_array();
        for (size_t p = 0; p < self->peers_count; p++) {
            const cell_t *cell = table_cell(self, w, p);
            if (!cell->rounds)
                continue;
            json_array_append_new(cells, cell_json(cell));
            *good = *good && !cell_trouble(cell);
        }
        json_array_append_new(list, json_pack("{s:s,s:s,s:I,s:o}", "work", self->works[w]->name,
                                              "title", self->works[w]->title, "events",
                                              (json_int_t)self->events[w], "peers", cells));
    }
    return list;
}

static json_t *targets_json(const table_t *self) {
    json_t *list = json_array();
    const target_t *target;
    for (size_t i = 0; (target = targets_at(i)); i++) {
        verdict_t verdict;
        table_judge(self, target, &verdict);
        if (verdict.known)
            json_array_append_new(
                list,
                json_pack("{s:s,s:s,s:s,s:s?,s:o,s:o,s:o,s:b}", "work", target->work, "figure",
                          figure_names[target->figure].name, "target", target->sentence, "against",
                          verdict.than, "due", number(verdict.due), "fob", number(verdict.has),
                          "ratio", number(verdict.ratio), "reached", (int)verdict.reached));
    }
    return list;
}

static json_t *peers_json(const table_t *self) {
    json_t *list = json_object();
    for (size_t p = 0; p < self->peers_count; p++)
        json_object_set_new(list, self->peers[p]->name,
                            json_pack("{s:s,s:s}", "version", self->versions[p], "settings",
                                      self->peers[p]->settings));
    return list;
}

bool table_print_json(const table_t *self) {
    bool good = true;
    here_t here;
    here_find(&here);
    json_t *works = works_json(self, &good);
    json_t *all =
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:o,s:o,s:o}", "command", self->command, "date",
                  here.date, "machine", here.machine, "system", here.system, "kernel", here.kernel,
                  "compiler", here.compiler, "rounds", (int)self->rounds, "peers", peers_json(self),
                  "works", works, "targets", targets_json(self));
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
    here_free(&here);
    return good;
}
