/* table: medians, and what they are held against. */
#include "tests/bench/table_inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cell_t *table_cell(const table_t *self, size_t work, size_t peer) {
    return &self->cells[work * self->peers_count + peer];
}

static int by_value(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double cell_median(const cell_t *self, figure_t figure, double *low, double *high) {
    double values[TABLE_ROUNDS];
    unsigned count = 0;
    for (unsigned i = 0; i < self->rounds; i++)
        if (self->results[i].good && !isnan(self->results[i].figures[figure]))
            values[count++] = self->results[i].figures[figure];
    qsort(values, count, sizeof values[0], by_value);
    if (low)
        *low = count ? values[0] : NAN;
    if (high)
        *high = count ? values[count - 1] : NAN;
    if (!count)
        return NAN;
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

const char *cell_trouble(const cell_t *self) {
    for (unsigned i = 0; i < self->rounds; i++)
        if (!self->results[i].good)
            return self->results[i].why;
    return NULL;
}

/* What counts of a cell: the median of its rounds, but of what must not be the worst. */
static double judged(const cell_t *cell, figure_t figure) {
    double high, median = cell_median(cell, figure, NULL, &high);
    bool wrong = figure == FIGURE_LOST || figure == FIGURE_TWICE || figure == FIGURE_DISORDERED;
    return wrong ? high : median;
}

static double figure_of(const table_t *self, const char *work, const char *peer, figure_t figure) {
    for (size_t w = 0; w < self->works_count; w++)
        for (size_t p = 0; p < self->peers_count; p++)
            if (strcmp(self->works[w]->name, work) == 0 && strcmp(self->peers[p]->name, peer) == 0)
                return judged(table_cell(self, w, p), figure);
    return NAN;
}

/* The best of all but fob. */
static double best_of(const table_t *self, const char *work, figure_t figure, const char **name) {
    double best = NAN;
    for (size_t p = 0; p < self->peers_count; p++) {
        double its = figure_of(self, work, self->peers[p]->name, figure);
        if (strcmp(self->peers[p]->name, "fob") == 0 || isnan(its))
            continue;
        if (isnan(best) || (figure_names[figure].more ? its > best : its < best)) {
            best = its;
            *name = self->peers[p]->name;
        }
    }
    return best;
}

void table_judge(const table_t *self, const target_t *target, verdict_t *verdict) {
    const char *work = target->other_work ? target->other_work : target->work;
    double other = NAN;
    memset(verdict, 0, sizeof *verdict);
    verdict->target = target;
    verdict->has = figure_of(self, target->work, "fob", target->figure);
    verdict->than = target->against;
    if (target->factor > 0)
        other = target->against ? figure_of(self, work, target->against, target->figure)
                                : best_of(self, work, target->figure, &verdict->than);
    verdict->due = target->factor > 0 ? other * target->factor : target->limit;
    verdict->ratio = verdict->has / other;
    verdict->known = !isnan(verdict->has) && !isnan(verdict->due);
    verdict->reached =
        verdict->known && (figure_names[target->figure].more ? verdict->has >= verdict->due
                                                             : verdict->has <= verdict->due);
}

double table_ratio(const table_t *self, size_t work, size_t peer) {
    figure_t figure = self->works[work]->shown[0];
    double fob = figure_of(self, self->works[work]->name, "fob", figure);
    double its = cell_median(table_cell(self, work, peer), figure, NULL, NULL);
    return figure_names[figure].more ? fob / its : its / fob;
}

/* --- for people --- */

/* "2.31 M", "649 k", "38.2", "-". */
static const char *human(double value, char *text, size_t size) {
    if (isnan(value))
        return strcpy(text, "-");
    if (value >= 999500)
        snprintf(text, size, "%.2f M", value / 1e6);
    else if (value >= 9995)
        snprintf(text, size, "%.0f k", value / 1e3);
    else
        snprintf(text, size, "%.*f", value == floor(value) || value >= 100 ? 0 : 2, value);
    return text;
}

typedef struct {
    bool markdown;
    unsigned column;
} pen_t;

static void cell(pen_t *pen, int width, const char *text) {
    if (pen->markdown)
        printf("%s%s", pen->column ? " | " : "| ", text);
    else
        printf("  %*s", pen->column ? width : -width, text);
    pen->column++;
}

static void end_row(pen_t *pen) {
    puts(pen->markdown ? " |" : "");
    pen->column = 0;
}

static void heading(const table_t *self, pen_t *pen, size_t w) {
    const work_t *work = self->works[w];
    char text[128];
    printf(pen->markdown ? "\n### %s\n\n" : "\n%s\n", work->title);
    printf(pen->markdown ? "`%s`, %llu events a round.\n\n" : "  (%s, %llu events a round)\n",
           work->name, (unsigned long long)self->events[w]);
    cell(pen, 14, "");
    for (unsigned i = 0; i < work->shows; i++) {
        const figure_name_t *figure = &figure_names[work->shown[i]];
        snprintf(text, sizeof text, "%s, %s", figure->name, figure->unit);
        cell(pen, i ? 18 : 26, text);
    }
    cell(pen, 10, "fob is");
    end_row(pen);
    if (!pen->markdown)
        return;
    for (unsigned i = 0; i < work->shows + 2; i++)
        cell(pen, 0, i ? "---:" : "---");
    end_row(pen);
}

static void row(const table_t *self, pen_t *pen, size_t w, size_t p) {
    const cell_t *its = table_cell(self, w, p);
    const work_t *work = self->works[w];
    char text[128], number[32], lowest[32], highest[32];
    cell(pen, 14, its->peer->name);
    for (unsigned i = 0; i < work->shows; i++) {
        double low, high, median = cell_median(its, work->shown[i], &low, &high);
        if (i == 0 && its->rounds > 1 && !isnan(median))
            snprintf(text, sizeof text, "%s (%s-%s)", human(median, number, sizeof number),
                     human(low, lowest, sizeof lowest), human(high, highest, sizeof highest));
        else
            snprintf(text, sizeof text, "%s", human(median, number, sizeof number));
        cell(pen, i ? 18 : 26, text);
    }
    double ratio = table_ratio(self, w, p);
    snprintf(text, sizeof text, "%.2fx", ratio);
    cell(pen, 10, isnan(ratio) || strcmp(its->peer->name, "fob") == 0 ? "" : text);
    end_row(pen);
}

/* What no column shows but nobody should miss. */
static bool notes(const table_t *self, pen_t *pen, size_t w) {
    static const figure_t wrong[] = {FIGURE_LOST, FIGURE_TWICE, FIGURE_DISORDERED};
    bool good = true;
    for (size_t p = 0; p < self->peers_count; p++) {
        const cell_t *its = table_cell(self, w, p);
        const char *trouble = cell_trouble(its);
        const char *begin = pen->markdown ? "\n" : "  ";
        if (trouble)
            printf("%s%s FAILED: %s\n", begin, its->peer->name, trouble);
        good = good && !trouble;
        for (unsigned i = 0; i < 3; i++) {
            double high;
            cell_median(its, wrong[i], NULL, &high);
            if (high > 0)
                printf("%s%s: up to %.0f of %llu %s in a round\n", begin, its->peer->name, high,
                       (unsigned long long)self->events[w] * self->works[w]->groups,
                       figure_names[wrong[i]].name);
        }
    }
    return good;
}

static void verdict_row(pen_t *pen, const verdict_t *verdict) {
    const target_t *target = verdict->target;
    char text[160], number[32];
    cell(pen, 22, target->work);
    cell(pen, 12, figure_names[target->figure].name);
    snprintf(text, sizeof text, "%s%s%s", target->sentence, target->against ? "" : ": ",
             target->against || !verdict->than ? "" : verdict->than);
    cell(pen, 34, target->factor > 0 ? text : target->sentence);
    cell(pen, 10, human(verdict->due, number, sizeof number));
    cell(pen, 10, human(verdict->has, number, sizeof number));
    snprintf(text, sizeof text, "%.2fx", verdict->ratio);
    cell(pen, 8, isnan(verdict->ratio) ? "" : text);
    cell(pen, 12, !verdict->known ? "not measured" : verdict->reached ? "yes" : "NO");
    end_row(pen);
}

/* Returns how many were missed. */
static unsigned verdicts(const table_t *self, pen_t *pen) {
    static const char *const heads[] = {"work", "figure", "target", "due",
                                        "fob",  "ratio",  "reached"};
    static const int widths[] = {22, 12, 34, 10, 10, 8, 12};
    const target_t *target;
    unsigned missed = 0, shown = 0;
    for (size_t i = 0; (target = targets_at(i)); i++) {
        verdict_t verdict;
        table_judge(self, target, &verdict);
        if (!verdict.known)
            continue;
        for (unsigned h = 0; shown == 0 && h < 7; h++) {
            if (h == 0)
                puts(pen->markdown ? "\n### Targets\n" : "\nTargets");
            cell(pen, widths[h], heads[h]);
        }
        if (shown++ == 0) {
            end_row(pen);
            for (unsigned h = 0; pen->markdown && h < 7; h++)
                cell(pen, 0, "---");
            if (pen->markdown)
                end_row(pen);
        }
        verdict_row(pen, &verdict);
        missed += !verdict.reached;
    }
    return missed;
}

static void about(const table_t *self, pen_t *pen) {
    const char *item = pen->markdown ? "- " : "";
    here_t here;
    here_find(&here);
    printf("%s%s\n%s%s, %s\n%s%s, %s\n", item, here.date, item, here.machine, here.system, item,
           here.kernel, here.compiler);
    printf("%s%s%s%s; %u rounds in turn, medians (lowest-highest)\n", item,
           pen->markdown ? "`" : "", self->command, pen->markdown ? "`" : "", self->rounds);
    for (size_t p = 0; p < self->peers_count; p++)
        printf(pen->markdown ? "- **%s** (%s): %s\n" : "%s: %s. %s\n", self->peers[p]->name,
               self->versions[p], self->peers[p]->settings);
    here_free(&here);
}

bool table_print(const table_t *self, table_form_t form, unsigned *missed) {
    pen_t pen = {.markdown = form == TABLE_MARKDOWN};
    const target_t *target;
    bool good = true;
    if (form == TABLE_JSON) {
        *missed = 0;
        for (size_t i = 0; (target = targets_at(i)); i++) {
            verdict_t verdict;
            table_judge(self, target, &verdict);
            *missed += verdict.known && !verdict.reached;
        }
        return table_print_json(self);
    }
    about(self, &pen);
    for (size_t w = 0; w < self->works_count; w++) {
        heading(self, &pen, w);
        for (size_t p = 0; p < self->peers_count; p++)
            if (table_cell(self, w, p)->rounds)
                row(self, &pen, w, p);
        good = notes(self, &pen, w) && good;
    }
    *missed = verdicts(self, &pen);
    return good;
}
