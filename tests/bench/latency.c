/* fob_latency one|cast|queue [OPTION VALUE]...: how long a single event takes, beside bare loops of
 * libzmq, run after run in turns, medians of all rounds.
 *
 *   one    --publishers N, each of which waits for its receipt before its next event
 *   cast   --rate R events a second, fired: from the call to the subscriber
 *   queue  --rate R, stored: from the call to the receipt, and to the handler
 *
 * --events N a round, --size BYTES, --rounds N, --sync HOW; --only fob|bare. */
#include "tests/bench/latency.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROUNDS_MAX 64

typedef struct {
    const char *name;
    lab_fn *fob, *bare;
    uint64_t events, publishers;
} work_t;

static const work_t works[] = {{"one", fob_one, bare_one, 5000, 1},
                               {"cast", fob_cast, bare_cast, 20000, 1},
                               {"queue", fob_queue, bare_queue, 20000, 1}};

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, ascending);
    return count ? values[count / 2] : 0;
}

/* One figure of both sides, and what one is of the other. */
static void row(const char *name, double fob[], double bare[], size_t rounds, const char *unit) {
    double ours = median(fob, rounds), theirs = median(bare, rounds);
    if (ours == 0 && theirs == 0)
        return;
    printf("  %-20s %10.0f %10.0f %8.2f  %s\n", name, ours, theirs, theirs > 0 ? ours / theirs : 0,
           unit);
}

static uint64_t number(const char *text) {
    char *end = NULL;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    if (!end || *end || value == 0)
        rig_die("a number from 1 on, not %s", text ? text : "nothing");
    return value;
}

static void usage(void) {
    rig_die("usage: fob_latency one|cast|queue [--publishers N] [--rate N] [--events N] "
            "[--size BYTES] [--rounds N] [--sync HOW] [--only fob|bare]");
}

typedef struct {
    lab_options_t lab;
    size_t rounds;
    const char *only;
} given_t;

static void read_option(given_t *given, const char *name, const char *value) {
    if (strcmp(name, "--publishers") == 0)
        given->lab.publishers = number(value);
    else if (strcmp(name, "--rate") == 0)
        given->lab.rate = number(value);
    else if (strcmp(name, "--events") == 0)
        given->lab.events = number(value);
    else if (strcmp(name, "--size") == 0)
        given->lab.size = number(value);
    else if (strcmp(name, "--rounds") == 0)
        given->rounds = number(value);
    else if (strcmp(name, "--sync") == 0 && value)
        given->lab.sync = value;
    else if (strcmp(name, "--only") == 0 && value)
        given->only = value;
    else
        usage();
}

static bool measure(const work_t *work, const given_t *given) {
    static double figures[2][LAB_FIGURES][ROUNDS_MAX];
    static const char *names[LAB_FIGURES] = {"rate",        "confirm p50", "confirm p99",
                                             "confirm max", "handler p50", "handler p99",
                                             "handler max"};
    bool good = true;
    for (size_t round = 0; round < given->rounds; round++) {
        for (int side = 0; side < 2; side++) {
            lab_fn *run = side ? work->bare : work->fob;
            if (given->only && strcmp(given->only, side ? "bare" : "fob") != 0)
                continue;
            double out[LAB_FIGURES] = {0};
            good = run(&given->lab, out) && good;
            for (int i = 0; i < LAB_FIGURES; i++)
                figures[side][i][round] = out[i];
        }
    }
    printf("  %-20s %10s %10s %8s\n", "", "fob", "bare", "ratio");
    for (int i = 0; i < LAB_FIGURES; i++)
        row(names[i], figures[0][i], figures[1][i], given->rounds, i ? "us" : "events/s");
    return good;
}

int main(int argc, char **argv) {
    given_t given = {.lab = {.size = 256, .rate = 5000, .sync = "always"}, .rounds = 3};
    const work_t *work = NULL;
    for (size_t i = 0; argc > 1 && i < sizeof works / sizeof works[0]; i++)
        if (strcmp(argv[1], works[i].name) == 0)
            work = &works[i];
    if (!work)
        usage();
    for (int i = 2; i < argc; i += 2)
        read_option(&given, argv[i], argv[i + 1]);
    if (given.rounds > ROUNDS_MAX || given.lab.size < 16 || given.lab.publishers > LAB_PUBLISHERS)
        rig_die("at most %d rounds, %d publishers; at least 16 bytes", ROUNDS_MAX, LAB_PUBLISHERS);
    given.lab.events = given.lab.events ? given.lab.events : work->events;
    given.lab.publishers = given.lab.publishers ? given.lab.publishers : work->publishers;
    printf("%s: %llu events of %llu B a round, sync %s\n", work->name,
           (unsigned long long)given.lab.events, (unsigned long long)given.lab.size,
           given.lab.sync);
    return measure(work, &given) ? 0 : 1;
}
