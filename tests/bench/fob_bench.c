/* fob_bench [BENCH] [--events N] [--size BYTES] [--window N] [--workers N] [--sync HOW]:
 * figures of fob by itself, on this machine.
 *
 * The bus, the publisher and each worker or subscriber are processes of their own on this one
 * machine, so they share its processors: what is measured is all of it together, not the bus alone.
 */
#include "tests/bench/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bench_fn *run;
    uint64_t events, size; /* unless told */
} benches[] = {
    {"topics", bench_topics, 2000000, 128},
    {"backlog", bench_backlog, 1000000, 256},
};

static void usage(void) {
    rig_die("usage: fob_bench [topics|backlog] [--events N] [--size BYTES] "
            "[--window N] [--workers N] [--topics N] [--rate N] "
            "[--sync always|os|interval=D|memory]");
}

static uint64_t number(const char *text) {
    char *end = NULL;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    if (!end || *end || value == 0)
        usage();
    return value;
}

static void read_option(bench_options_t *options, const char *name, const char *value) {
    if (strcmp(name, "--events") == 0)
        options->events = number(value);
    else if (strcmp(name, "--size") == 0)
        options->size = number(value);
    else if (strcmp(name, "--topics") == 0)
        options->topics = number(value);
    else if (strcmp(name, "--rate") == 0)
        options->rate = number(value);
    else if (strcmp(name, "--window") == 0)
        options->window = (uint32_t)number(value);
    else if (strcmp(name, "--workers") == 0)
        options->workers = (uint32_t)number(value);
    else if (strcmp(name, "--sync") == 0 && value)
        options->sync = value;
    else
        usage();
}

int main(int argc, char **argv) {
    bench_options_t given = {.window = 16384, .workers = 2, .topics = 100000, .sync = "always"};
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-')
            only = argv[i];
        else
            read_option(&given, argv[i], argv[i + 1]), i++;
    }
    bool good = true, known = false;
    for (size_t i = 0; i < sizeof benches / sizeof benches[0]; i++) {
        if (only && strcmp(only, benches[i].name) != 0)
            continue;
        bench_options_t options = given;
        options.events = given.events ? given.events : benches[i].events;
        options.size = given.size ? given.size : benches[i].size;
        good = benches[i].run(&options) && good;
        known = true;
    }
    if (!known)
        usage();
    return good ? 0 : 1;
}
