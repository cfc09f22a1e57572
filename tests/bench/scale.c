/* fob_scale [rates|memory|growth [DIMENSION]] [OPTION]...: what publishers and workers notice of
 * those who only listen, what these cost in memory, and what grows with what. Exit 1: more than is
 * promised, or something was lost.
 *
 * rates: pairs of runs, without and with twenty stopped tails and a hundred laggards, one after the
 * other, so that what the machine does beside falls on both. Each run has a new bus with the same
 * history. What counts is the median of the runs without, and of those with. */
#include "tests/bench/scale.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAIRS_MOST 99
#define WARM_UP    1.0 /* seconds of the flow before it is measured */
#define BUDGET     192 /* MiB that the bus may hold with all who listen; see HACKING.md */

typedef struct {
    double stored, acked; /* events a second */
    double bus;           /* processor seconds of the bus, a second */
    double each;          /* the same, microseconds for each event that was acked */
    double laggards;      /* of the laggards, and events they read a second */
    double read;
    double peak; /* MiB */
    bool good;
} run_t;

static void usage(void) {
    rig_die("usage: fob_scale [rates|memory|growth [groups|subscribers|publishers|topics|depth]] "
            "[--pairs N] [--rounds N] [--largest N] [--seconds S] [--events N] [--size BYTES] "
            "[--window N] [--tails N] [--laggards N] [--pace EVENTS] [--most PERCENT] "
            "[--sync always|os|interval=D|memory]");
}

/* --- one run --- */

void scale_rest(double seconds) {
    struct timespec rest = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&rest, &rest) < 0)
        ;
}

typedef struct {
    double at, bus, laggards;
    uint64_t stored, acked, read;
} look_t;

static look_t look(const rig_t *rig, const flow_t *flow, const load_t *load) {
    look_t now = {.at = rig_now(), .bus = rig_cpu(rig)};
    flow_look(flow, &now.stored, &now.acked);
    if (load)
        load_look(load, &now.read, &now.laggards);
    return now;
}

static run_t between(const look_t *from, const look_t *to) {
    double seconds = to->at - from->at;
    double acked = (double)(to->acked - from->acked);
    return (run_t){.each = acked > 0 ? (to->bus - from->bus) * 1e6 / acked : 0,
                   .stored = (double)(to->stored - from->stored) / seconds,
                   .acked = acked / seconds,
                   .bus = (to->bus - from->bus) / seconds,
                   .laggards = (to->laggards - from->laggards) / seconds,
                   .read = (double)(to->read - from->read) / seconds};
}

static run_t run_once(const scale_options_t *options, bool loaded) {
    rig_t *rig = rig_new(&options->bus);
    bool good = flow_history(rig, options, options->bus.events, 0);
    load_t *load = loaded ? load_new(rig, options) : NULL;
    flow_t *flow = flow_new(
        rig, options, &(flow_plan_t){.publishers = 1, .topics = 1, .groups = 1, .workers = 2});
    scale_rest(WARM_UP);
    look_t from = look(rig, flow, load);
    scale_rest(options->seconds);
    look_t to = look(rig, flow, load);
    run_t run = between(&from, &to);
    run.peak = (double)rig_peak(rig) / 1048576;
    good = flow_destroy(&flow) && good;
    good = (!load || load_destroy(&load)) && good;
    rig_destroy(&rig);
    run.good = good;
    return run;
}

/* --- pairs --- */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const run_t *runs, uint32_t count, size_t member) {
    double values[PAIRS_MOST];
    for (uint32_t i = 0; i < count; i++)
        memcpy(&values[i], (const char *)&runs[i] + member, sizeof values[i]);
    qsort(values, count, sizeof values[0], compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* How much less there is with those who listen, per cent, of one of the rates. */
static double tell_rate(const char *name, const run_t *without, const run_t *with, uint32_t count,
                        size_t member) {
    double a = median(without, count, member), b = median(with, count, member);
    double less = a > 0 ? (1 - b / a) * 100 : 100;
    printf("  %-28s %12.0f without, %.0f with: %.1f%% less\n", name, a, b, less);
    return less;
}

static void tell_run(const char *name, const run_t *run) {
    double load = 0;
    (void)getloadavg(&load, 1);
    printf(
        "  %-8s %9.0f stored/s %9.0f acked/s; processors: bus %.2f, laggards %.2f; laggards read "
        "%.0f/s; bus at most %.0f MiB; load %.1f%s\n",
        name, run->stored, run->acked, run->bus, run->laggards, run->read, run->peak, load,
        run->good ? "" : "; WRONG");
    fflush(stdout);
}

static bool rates(const scale_options_t *options) {
    run_t without[PAIRS_MOST], with[PAIRS_MOST];
    bool good = true;
    printf("rates: %u pairs of %.1f s, %u stopped tails, %u laggards at %u events/s each, history "
           "%llu events of %llu B\n",
           options->pairs, options->seconds, options->tails, options->laggards, options->pace,
           (unsigned long long)options->bus.events, (unsigned long long)options->bus.size);
    for (uint32_t i = 0; i < options->pairs; i++) {
        without[i] = run_once(options, false);
        tell_run("without", &without[i]);
        with[i] = run_once(options, true);
        tell_run("with", &with[i]);
        good = good && without[i].good && with[i].good;
    }
    double stored =
        tell_rate("publish rate, events/s", without, with, options->pairs, offsetof(run_t, stored));
    double acked =
        tell_rate("queue rate, events/s", without, with, options->pairs, offsetof(run_t, acked));
    printf("  %-28s %12.2f without, %.2f with\n", "the bus's time, us/event",
           median(without, options->pairs, offsetof(run_t, each)),
           median(with, options->pairs, offsetof(run_t, each)));
    printf("  %-28s %12.2f processors\n", "the laggards' own time",
           median(with, options->pairs, offsetof(run_t, laggards)));
    if (options->most <= 0)
        return good;
    double peak = median(with, options->pairs, offsetof(run_t, peak));
    printf("  %-28s %12.0f MiB at most with them, of %d\n", "resident", peak, BUDGET);
    bool kept = stored <= options->most && acked <= options->most && peak <= BUDGET;
    if (!kept)
        printf("  TOO MUCH: at most %.0f%% less and %d MiB are promised\n", options->most, BUDGET);
    return good && kept;
}

/* --- options --- */

static double number(const char *text, double least) {
    char *end = NULL;
    double value = text ? strtod(text, &end) : 0;
    if (!end || *end || end == text || !(value >= least) || value > 1e12)
        usage();
    return value;
}

static void read_option(scale_options_t *options, const char *name, const char *value) {
    if (strcmp(name, "--pairs") == 0)
        options->pairs = (uint32_t)number(value, 1);
    else if (strcmp(name, "--rounds") == 0)
        options->rounds = (uint32_t)number(value, 1);
    else if (strcmp(name, "--largest") == 0)
        options->largest = (uint64_t)number(value, 1);
    else if (strcmp(name, "--seconds") == 0)
        options->seconds = number(value, 0.01);
    else if (strcmp(name, "--events") == 0)
        options->bus.events = (uint64_t)number(value, 1);
    else if (strcmp(name, "--size") == 0)
        options->bus.size = (uint64_t)number(value, 8);
    else if (strcmp(name, "--window") == 0)
        options->bus.window = (uint32_t)number(value, 1);
    else if (strcmp(name, "--tails") == 0)
        options->tails = (uint32_t)number(value, 0);
    else if (strcmp(name, "--laggards") == 0)
        options->laggards = (uint32_t)number(value, 0);
    else if (strcmp(name, "--pace") == 0)
        options->pace = (uint32_t)number(value, 0);
    else if (strcmp(name, "--most") == 0)
        options->most = number(value, 0);
    else if (strcmp(name, "--sync") == 0 && value)
        options->bus.sync = value;
    else
        usage();
}

int main(int argc, char **argv) {
    scale_options_t options = {
        .bus = {.events = 1000000, .size = 256, .window = 16384, .workers = 2, .sync = "always"},
        .pairs = 5,
        .rounds = 3,
        .largest = UINT64_MAX,
        .seconds = 5,
        .tails = 20,
        .laggards = 100,
        .pace = 500,
        .most = 15};
    const char *words[2] = {NULL, NULL};
    for (int i = 1, count = 0; i < argc; i++) {
        if (argv[i][0] == '-')
            read_option(&options, argv[i], argv[i + 1]), i++;
        else if (count < 2)
            words[count++] = argv[i];
        else
            usage();
    }
    const char *only = words[0];
    bool all = !only, good = true;
    bool grows = only && strcmp(only, "growth") == 0;
    if (options.pairs > PAIRS_MOST || (words[1] && !grows) ||
        (only && !grows && strcmp(only, "rates") != 0 && strcmp(only, "memory") != 0))
        usage();
    if (all || strcmp(only, "rates") == 0)
        good = rates(&options);
    if (all || strcmp(only, "memory") == 0)
        good = scale_memory(&options) && good;
    if (all || grows)
        good = scale_growth(&options, words[1]) && good;
    return good ? 0 : 1;
}
